"""How well Whisper base understands the made speech of both domains, beside real Korean speech: CER with intervals.

    python -m benchmarks.made_speech --python PYTHON_WITH_FASTER_WHISPER [--whisper DIR] [--real DIR]

Spaces and punctuation are left out. Whisper writes numbers in digits: they are read out the Sino-Korean way and, from 1 to
99, the native one too (7시: 칠시, 일곱시), and of the two readings the one with fewer errors counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.quickstart import load_quickstart
from avsr.corpora.talking_heads.sentences import daily_sentences
from avsr.corpora.talking_heads.speakers import make_speakers
from avsr.corpora.talking_heads.voice import Voice
from avsr.errors import AvsrError
from avsr.media.audio import write_audio
from avsr.text.normalize import normalize_scoring
from avsr.text.numbers import readings
from avsr.text.scores import ErrorCount, bootstrap_interval, cer, total
from benchmarks.measure import print_machine

READER = Path(__file__).with_name("read_with_whisper.py")


@dataclass(frozen=True)
class Sound:
    """A sound file and what is said in it by whom."""

    path: Path
    voice: str
    text: str


def command_sounds(count: int, seed: int, work: Path) -> list[Sound]:
    """So many of the shipped sentences, as a person who trains on them hears them: decoded from Opus."""
    shipped = list(load_quickstart())
    chosen = np.random.default_rng(seed).permutation(len(shipped))[:count]
    sounds = []
    for speech in (shipped[place] for place in chosen):
        sounds.append(Sound(work / f"command_{speech.name}.wav", speech.speaker, speech.text))
        write_audio(sounds[-1].path, speech.load().samples)
    return sounds


def daily_sounds(count: int, seed: int, work: Path) -> list[Sound]:
    """So many daily sentences, said now by as many voices as the shipped ones in turn."""
    voice, people = Voice.load(), make_speakers(24, seed)
    sounds = []
    for place, text in enumerate(daily_sentences(count, np.random.default_rng([seed, 0]))):
        speaker = people[place % len(people)]
        sounds.append(Sound(work / f"daily_{place:03d}.wav", speaker.name, text))
        write_audio(sounds[-1].path, voice.say(text, speaker, np.random.default_rng([seed, 1, place])).samples)
    return sounds


def real_sounds(folder: Path, count: int, seed: int) -> list[Sound]:
    """So many lines of ``folder``/transcripts.tsv (path, speaker, text), drawn."""
    table = folder / "transcripts.tsv"
    if not table.is_file():
        raise SystemExit(f"{table}: is not there; give --real a folder with one (columns path, speaker, text).")
    head, *lines = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    if head[:3] != ["path", "speaker", "text"]:
        raise SystemExit(f"{table}: begins with {head}; the columns are path, speaker, text.")
    chosen = np.random.default_rng(seed).permutation(len(lines))[:count]
    return [Sound(folder / path, speaker, text) for path, speaker, text, *_ in (lines[place] for place in chosen)]


def read(sounds: Sequence[Sound], python: str, whisper: Path | None, work: Path) -> list[str]:
    """What Whisper hears in each."""
    paths = work / "sounds.txt"
    paths.write_text("".join(f"{sound.path.resolve()}\n" for sound in sounds), encoding="utf-8")
    command = [python, str(READER), str(whisper or ""), str(paths)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{python} failed.")
    return [text for _, text in map(json.loads, done.stdout.splitlines())]


def errors(reference: str, heard: str) -> ErrorCount:
    """Character errors, numbers read in the way that is nearer to the reference."""
    reference = normalize_scoring(reference)
    return min((cer(reference, reading) for reading in readings(heard)), key=lambda count: count.errors)


def report(name: str, sounds: Sequence[Sound], texts: Sequence[str], each: bool) -> None:
    """Print a rate with its interval, and the rate of each voice, the worst first."""
    counts = [errors(sound.text, text) for sound, text in zip(sounds, texts, strict=True)]
    low, high = bootstrap_interval(counts, seed=1)
    print(f"{name}: CER {total(counts).rate:.1f} ({low:.1f} to {high:.1f}), {len(counts)} utterances")
    voices: dict[str, list[ErrorCount]] = {}
    for sound, count in zip(sounds, counts, strict=True):
        voices.setdefault(sound.voice, []).append(count)
    rates = sorted(((total(own).rate, voice, len(own)) for voice, own in voices.items()), reverse=True)
    print(f"  by voice: {', '.join(f'{voice} {rate:.0f} ({number})' for rate, voice, number in rates)}", flush=True)
    if each:
        for sound, text, count in zip(sounds, texts, counts, strict=True):
            print(f"  {sound.voice} {count.errors}/{count.length}: {sound.text} | {text.strip()}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="a Python that has faster-whisper (default: this one)")
    parser.add_argument("--whisper", type=Path, help="Whisper as a CTranslate2 folder (default: from that Python's wheels)")
    parser.add_argument("--real", type=Path, help="folder of real speech with transcripts.tsv: path, speaker, text")
    parser.add_argument("--count", type=int, default=40, help="utterances of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="print what was heard of each utterance")
    options = parser.parse_args(arguments)
    if options.count < 1:
        raise SystemExit(f"--count is {options.count}; give 1 or more.")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        try:
            groups = {
                "made, command (shipped)": command_sounds(options.count, options.seed, work),
                "made, daily (said now)": daily_sounds(options.count, options.seed, work),
            }
        except AvsrError as error:
            sys.exit(str(error))
        if options.real is not None:
            groups["real"] = real_sounds(options.real, options.count, options.seed)
        print_machine(1)
        for name, sounds in groups.items():
            report(name, sounds, read(sounds, options.python, options.whisper, work), options.each)


if __name__ == "__main__":
    main()
