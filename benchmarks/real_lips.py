"""Do made lips teach anything about real ones: the true transcript of each clip against other texts, ranked by the lips.

    python -m benchmarks.real_lips --data DIR --text FILE --work DIR [--model MODEL.zip] [--json FILE]

DIR holds AI-Hub 538 sessions (label and clips), FILE everyday sentences, one a line. Each transcript is ranked among
others of as many syllables, give or take one, by how likely the lip-only model finds it given the clip; beside it stand
the same for random weights of the same configuration, and for the pictures of other clips. Spaces are scored as they are
written; `ctc_unspaced` sums over all spacings. The crops are kept under --work, and so are the scores.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsr.corpora.aihub538 import read_corpus
from avsr.corpora.labels import read_label_text
from avsr.decoding.default_model import find_model
from avsr.decoding.likelihood import TextScores, lip_features, text_log_likelihood, unknown_tokens
from avsr.decoding.packed import PackedModel, load_packed
from avsr.decoding.recognizer import packed_options
from avsr.runtime import limit_threads
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.lips.folder import crop_data_dir
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip
from avsr.processes import progress
from avsr.stages.machine import describe_commit, describe_machine, describe_versions
from avsr.tables import read_table, write_table
from avsr.text.normalize import normalize_training
from benchmarks.ranking import SentencePool, chance, corrected, derangements, hits, interval, is_hangul_text

SCORES = ("joint", "ctc", "ctc_unspaced", "attention")
_VERSION = 2  # of what the kept scores mean
_SHUFFLES = 2000


@dataclass
class Item:
    """A clip and the texts ranked for it, its own transcript first."""

    utt_id: str
    clip: MouthClip
    texts: list[str]

    @property
    def syllables(self) -> int:
        return len(self.texts[0].replace(" ", ""))


def read_items(data: Path, text: Path, work: Path, others: int, seed: int) -> tuple[list[Item], list[str]]:
    """The clips with their texts, and sentences on what was left out.

    The same seed and files give every model the same texts. LabelError, MediaError, AvsrError: see the readers.
    """
    transcripts, media, notes = {}, {}, []
    for utterance in read_corpus(data):
        truth = normalize_training(utterance.text)
        if not is_hangul_text(truth):
            notes.append(f"{utterance.utt_id} is left out: {truth!r} is not of Hangul syllables alone")
            continue
        span = "" if utterance.start is None else f" {utterance.start} {utterance.end}"
        transcripts[utterance.utt_id] = truth
        media[utterance.utt_id] = f"{utterance.media.resolve()}{span}"
    work.mkdir(parents=True, exist_ok=True)
    write_table(work / "media.scp", media)
    report = crop_data_dir(work, work / "crops", nj=1)
    notes += [f"{utterance} is left out: {reason}" for utterance, _, reason in report.failed]
    clips = {name: load_mouth_clip(path) for name, path in read_table(work / "crops" / "video.scp", filled=True).items()}
    pool = SentencePool(line for line in read_label_text(text).split("\n") if line.strip())
    notes.append(f"{pool.size} sentences to rank against; {pool.left_out} are left out, with figures or Latin, or there twice")
    rng = np.random.default_rng(seed)
    items = []
    for utt_id, truth in sorted(transcripts.items()):
        texts = [truth, *pool.others(truth, others, rng)]  # drawn for lost clips too: the others' stay the same
        if utt_id in clips:
            items.append(Item(utt_id, clips[utt_id], texts))
    return items, notes


def score(packed: PackedModel, items: Sequence[Item], what: str) -> dict[str, np.ndarray]:
    """ctc, ctc_unspaced, attention -> (n, n, c): of clip, text's own clip, text.

    A clip with another's texts is cut, or played back and forth, to the length of theirs.
    """
    with progress(f"{what}: clips", 2 * len(items), 0) as done:
        features = []
        for item in items:
            features.append(lip_features(packed.model, item.clip))
            done()
        rows = []
        for shown in features:
            fitted = [shown.lasting(len(own)) for own in features]
            pairs = zip(fitted, items)
            rows.append([text_log_likelihood(packed.model, fit, item.texts, packed.tokenizer) for fit, item in pairs])
            done()
    return {name: np.array([[getattr(cell, name) for cell in row] for row in rows]) for name in SCORES[1:]}


def kept_scores(packed: PackedModel, items: Sequence[Item], what: str, model_hash: str, work: Path) -> dict[str, np.ndarray]:
    """`score`, or what it gave before for the same model, clips and texts."""
    digest = hashlib.sha256(repr((_VERSION, model_hash, what, [item.texts for item in items])).encode())
    for item in items:
        digest.update(item.clip.frames.tobytes() + item.clip.confidence.tobytes())
    path = work / f"scores-{digest.hexdigest()[:16]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return dict(kept)
    scores = score(packed, items, what)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **scores)
    replace_file(path, buffer.getvalue())
    return scores


def random_model(packed: PackedModel, seed: int) -> PackedModel:
    """A model of the same configuration and tokens with the weights that training would start from."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = type(packed.model)(len(packed.tokenizer), packed.model.config)
    return PackedModel(model.eval(), packed.tokenizer, packed.meta, packed.path)


