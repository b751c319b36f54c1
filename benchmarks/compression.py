"""What storing mouth clips as compressed video costs: lip-only error rates of stored clips against fresh, lossless ones.

    python -m benchmarks.compression --model MODEL.zip --data data/grid/test --dump dump/grid/test
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avsr.decoding.default_model import find_model
from avsr.decoding.recognizer import Recognizer
from avsr.runtime import limit_threads
from avsr.errors import AvsrError
from avsr.lips.extract import extract_mouth_clips
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip
from avsr.tables import read_media_scp, read_table
from avsr.text.scores import bootstrap_interval, score_texts
from benchmarks.measure import print_machine


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Decibels between two (T, 96, 96) uint8 clips, over all their frames."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * np.log10(255**2 / error) if error else float("inf")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="packed model (default: the one that avsr transcribe finds)")
    parser.add_argument("--data", type=Path, required=True, help="data directory of stage 1: media.scp")
    parser.add_argument("--dump", type=Path, required=True, help="the same after stage 4: video.scp and text")
    parser.add_argument("--mouth_only", action="store_true", help="the videos already show only the mouth")
    parser.add_argument("--count", type=int, default=100, help="utterances, from the first on (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        limit_threads()
        recognizer = Recognizer.load(options.model or find_model())
        compare(recognizer, options.data, options.dump, options.mouth_only, options.count)
    except AvsrError as error:
        sys.exit(str(error))


def compare(recognizer: Recognizer, data: Path, dump: Path, mouth_only: bool, count: int) -> None:
    """Recognise each utterance from either clip and print both rates."""
    entries = {entry.utt_id: entry for entry in read_media_scp(data / "media.scp")}
    stored = dict(list(read_table(dump / "video.scp", filled=True).items())[:count])
    texts = read_table(dump / "text")
    clips: dict[str, dict[str, str]] = {"fresh": {}, "stored": {}}
    decibels = []
    for utterance, path in stored.items():
        entry = entries[utterance]
        span = {"start": entry.start or 0.0, "end": entry.end}
        fresh = extract_mouth_clips(entry.media, **span, mouth_only=mouth_only)[0]
        kept = load_mouth_clip(path)
        decibels.append(psnr(fresh.frames, kept.frames))
        for name, clip in (("fresh", fresh), ("stored", MouthClip(kept.frames, fresh.confidence, fresh.start))):
            clips[name][utterance] = recognizer.recognise(None, clip, "lip").text
    print_machine(1)
    print(f"{len(stored)} utterances, stored clips at {np.median(decibels):.1f} dB PSNR (median), {min(decibels):.1f} (least)")
    references = {utterance: texts[utterance] for utterance in stored}
    for name, hypotheses in clips.items():
        scores = score_texts(references, hypotheses)
        low, high = bootstrap_interval([score.wer for score in scores.utterances.values()], seed=1)
        print(f"{name}: WER {scores.wer.rate:.2f} ({low:.1f} to {high:.1f}), CER {scores.cer.rate:.2f}")
    same = sum(clips["fresh"][utterance] == clips["stored"][utterance] for utterance in stored)
    print(f"{same} of {len(stored)} texts are the same from both")


if __name__ == "__main__":
    main()
