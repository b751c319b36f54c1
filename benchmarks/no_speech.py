"""How much is read where nobody speaks, and how much speech is missed: what tells speaking mouths from others, measured.

    python -m benchmarks.no_speech --work DIR --speech DATA_DIR [--clips 104] [--seed 2] [--road 0] [--model MODEL.zip] [--json FILE]

Makes clips of people who do not speak (still, smiling, laughing, chewing, yawning, turning, pressing their lips, breathing),
of other people than those trained on, and counts the pieces that would be read; counts the frames of speech in data directories with
shape.scp that no piece covers; and with --road N sends N of the clips as videos of whole faces down the whole road in mode lip,
and counts the cues.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.make_quiet import QuietOrder, make_quiet
from avsr.decoding.default_model import find_model
from avsr.decoding.segment import speech_pieces
from avsr.files import replace_file
from avsr.lips.mouth_clip import FPS, load_mouth_clip
from avsr.lips.mouth_shape import CHANNELS, load_mouth_shape
from avsr.lips.speaking import speaking_probability
from avsr.processes import progress
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from avsr.tables import read_table


@dataclass
class Found:
    """pieces: [number, minutes] by what the people do; cues: [number, minutes] of the whole road; missed: [frames no piece
    covers, frames of speech] by data directory."""

    pieces: dict[str, list[float]] = field(default_factory=dict)
    cues: list[float] = field(default_factory=lambda: [0, 0.0])
    missed: dict[str, list[int]] = field(default_factory=dict)


def pieces_of(path: Path) -> tuple[list, int]:
    """The pieces that mode lip would read in a mouth clip, and its frames."""
    clip = load_mouth_clip(path)
    return speech_pieces(None, clip.frames, speaking_probability(clip.frames, clip.confidence), None), len(clip.frames)


def count_quiet(folder: Path, found: Found) -> None:
    """Counts pieces in clips of people who do not speak."""
    kinds = read_table(folder / "utt2kind")
    for name, path in read_table(folder / "video.scp").items():
        pieces, frames = pieces_of(Path(path))
        row = found.pieces.setdefault(kinds[name], [0, 0.0])
        row[0] += len(pieces)
        row[1] += frames / FPS / 60


def count_missed(folder: Path, found: Found) -> None:
    """Counts frames of speech that no piece covers."""
    shapes, missed, spoken = read_table(folder / "shape.scp"), 0, 0
    for name, path in read_table(folder / "video.scp").items():
        pieces, frames = pieces_of(Path(path))
        truth = load_mouth_shape(shapes[name])[:frames, CHANNELS.index("speaking")] > 0.5
        covered = np.zeros(frames, bool)
        for piece in pieces:
            covered[piece.first : piece.stop] = True
        missed += int((truth & ~covered[: len(truth)]).sum())
        spoken += int(truth.sum())
    found.missed[f"{folder.parent.name}/{folder.name}"] = [missed, spoken]


def count_cues(folder: Path, model: Path, found: Found) -> None:
    """Counts the captions of videos of whole faces, read by the lips."""
    from avsr.decoding.recognizer import Recognizer
    from avsr.runtime import limit_threads
    from avsr.media.captions import cues_from_words

    limit_threads()
    recognizer = Recognizer.load(model)
    videos = read_table(folder / "video.scp")
    with progress("videos", len(videos), 0) as advance:
        for path in videos.values():
            result = recognizer.transcribe(path, "lip")
            found.cues[0] += len(cues_from_words(result.words))
            found.cues[1] += result.duration / 60
            advance()


def report(found: Found) -> str:
    """Lines of a table, and what is asked for."""
    lines = ["| people who do not speak | minutes | pieces | a minute |", "| --- | --- | --- | --- |"]
    total = [sum(row[part] for row in found.pieces.values()) for part in (0, 1)]
    rows = [*sorted(found.pieces.items()), ("all", total)]
    if found.cues[1]:
        rows.append(("all, whole road, cues", found.cues))
    lines += [f"| {name} | {minutes:.1f} | {count} | {count / minutes:.2f} |" for name, (count, minutes) in rows]
    lines += ["", "| speech | frames | missed |", "| --- | --- | --- |"]
    lines += [f"| {name} | {spoken} | {100 * missed / max(spoken, 1):.1f} % |" for name, (missed, spoken) in found.missed.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the clips, which are kept")
    parser.add_argument("--speech", type=Path, nargs="*", default=[], help="data directories with video.scp and shape.scp")
    parser.add_argument("--clips", type=int, default=104, help="of 6 s (default: %(default)s: ten minutes)")
    parser.add_argument("--seed", type=int, default=2, help="of the people (default: %(default)s; 1 and 4 were trained on)")
    parser.add_argument("--road", type=int, default=0, help="videos for the whole road (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="packed model for the whole road")
    parser.add_argument("--json", type=Path, help="also write the counts here")
    args = parser.parse_args(arguments)
    found = Found()
    make_quiet(QuietOrder(args.clips, seed=args.seed), args.work / "mouths")
    count_quiet(args.work / "mouths", found)
    for folder in args.speech:
        count_missed(folder, found)
    if args.road:
        make_quiet(QuietOrder(args.road, seed=args.seed, full_face=True), args.work / "faces")
        count_cues(args.work / "faces", args.model or find_model(), found)
    print(report(found))
    print(f"\ncommit {describe_commit()}, seed {args.seed}, {describe_machine()}")
    if args.json:
        replace_file(args.json, json.dumps(asdict(found)).encode())
    return 0


if __name__ == "__main__":
    run_main(main)