def named_scores(scores: dict[str, np.ndarray], ctc_weight: float) -> dict[str, np.ndarray]:
    """Each of SCORES, plain and corrected, (n, n, c); without those that the tokens do not have."""
    plain = {"joint": TextScores(**scores).joint(ctc_weight), **scores}
    out = {}
    for name in SCORES:
        if not np.isnan(plain[name]).any():
            out[name] = plain[name]
            out[f"{name}, corrected"] = corrected(plain[name])
    return out


@dataclass
class Figure:
    """Means over clips with 95 % bootstrap intervals (over clips); `first` and `reciprocal` are those of each clip."""

    top1: float
    top1_interval: tuple[float, float]
    mrr: float
    mrr_interval: tuple[float, float]
    first: list[float]
    reciprocal: list[float]

    @classmethod
    def of(cls, first: np.ndarray, reciprocal: np.ndarray, seed: int) -> Figure:
        """From (n,) each."""
        ends = interval(first, seed), interval(reciprocal, seed)
        means = float(first.mean()), float(reciprocal.mean())
        return cls(means[0], ends[0], means[1], ends[1], first.tolist(), reciprocal.tolist())

    def __str__(self) -> str:
        def ends(pair: tuple[float, float], factor: float, digits: int) -> str:
            return " to ".join(f"{factor * end:.{digits}f}" for end in pair)

        top1 = f"{100 * self.top1:5.1f} % ({ends(self.top1_interval, 100, 0)})"
        return f"{top1:22} {self.mrr:.3f} ({ends(self.mrr_interval, 1, 2)})"


