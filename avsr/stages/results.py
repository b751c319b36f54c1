"""RESULTS.md, written and read: the table, and everything that a reader needs to get it again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError
from avsr.files import parse_yaml, read_yaml
from avsr.stages.machine import describe_commit, describe_machine, describe_versions, without_home
from avsr.stages.once import read_note
from avsr.tables import SPLITS, columns, read_table
from avsr.text.scores import ErrorCount, Scores, UtteranceScore, bootstrap_interval, total
from avsr.text.visemes import is_korean, ver

MODE_NAMES = {
    "av": "audio-visual",
    "audio": "audio only",
    "lip": "lip only",
    "av_muted": "audio-visual, sound replaced by silence",
}
_LEGEND = (
    "Written by the score stage of `run.sh`. Rates are over a whole test set, in percent; in brackets 95 % of",
    "10,000 bootstrap resamples of its utterances. CER leaves spaces out; sWER is WER after spaces were moved to",
    "where the reference has them; VER is over visemes, sounds that look alike being the same; ECE is the expected",
    "calibration error of the words' confidence, over ten bins. The weight of the sound is the fusion's, 0 to 1, mean",
    "over frames.",
)
MOST_GROUPS = 30  # a column of more values than this is a name, and no table of results
RESAMPLES_SEED = 0  # of the bootstrap: the same hypotheses have the same intervals


@dataclass(frozen=True)
class ModeResult:
    """How one mode did on a test set; `summary` is what decoding left in decode.json, {} where it left none; `ece` the
    expected calibration error of its words' confidence, percent."""

    mode: str
    scores: Scores
    summary: Mapping[str, Any] = field(default_factory=dict)
    ece: float | None = None


@dataclass(frozen=True)
class WrittenResults:
    """What RESULTS.md says. figures: [test set][mode][wer, cer or swer] = rate and interval, percent; sets: what each
    test set is; facts: its table of names and values; configuration: what training used."""

    figures: dict[str, dict[str, dict[str, tuple[float, float, float]]]]
    sets: dict[str, str]
    facts: dict[str, str]
    configuration: dict[str, Any]


def data_hash(dump: Path, splits: Sequence[str] = SPLITS) -> str:
    """What was trained on and measured with: ids, texts, word times, durations, and the size of each clip, sound and shape.

    Sizes and not contents, because a corpus may hold a hundred gigabytes of them; where it lies plays no part.
    """
    total = hashlib.sha256()
    for split in splits:
        for name in ("text", "align", "utt2spk", "utt2dur"):
            path = dump / split / name
            total.update(f"{split}/{name}\n".encode() + (path.read_bytes() if path.exists() else b""))
        for name in ("video.scp", "wav.scp", "shape.scp"):
            there = (dump / split / name).exists()
            if name == "shape.scp" and not there:  # the hashes of before there were any stay
                continue
            rows = read_table(dump / split / name) if there else {}
            sizes = "".join(f"{utterance} {Path(media).stat().st_size}\n" for utterance, media in rows.items())
            total.update(f"{split}/{name}\n{sizes}".encode())
    return total.hexdigest()


