"""What is captioned where nothing is said: minutes of silence, noise, music and a still face, down the whole road.

    python -m benchmarks.unspoken --work DIR [--minutes 10] [--noise FOLDER] [--ear native] [--model ZIP] [--seed 1]

Made: digital silence, a quiet room, white and pink noise, music (chords, a tune and a drum; no song), and a made person who keeps
still, before a quiet room and before pink noise. --noise adds each recording below FOLDER, over and over. The bar is no cue at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from avsr.corpora.talking_heads.make_quiet import QuietOrder, make_quiet
from avsr.decoding.default_model import find_model
from avsr.decoding.recognizer import Recognizer
from avsr.ears.ear import open_ear
from avsr.media.audio import SAMPLE_RATE, read_audio, write_audio
from avsr.media.captions import cues_from_words
from avsr.media.video import VideoReader
from avsr.noise.mix import pink, white
from avsr.processes import progress
from avsr.runtime import limit_threads
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from avsr.tables import read_table

_BEAT = 0.5  # seconds
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # I vi IV V, in semitones
_SUFFIXES = {".wav", ".flac", ".ogg", ".opus"}


def music(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) float32: plucked chords, a tune of the chords' notes above them, a drum on every beat."""
    count, beat = round(seconds * SAMPLE_RATE), round(_BEAT * SAMPLE_RATE)
    times = np.arange(2 * beat) / SAMPLE_RATE
    decay = np.exp(-3 * times)

    def note(semitones: float) -> np.ndarray:
        pitch = 220.0 * 2 ** (semitones / 12)
        return decay * sum(np.sin(2 * np.pi * pitch * part * times) / part**1.5 for part in range(1, 7) if pitch * part < 7000)

    notes = {step: note(step) for step in range(29)}
    out = np.zeros(count + 2 * beat, np.float32)
    for place in range(count // beat):
        chord = _CHORDS[place // 4 % 4]
        here = slice(place * beat, (place + 2) * beat)
        if place % 4 == 0:
            out[here] += sum(notes[step] for step in chord)
        out[here] += 0.7 * notes[int(rng.choice(chord)) + 12]
        out[here] += 0.4 * rng.standard_normal(2 * beat) * np.exp(-60 * times)
    return 0.15 * out[:count]


def sounds(seconds: float, noise: Path | None, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """(what it is, (n,) float32) of each sound without speech."""
    rng, count = np.random.default_rng(seed), round(seconds * SAMPLE_RATE)
    yield "digital silence", np.zeros(count, np.float32)
    yield "quiet room, -60 dBFS", 0.001 * pink(count, rng)
    yield "white noise, -26 dBFS", 0.05 * white(count, rng)
    yield "pink noise, -26 dBFS", 0.05 * pink(count, rng)
    yield "music", music(seconds, rng)
    for path in sorted(path for path in (noise.rglob("*") if noise else ()) if path.suffix in _SUFFIXES):
        yield f"{path.parent.name}/{path.stem}", np.resize(read_audio(path)[0], count)


def still_face(work: Path, name: str, samples: np.ndarray, seed: int) -> Path:
    """A video, as long as the sound, of a made person who keeps still: six seconds of it forwards and backwards, over and over."""
    import av

    make_quiet(QuietOrder(8, seed=seed, full_face=True), work / "faces")
    kinds = read_table(work / "faces" / "utt2kind")
    chosen = next(utterance for utterance, kind in kinds.items() if kind == "still")
    frames = [frame.image.copy() for frame in VideoReader(Path(read_table(work / "faces" / "video.scp")[chosen]))]
    there_and_back, path = [*frames, *frames[-2:0:-1]], work / name
    write_audio(work / "sound.wav", samples)
    with av.open(str(work / "sound.wav")) as heard, av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "20"})
        pictures.height, pictures.width, pictures.pix_fmt = *frames[0].shape[:2], "yuv420p"
        track = out.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        decoded = heard.decode(audio=0)
        for place in range(round(len(samples) / SAMPLE_RATE * 25)):
            picture = av.VideoFrame.from_ndarray(there_and_back[place % len(there_and_back)], format="rgb24")
            picture.pts, picture.time_base = place, Fraction(1, 25)
            out.mux(pictures.encode(picture))
            for frame in decoded:
                out.mux(track.encode(frame))
                if frame.time > place / 25:
                    break
        out.mux(pictures.encode(None))
        out.mux(track.encode(None))
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, help="folder for the files")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each (default: %(default)s)")
    parser.add_argument("--noise", type=Path, help="folder of recordings without speech")
    parser.add_argument("--ear", default="native")
    parser.add_argument("--model", type=Path, help="packed model (default: as for transcribe)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    limit_threads()
    model, seconds = args.model or find_model(), 60 * args.minutes
    recognizer = Recognizer.load(model)
    recognizer.ear = open_ear(args.ear)
    args.work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([args.seed, 1])
    files = []
    for name, samples in sounds(seconds, args.noise, args.seed):
        files.append((name, args.work / f"{len(files):02d}.wav"))
        write_audio(files[-1][1], samples)
    count = round(seconds * SAMPLE_RATE)
    for name, level in (("quiet room", 0.001), ("pink noise", 0.05)):
        files.append((f"still face, {name}", still_face(args.work, f"{len(files):02d}.mp4", level * pink(count, rng), args.seed)))
    print("| what | minutes | mode | cues | text |\n| --- | --- | --- | --- | --- |")
    with progress("files", len(files), 0) as advance:
        for name, path in files:
            result = recognizer.transcribe(path, faces=4)
            cues = cues_from_words(result.words)
            print(f"| {name} | {result.duration / 60:.1f} | {result.mode} | {len(cues)} | {result.text[:60]} |", flush=True)
            advance()
    print(f"\n{args.ear}, {model.name}; seed {args.seed}; commit {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
