"""A model's card: what it learnt from, how it was measured, its limits; made from a run's files, kept in the packed model.

    python -m avsr.stages.card --model models/mini_ko.zip --out models/README.md

writes the card that a packed model carries as Markdown; `avsr.stages.ship` puts it in.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError, ModelError
from avsr.files import read_yaml
from avsr.stages.command import run_main
from avsr.stages.results import MODE_NAMES, WrittenResults, read_results
from avsr.tables import write_lines

TEST = "test"  # the set of speakers and sentences that were not trained on
MODES = ("audio", "lip", "av")
_WORDS = {"name": str, "first_use": str, "limits": list, "limits_ko": list, "licences": list}


def make_card(
    meta: Mapping[str, Any], results: Path, manifests: Sequence[Path], words: Path, *, parameters: int, real: str | None,
    before: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The card, as plain YAML values.

    Args:
        meta: of the packed model.
        results: RESULTS.md of the run that it was packed from.
        manifests: manifest.json of each corpus that it was trained on, as `avsr synth` and `avsr.corpora.talking_heads.refilm` wrote them.
        words: the recipe's conf/card.yaml.
        real: a sentence on how it does with real clips, where that was measured.
        before: the corpora, as in its card, of a model that this one's training began with.

    Raises:
        AvsrError: a file is missing or none, the results are another model's, or they lack a mode.
    """
    written, plain = read_results(results), _read_words(words)
    _check_results(meta, written, results)
    corpora = [_corpus(path) for path in manifests]
    given = {corpus["hash"] for corpus in corpora}
    corpora = [*(dict(corpus) for corpus in before if corpus["hash"] not in given), *corpora]
    facts: dict[str, Any] = {mode: f"{written.figures[TEST][mode]['cer'][0]:.1f}" for mode in MODES}
    once = [corpus for corpus in corpora if not corpus.get("again")]  # what was filmed again brings no new sentence and nobody new
    facts |= {name: sum(corpus["train"][name] for corpus in once) for name in ("utterances", "voices", "speakers")}
    for name, silent in (("hours", False), ("silent_hours", True)):
        facts[name] = f"{sum(corpus['train']['hours'] for corpus in once if corpus['silent'] is silent):.1f}"
    card: dict[str, Any] = {
        "name": plain["name"],
        "first_use": _filled(plain["first_use"], facts, words),
        "parameters": parameters,
        "corpora": corpora,
        "figures": {name: {mode: {rate: list(value) for rate, value in rates.items()} for mode, rates in modes.items()}
                    for name, modes in written.figures.items()},
        "sets": dict(written.sets),
        "run": dict(written.facts),
        "configuration": dict(written.configuration),
        "limits": [_filled(text, facts, words) for text in plain["limits"]],
        "limits_ko": [_filled(text, facts, words) for text in plain["limits_ko"]],
        "licences": list(plain["licences"]),
    }
    return card | ({"real": real} if real else {})


def card_of(meta: Mapping[str, Any], where: object) -> dict[str, Any]:
    """The card that a packed model's meta holds; ModelError where it has none."""
    card = meta.get("card")
    if not isinstance(card, dict):
        raise ModelError(f"{where}: carries no model card; put one in with python -m avsr.stages.ship.")
    return card


def card_text(model: Path) -> str:
    """The card of a packed model as Markdown; ModelError where it carries none."""
    from avsr.decoding.packed import read_meta

    meta = read_meta(model)
    card = card_of(meta, model)
    data = model.read_bytes()
    facts = {
        "what": meta.get("what"),
        "file": f"`{model.name}`, {len(data) / 1e6:.1f} MB, sha256 `{hashlib.sha256(data).hexdigest()}`",
        "parameters": f"{card['parameters']:,}" + (f"; {meta['weights']}" if "weights" in meta else ""),
        **{name: card["run"].get(name) for name in ("command", "trained at commit", "seed", "training", "trained on")},
        "data hash (sha256)": card["run"].get("data hash (sha256)"),
    }
    lines = [
        f"# Model card: {card['name']}",
        "",
        "Written by `python -m avsr.stages.card` out of the model itself; do not edit.",
        "",
        card["first_use"],
        "",
        *_figure_lines(card),
        "## Data",
        "",
        "Made by `avsr synth`; the same options make the same bits on one machine, and the hash is of all of them.",
        "",
        "| domain | train: utterances | hours | voices | speakers | seed | spoken | hash of the manifest |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_corpus_line(corpus) for corpus in card["corpora"]),
        "",
        "## Training",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in facts.items() if value),
        "",
        "```yaml",
        _yaml(card["configuration"]),
        "```",
        "",
    ]
    for title, name in (("Limits", "limits"), ("한계", "limits_ko"), ("Licences of what went into it", "licences")):
        lines += [f"## {title}", "", *(f"- {text}" for text in card[name]), ""]
    return "\n".join(lines)