def results_table(results: list[ModeResult]) -> str:
    """Error rates in percent with 95 % intervals, a line a mode; viseme errors where the text is Korean."""
    lines = [
        "| mode | WER % | CER % | sWER % | VER % | ECE % | weight of the sound | seconds a second of video |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        utterances = list(result.scores.utterances.values())
        cells = [MODE_NAMES[result.mode]]
        for name in ("wer", "cer", "swer"):
            cells.append(_rate(getattr(result.scores, name), [getattr(score, name) for score in utterances]))
        cells.append(_viseme_rate(utterances))
        cells.append(_shown(result.ece, ".1f"))
        cells.append(_shown(result.summary.get("audio_weight"), ".2f"))
        cells.append(_shown(result.summary.get("rtf"), ".2f"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def results_tables(results: Mapping[str, list[ModeResult]], dump: Path) -> str:
    """A table a test set; where there are several, each after a line that says how far it is from the training's data."""
    if len(results) == 1:
        return results_table(*results.values())
    parts = [f"`{name}`: {describe_set(dump, name)}\n\n{results_table(result)}" for name, result in results.items()]
    return "\n\n".join(parts)


def describe_set(dump: Path, name: str) -> str:
    """How much there is in a test set, and how many of its speakers and sentences were trained on."""
    counts = []
    for table, one in (("utt2spk", "speaker"), ("text", "sentence")):
        tested, trained = (set(read_table(dump / split / table).values()) for split in (name, "train"))
        counts.append(f"{len(tested)} {one}s, of which {len(tested & trained) or 'none'} trained on")
    return f"{len(read_table(dump / name / 'text'))} utterances; {'; '.join(counts)}."


def group_tables(results: Mapping[str, list[ModeResult]], dump: Path) -> str:
    """CER of each mode by what the corpus says of its utterances (angle, noise, age, ...), a table a column; "" where it says nothing."""
    parts = []
    for name, modes in results.items():
        speakers = read_table(dump / name / "utt2spk") if columns(dump / name) else {}
        for column in columns(dump / name):
            groups: dict[str, list[str]] = {}
            for utterance, value in read_table(dump / name / column).items():
                groups.setdefault(value, []).append(utterance)
            if len(groups) <= MOST_GROUPS:
                what = column.removeprefix("utt2")
                told = f"`{name}` by {what}:" if len(results) > 1 else f"By {what}:"
                parts += [told, "", *_group_rows(what, groups, modes, speakers), ""]
    return "\n".join(["## By what the corpus says of its utterances", "", "CER in percent.", "", *parts]) if parts else ""


def _group_rows(
    what: str, groups: Mapping[str, Sequence[str]], modes: Sequence[ModeResult], speakers: Mapping[str, str]
) -> list[str]:
    lines = [f"| {what} | utterances | speakers | {' | '.join(MODE_NAMES[result.mode] for result in modes)} |"]
    lines.append("| --- | --- | --- |" + " --- |" * len(modes))
    for value, utterances in sorted(groups.items()):
        cells = [value, str(len(utterances)), str(len({speakers[utterance] for utterance in utterances}))]
        for result in modes:
            counts = [result.scores.utterances[utterance].cer for utterance in utterances]
            cells.append(_rate(total(counts), counts))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _viseme_rate(utterances: Sequence[UtteranceScore]) -> str:
    if not all(is_korean(score.reference) for score in utterances):
        return ""
    counts = [ver(score.reference, score.hypothesis) for score in utterances]
    return _rate(total(counts), counts)


def _rate(count: ErrorCount, counts: list[ErrorCount]) -> str:
    low, high = bootstrap_interval(counts, RESAMPLES_SEED)
    return f"{count.rate:.1f} ({low:.1f} to {high:.1f})"


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def write_up(
    results: Mapping[str, list[ModeResult]],
    *,
    recipe: str,
    exp: Path,
    data: Path,
    dump: Path,
    train_config: Path,
    command: str,
) -> str:
    """The whole of RESULTS.md.

    Args:
        results: of each test set.
        exp: the folder that was trained in; its stamp tells when, where and how long.
        data: the corpus as it was prepared, by which is seen what could not be used.
        dump: what was trained on and measured with.
        command: as it was typed.
    """
    splits = ("train", "dev", *results)
    trained, config = read_note(exp / ".done") or read_note(exp / ".begun"), read_yaml(exp / "config.yaml")
    rows = {
        "command": f"`{without_home(command)}`",
        "commit": describe_commit(),
        "trained at commit": trained.get("commit", "not recorded"),
        "data hash (sha256)": data_hash(dump, splits),
        "seed": config.get("seed"),
        "training": training_line(exp, trained),
        "trained on": trained.get("machine", "not recorded"),
        "decoded and scored on": _machines([result for set_results in results.values() for result in set_results]),
        "versions": describe_versions(),
        "decoding": _decoding([result for set_results in results.values() for result in set_results]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    used = {key: config[key] for key in read_yaml(train_config) if key in config}
    return "\n".join(
        [
            f"# Results of the recipe {recipe}",
            "",
            *_LEGEND,
            "",
            results_tables(results, dump),
            "",
            "| | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in rows.items()),
            "",
            "## Data",
            "",
            "| split | utterances | hours | speakers | not used: no crop or sound | not used: filtered |",
            "| --- | --- | --- | --- | --- | --- |",
            *(split_line(split, data, dump) for split in splits),
            "",
            *filter(None, [group_tables(results, dump)]),
            f"## Configuration (`conf/{train_config.name}`, with the values that training used)",
            "",
            "```yaml",
            _yaml(used),
            "```",
            "",
        ]
    )


def read_results(path: Path) -> WrittenResults:
    """Read a RESULTS.md that `write_up` made; AvsrError where it is missing or none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AvsrError(f"{path}: cannot be read ({error}); give the RESULTS.md that the score stage wrote.") from None
    modes = {name: mode for mode, name in MODE_NAMES.items()}
    results = WrittenResults({}, {}, {}, {})
    head, _, rest = text.partition("\n## Data\n")
    current = "test"  # a single set is not named
    for line in head.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if named := re.match(r"`(\w+)`: (.+)", line):
            current = named[1]
            results.sets[current] = named[2]
        elif cells[0] in modes and len(cells) in (6, 7, 8):  # the viseme and calibration errors came later
            rates = [re.fullmatch(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", cell) for cell in cells[1:4]]
            figures = {name: tuple(map(float, rate.groups())) for name, rate in zip(("wer", "cer", "swer"), rates) if rate}
            results.figures.setdefault(current, {})[modes[cells[0]]] = figures  # type: ignore[assignment]
        elif line.startswith("| ") and len(cells) == 2 and cells[0].strip("-"):
            results.facts[cells[0]] = cells[1]
    block = re.search(r"```yaml\n(.*?)```", rest, re.S)
    if not results.figures or "data hash (sha256)" not in results.facts or block is None:
        raise AvsrError(f"{path}: is no RESULTS.md of the score stage; run ./run.sh --stage score.")
    results.configuration.update(parse_yaml(block[1].encode(), path))
    return results


def split_line(split: str, data: Path, dump: Path) -> str:
    """A split's line of the data table; what was left out is counted against the corpus as it was prepared."""
    durations = [float(seconds) for seconds in read_table(dump / split / "utt2dur").values()]
    speakers = len(read_table(dump / split / "spk2utt"))
    filtered = len((dump / split / "filtered.tsv").read_text(encoding="utf-8").splitlines()) - 1
    failed = len(read_table(data / split / "text")) - len(durations) - filtered
    return f"| {split} | {len(durations)} | {sum(durations) / 3600:.2f} | {speakers} | {failed} | {filtered} |"


def training_line(exp: Path, trained: Mapping[str, Any]) -> str:
    """Epochs, from the name of the last one's weights, and wall time, from the stamp; says so where it is not known."""
    latest = exp / "latest.pth"  # ESPnet's link to the weights of the last epoch
    found = re.match(r"(\d+)epoch", os.readlink(latest)) if latest.is_symlink() else None
    epochs = f"{found.group(1)} epochs" if found else "number of epochs not recorded"
    if "seconds" not in trained:
        return f"{epochs}, wall time not recorded (trained outside run.sh)"
    seconds = trained["seconds"]
    return f"{epochs}, " + (f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s") + " of wall time"


def _machines(results: list[ModeResult]) -> str:
    """Where decoding was, and where this is, if that is elsewhere."""
    decoded = (result.summary["machine"] for result in results if "machine" in result.summary)
    return "; ".join(dict.fromkeys([*decoded, describe_machine()]))


def _decoding(results: list[ModeResult]) -> str:
    options = next((result.summary["options"] for result in results if "options" in result.summary), {})
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "options not recorded"


def _yaml(value: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(value)), allow_unicode=True, sort_keys=False, width=100).rstrip()
