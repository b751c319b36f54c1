"""Mouth cropping with the face looked for in every second frame (ours) against in every frame: frames a second.

    python -m benchmarks.lips [--clips DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from avsr.lips import extract
from benchmarks.measure import drawn_video, medians, print_machine, videos


def crop(paths: Sequence[Path], stride: int) -> int:
    """Crop the mouths of all files, looking every `stride` frames; the number of frames cropped."""
    ours = extract.STRIDE
    extract.STRIDE = stride
    try:
        return sum(len(extract.extract_mouth_clips(path)[0].frames) for path in paths)
    finally:
        extract.STRIDE = ours


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, help="folder of videos with faces (default: a drawn face at 640x480)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the drawn video (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as work:
        paths = videos(options.clips) if options.clips else [drawn_video(Path(work), options.seconds)]
        frames = crop(paths, extract.STRIDE)
        times = medians({"ours": lambda: crop(paths, extract.STRIDE), "every": lambda: crop(paths, 1)}, options.runs)
    print_machine(options.runs)
    print(f"a look every {extract.STRIDE} frames (ours): {frames / times['ours']:.1f} frames a second")
    print(f"a look at every frame: {frames / times['every']:.1f} frames a second")
    print(f"ours is {times['every'] / times['ours']:.2f} times as fast")


if __name__ == "__main__":
    main()
