"""Which letters look alike to a model's own eye: counted from what its lip head thinks where a letter is said.

    python -m avsr.stages.look_alikes --model exp/mini_ko/mini_ko.zip --data dump/mini_ko/test --out look_alikes.tsv

The likeliest path of the true text through the lip head's posterior (forced alignment) says where each letter is; what the
head thinks possible there beside it, the blank left out, is what looks like it. No language model plays a part, nor the decoder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.errors import AvsrError
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.tables import read_table, write_lines
from avsr.text.normalize import normalize_training
from avsr.text.visemes import visemes

if TYPE_CHECKING:
    from avsr.decoding.packed import PackedModel

_FEWEST = 10  # times that a letter is said, to be grouped
_NEAREST = 4  # look-alikes named for each letter
# Conjoining jamo by their place, and the letters that stand alone (Unicode, blocks Hangul Jamo and Compatibility Jamo).
_ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_CODAS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
KINDS = {"onset": (0x1100, _ONSETS), "vowel": (0x1161, _VOWELS), "coda": (0x11A8, _CODAS)}


@dataclass(frozen=True)
class Table:
    """Of one kind of letter: names (n,), times said (n,), and shares (n, n), a row a letter, of what was thought possible."""

    kind: str
    names: list[str]
    times: np.ndarray
    shares: np.ndarray


def letter(token: str) -> tuple[str, str] | None:
    """(kind, letter that stands alone) of a conjoining jamo; None for another token."""
    for kind, (first, letters) in KINDS.items():
        if len(token) == 1 and first <= ord(token) < first + len(letters):
            return kind, letters[ord(token) - first]
    return None


def measure(packed: PackedModel, data: Path) -> list[Table]:
    """A table for each kind, over all utterances of `data` (text, video.scp). AvsrError for a model that has not learnt to read
    lips, or not in jamo."""
    from avsr.lips.mouth_clip import load_mouth_clip

    if packed.tokenizer.token_type != "jamo" or "lips" not in packed.streams:
        raise AvsrError(f"{packed.path}: look-alikes are counted in jamo, of a model that reads lips; give another model.")
    texts, videos = read_table(data / "text"), read_table(data / "video.scp")
    size = len(packed.tokenizer)
    totals, times = np.zeros((size, size)), np.zeros(size)
    chosen = sorted(texts.keys() & videos.keys())
    with progress("utterances", len(chosen), 0) as advance:
        for utt in chosen:
            tokens = packed.tokenizer.encode(normalize_training(texts[utt]))
            _count(packed, load_mouth_clip(videos[utt]), tokens, totals, times)
            advance()
    found = [letter(token) for token in packed.tokenizer.token_list]
    tables = []
    for kind in KINDS:
        places = [place for place, known in enumerate(found) if known and known[0] == kind and times[place] >= _FEWEST]
        block = totals[np.ix_(places, places)]
        names = [found[place][1] for place in places]  # type: ignore[index]
        tables.append(Table(kind, names, times[places], block / np.maximum(block.sum(1, keepdims=True), 1e-12)))
    return tables


def _count(packed: PackedModel, clip, tokens: Sequence[int], totals: np.ndarray, times: np.ndarray) -> None:
    """Adds one utterance's posteriors to `totals` (V, V), a row a letter that was said, and to `times` (V,)."""
    import torch

    from avsr.decoding.align import token_spans

    frames = torch.from_numpy(np.ascontiguousarray(clip.frames))[None]
    length = torch.tensor([frames.shape[1]])
    with torch.inference_mode():
        stream = packed.model.see(frames, length, torch.from_numpy(clip.confidence.astype(np.float32))[None], length)
    log_probs = stream.log_probs[0]
    if not tokens or len(tokens) + sum(a == b for a, b in zip(tokens, tokens[1:])) > len(log_probs):
        return  # nothing to find, or spoken too fast for any path
    for token, (first, stop, _) in zip(tokens, token_spans(tokens, log_probs), strict=True):
        thought = log_probs[first:stop].exp().mean(0).double().numpy()
        thought[[0, -1]] = 0.0
        totals[token] += thought / max(thought.sum(), 1e-12)
        times[token] += 1


def groups(table: Table, count: int) -> list[int]:
    """Which of `count` groups each letter falls into: average linkage, letters the nearer the more often each is thought
    possible in the other's place."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(table.names) < 2:
        return [1] * len(table.names)
    both = (table.shares + table.shares.T) / 2
    own = np.sqrt(np.outer(np.diag(both), np.diag(both)))
    distance = 1.0 / (1.0 + both / np.maximum(own, 1e-9))
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), count, "maxclust").tolist()


def textbook(table: Table) -> list[str]:
    """The viseme that avsr.text.visemes gives each letter; the silent onset ㅇ is one of its own."""
    return ["-" if (table.kind, name) == ("onset", "ㅇ") else visemes(name) for name in table.names]


def report(tables: Sequence[Table]) -> tuple[list[str], list[str]]:
    """Lines of look_alikes.tsv, and lines for a person: the groups as measured beside the textbook's, as many of them."""
    from sklearn.metrics import adjusted_rand_score

    rows, said = ["kind\tletter\ttimes\tgroup\ttextbook\tlooks like"], []
    for table in tables:
        known = textbook(table)
        measured = groups(table, len(set(known)))
        for place, name in enumerate(table.names):
            order = [other for other in np.argsort(-table.shares[place]) if other != place][:_NEAREST]
            like = " ".join(f"{table.names[other]} {table.shares[place, other]:.3f}" for other in order)
            rows.append(f"{table.kind}\t{name}\t{int(table.times[place])}\t{measured[place]}\t{known[place]}\t{like}")
        agreed = adjusted_rand_score(known, measured) if table.names else 0.0
        beside = f"textbook: {_named(table.names, known)}; adjusted Rand index {agreed:.2f}"
        said.append(f"{table.kind}: {_named(table.names, measured)}  ({beside})")
    return rows, said


def _named(names: Sequence[str], labels: Sequence) -> str:
    found: dict = {}
    for name, label in zip(names, labels, strict=True):
        found[label] = found.get(label, "") + name
    return " ".join(found.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, help="packed model")
    parser.add_argument("--data", type=Path, required=True, help="data directory with text and video.scp")
    parser.add_argument("--out", type=Path, required=True, help="the table to write")
    args = parser.parse_args(arguments)
    from avsr.decoding.packed import load_packed
    from avsr.runtime import limit_threads

    limit_threads()
    rows, said = report(measure(load_packed(args.model), args.data))
    write_lines(args.out, rows)
    print("\n".join([*said, f"written: {args.out}"]))
    return 0


if __name__ == "__main__":
    run_main(main)