def figures(model: np.ndarray, randoms: Sequence[np.ndarray], seed: int) -> dict[str, Any]:
    """One score's figures: `model`, `random` (mean over seeds), `shuffled` (mean over all other clips), and `p`, the share
    of derangements of the clips that reach the model's mean reciprocal rank.

    Args:
        model, randoms: (n, n, c), see `score`.
    """
    count = len(model)
    own = np.arange(count)
    first, reciprocal = hits(model)  # (clip, texts')
    out: dict[str, Any] = {"model": Figure.of(first[own, own], reciprocal[own, own], seed)}
    if randoms:
        each = [hits(one[own, own]) for one in randoms]
        out["random"] = Figure.of(np.mean([f for f, _ in each], 0), np.mean([r for _, r in each], 0), seed)
    away = ~np.eye(count, dtype=bool)
    # Every other clip is as likely as any in a random derangement.
    shuffled = [np.where(away, x, 0).sum(0) / (count - 1) for x in (first, reciprocal)]
    out["shuffled"] = Figure.of(*shuffled, seed)
    orders = derangements(count, _SHUFFLES, np.random.default_rng(seed))
    reached = reciprocal[orders, own].mean(1) >= reciprocal[own, own].mean() - 1e-12
    out["p"] = (int(reached.sum()) + 1) / (_SHUFFLES + 1)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="packed model (default: the one that avsr transcribe finds)")
    parser.add_argument("--data", type=Path, required=True, help="AI-Hub 538 sessions: labels and clips")
    parser.add_argument("--text", type=Path, required=True, help="sentences to rank against, one a line")
    parser.add_argument("--work", type=Path, required=True, help="folder for crops and scores, kept between runs")
    parser.add_argument("--json", type=Path, help="write everything, texts' ranks included, into this file")
    parser.add_argument("--others", type=int, default=19, help="texts beside the true one (default: %(default)s)")
    parser.add_argument("--random_models", type=int, default=3, help="random-weight models (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of texts, random models, intervals (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if options.others < 1 or options.random_models < 0 or options.seed < 0:
            raise AvsrError("--others must be 1 or more, --random_models and --seed 0 or more.")
        limit_threads()
        result = run(options)
        if options.json:
            replace_file(options.json, (json.dumps(result, ensure_ascii=False, indent=1) + "\n").encode())
    except AvsrError as error:
        sys.exit(str(error))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, print the table, and return what goes into the JSON file."""
    path = options.model or find_model()
    packed = load_packed(path)
    model_hash = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    ctc_weight = packed_options(packed.meta, path).ctc_weight
    items, notes = read_items(options.data, options.text, options.work, options.others, options.seed)
    scores = kept_scores(packed, items, "trained", model_hash, options.work)
    seeds = [options.seed + place for place in range(options.random_models)]
    randoms = [
        kept_scores(random_model(packed, seed), items, f"random {seed}", model_hash, options.work) for seed in seeds
    ]
    notes += [*_unknown(packed, items), *_too_long(scores["ctc"])]
    named, random_named = named_scores(scores, ctc_weight), [named_scores(one, ctc_weight) for one in randoms]
    table = {name: figures(named[name], [one[name] for one in random_named], options.seed) for name in named}
    result = {
        "model": Path(path).name,
        "model_sha256": model_hash,
        "model_commit": packed.meta.get("commit"),
        "commit": describe_commit(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "seed": options.seed,
        "random_seeds": seeds,
        "ctc_weight": ctc_weight,
        "chance": dict(zip(("top1", "mrr"), chance(options.others + 1))),
        "notes": notes,
        "clips": [_clip(item, place, packed, named) for place, item in enumerate(items)],
        "scores": {name: {k: v if k == "p" else asdict(v) for k, v in row.items()} for name, row in table.items()},
    }
    _print(result, table, items)
    return result


def _unknown(packed: PackedModel, items: Sequence[Item]) -> list[str]:
    """A sentence on the texts that hold what the token list lacks, if there are any."""
    lacking = [unknown_tokens(item.texts, packed.tokenizer) for item in items]
    if not any(lacking):
        return []
    count, true = sum(map(len, lacking)), sum(0 in places for places in lacking)
    missing = sorted({token for places in lacking for tokens in places.values() for token in tokens})
    total = sum(len(item.texts) for item in items)
    # Conjoining jamo are seen by their numbers alone.
    names = " ".join(f"U+{ord(token):04X}" if len(token) == 1 else token for token in missing)
    return [f"{count} of {total} texts, {true} of them true ones, hold what the model has no token for (<unk>): {names}"]


def _too_long(ctc: np.ndarray) -> list[str]:
    """A sentence on the texts that no CTC path of their clip can say, if there are any."""
    own = np.arange(len(ctc))
    lost = np.isneginf(ctc[own, own])
    if not lost.any():
        return []
    return [
        f"{int(lost.sum())} of {lost.size} texts, {int(lost[:, 0].sum())} of them true ones, have more tokens than their "
        "clip has frames: CTC, and joint, find them impossible"
    ]


def _clip(item: Item, place: int, packed: PackedModel, named: dict[str, np.ndarray]) -> dict[str, Any]:
    ranks = {name: round(1 + float((x[place, place, 1:] > x[place, place, 0]).sum()), 1) for name, x in named.items()}
    tokens = [len(packed.tokenizer.encode(text)) for text in item.texts]
    return {
        "utterance": item.utt_id,
        "seconds": round(len(item.clip.frames) / 25, 2),
        "seen": round(float((item.clip.confidence > 0).mean()), 3),
        "syllables": item.syllables,
        "tokens": tokens[0],
        "tokens_of_others": round(float(np.mean(tokens[1:])), 1),
        "ranks": ranks,
    }


def _print(result: dict[str, Any], table: dict[str, dict[str, Any]], items: Sequence[Item]) -> None:
    print(f"commit {result['commit']}; {result['machine']}; {result['versions']}")
    print(f"model {result['model']}, sha256 {result['model_sha256'][:16]}, of commit {result['model_commit']}")
    print(f"seed {result['seed']}, random weights {result['random_seeds']}, joint = {result['ctc_weight']} ctc + the rest attention")
    for note in result["notes"]:
        print(note)
    top1, mrr = result["chance"].values()
    print(f"{len(items)} clips; top-1 and mean reciprocal rank (95 % over clips); chance {100 * top1:.1f} % and {mrr:.3f}")
    for name, row in table.items():
        for who in ("model", "random", "shuffled"):
            if who in row:
                tail = f"  p {row['p']:.4f} (shuffled clips reach it)" if who == "model" else ""
                print(f"{name if who == 'model' else '':23} {who:9} {row[who]}{tail}")
    frames = np.array([len(item.clip.frames) for item in items])
    for what, chosen in (("shorter", frames <= np.median(frames)), ("longer", frames > np.median(frames))):
        if chosen.any():
            figure = table["joint"]["model"]
            first, reciprocal = (np.array(x)[chosen].mean() for x in (figure.first, figure.reciprocal))
            print(f"joint, the {chosen.sum()} {what} clips: {100 * first:.1f} %, {reciprocal:.3f}")


if __name__ == "__main__":
    main()
