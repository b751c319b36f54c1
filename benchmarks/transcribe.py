"""Transcribing in the modes av, audio and lip against decoding the media alone: wall seconds a second of video.

    python -m benchmarks.transcribe [--model MODEL.zip] [--clips DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from avsr.decoding.default_model import find_model
from avsr.decoding.recognizer import Recognizer
from avsr.runtime import limit_threads
from avsr.errors import AvsrError
from avsr.media.audio import AudioReader
from avsr.media.probe import probe
from avsr.media.video import VideoReader
from benchmarks.measure import medians, print_machine, talking_video, videos

MODES = ("av", "audio", "lip")


def decode_alone(paths: Sequence[Path]) -> None:
    """What no transcription can do without: every frame at 25 a second, every sample at 16 kHz."""
    for path in paths:
        for reader in (VideoReader(path), AudioReader(path)):
            for _ in reader:
                pass


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="packed model (default: the one that avsr transcribe finds)")
    parser.add_argument("--clips", type=Path, help="folder of videos of speakers (default: a made person)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the made video (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as work:
            # Somebody who speaks: a mouth that does not is not read at all.
            paths = videos(options.clips) if options.clips else [talking_video(Path(work), options.seconds)]
            measure(options.model or find_model(), paths, options.runs)
    except AvsrError as error:
        sys.exit(str(error))


def measure(model: Path, paths: list[Path], runs: int) -> None:
    """Take the times and print them."""
    limit_threads()
    begun = time.perf_counter()
    recognizer = Recognizer.load(model)
    loading = time.perf_counter() - begun
    seconds = sum(probe(path).duration for path in paths)

    def transcribe(mode: str) -> Callable[[], object]:
        return lambda: [recognizer.transcribe(path, mode) for path in paths]

    times = medians({"media": lambda: decode_alone(paths), **{mode: transcribe(mode) for mode in MODES}}, runs)
    print_machine(runs)
    print(f"{len(paths)} videos of {seconds:.1f} s together; {model.name} loaded in {loading:.2f} s")
    print(f"decoding the media alone: {times['media'] / seconds:.4f} s a second of video")
    for mode in MODES:
        ratio = times[mode] / times["media"]
        print(f"mode {mode}: {times[mode] / seconds:.4f} s a second of video, {ratio:.2f} times the media alone")


if __name__ == "__main__":
    main()