def _figure_lines(card: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Figures",
        "",
        f"Error rates in percent, in brackets 95 % intervals; decoded and scored on {card['run'].get('decoded and scored on')}, "
        f"{card['run'].get('date')}, commit {card['run'].get('commit')}.",
        "",
    ]
    for name, modes in card["figures"].items():
        lines += [f"`{name}`" + (f": {card['sets'][name]}" if name in card["sets"] else ""), ""]
        lines += ["| mode | CER % | WER % |", "| --- | --- | --- |"]
        lines += [f"| {MODE_NAMES[mode]} | {_rate(rates['cer'])} | {_rate(rates['wer'])} |" for mode, rates in modes.items()]
        lines.append("")
    return [*lines, *([f"Real clips: {card['real']}", ""] if "real" in card else [])]


def _rate(figures: Sequence[float]) -> str:
    rate, low, high = figures
    return f"{rate:.1f} ({low:.1f} to {high:.1f})"


def _corpus_line(corpus: Mapping[str, Any]) -> str:
    train = corpus["train"]
    what = f"`{corpus['text']}`" if corpus["text"] else corpus["domain"]
    spoken = "filmed again" if corpus.get("again") else "no" if corpus.get("silent") else "yes"
    cells = (what, train["utterances"], f"{train['hours']:.2f}", train["voices"], train["speakers"], corpus["seed"], spoken)
    return f"| {' | '.join(map(str, cells))} | `{corpus['hash']}` |"


def _corpus(path: Path) -> dict[str, Any]:
    """What a card tells of a corpus that `avsr synth` made, or of one filmed again."""
    try:
        manifest = json.loads(path.read_bytes())
        train, order = manifest["splits"]["train"], manifest["order"]
        return {
            "domain": order["domain"],
            "text": order["text"],
            "seed": order["seed"],
            "silent": bool(order.get("silent")),
            "again": "again" in manifest,
            "hash": manifest["hash"],
            "train": {
                "utterances": train["utterances"],
                "hours": train["seconds"] / 3600,
                "voices": len(train["voices"]),
                "speakers": train["speakers"],
            },
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AvsrError(f"{path}: is no manifest of avsr synth ({error!r}); give the manifest.json of the corpus.") from None


def _read_words(path: Path) -> dict[str, Any]:
    words = read_yaml(path)
    for name, kind in _WORDS.items():
        if not isinstance(words.get(name), kind):
            raise AvsrError(f"{path}: {name} is not a {'text' if kind is str else 'list of texts'}; correct it.")
    return words


def _filled(text: str, facts: Mapping[str, Any], where: Path) -> str:
    try:
        return text.format(**facts)
    except (KeyError, IndexError, ValueError) as error:
        raise AvsrError(f"{where}: {error} in braces is none of {', '.join(facts)}; correct it.") from None


def _check_results(meta: Mapping[str, Any], written: WrittenResults, path: Path) -> None:
    """AvsrError where the results are of another model, or do not have what a card needs."""
    for name, ours in (("data hash (sha256)", meta.get("data_hash")), ("seed", meta.get("seed"))):
        theirs = written.facts.get(name)
        if str(ours) != theirs:
            raise AvsrError(f"{path}: its {name} is {theirs}, the model's is {ours}: they are of different trainings.")
    commit = written.facts.get("trained at commit")
    if commit not in (meta.get("commit"), "not recorded"):
        raise AvsrError(f"{path}: trained at commit {commit}, the model at {meta.get('commit')}: they are of different trainings.")
    missing = [mode for mode in MODES if "cer" not in written.figures.get(TEST, {}).get(mode, {})]
    if missing:
        raise AvsrError(f"{path}: has no figures of {MODE_NAMES[missing[0]]} on the set {TEST}; decode and score that too.")


def _yaml(value: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(value), allow_unicode=True, sort_keys=False, width=100).rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, help="packed model with a card")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    args = parser.parse_args(arguments)
    write_lines(args.out, card_text(args.model).rstrip("\n").split("\n"))
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    run_main(main)
