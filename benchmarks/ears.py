"""A pretrained ear alone and with our lips beside it, in clean sound, in babble and without sound: CER with intervals.

    python -m benchmarks.ears (--aihub DIR | --data DATA_DIR) --babble FOLDER --work DIR [--ear whisper:base] [--model ZIP] [--limit N]

--aihub holds AI-Hub 538 sessions, --data is a data directory with text, wav.scp and video.scp. Babble is six of the sound files below
--babble at once, other ones for each clip. What was found of a clip is kept under --work, and an interrupted run goes on.
Spaces and punctuation are left out, and of the readings of figures (2주, 이 주) the nearest to what was said counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsr.corpora.aihub538 import read_corpus
from avsr.decoding.default_model import find_model
from avsr.decoding.recognizer import Recognizer
from avsr.decoding.streams import open_streams
from avsr.ears.ear import Ear, Listening, open_ear
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.lips.mouth_clip import MouthClip, load_mouth_clip
from avsr.media.audio import read_audio
from avsr.noise.mix import babble, mix_at_snr
from avsr.processes import progress
from avsr.runtime import limit_threads
from avsr.stages.command import run_main
from avsr.stages.machine import describe_commit, describe_machine
from avsr.tables import read_table
from avsr.text.numbers import readings
from avsr.text.scores import ErrorCount, bootstrap_interval, cer, total

CONDITIONS: dict[str, float | None] = {"clean": None, "10 dB": 10, "5 dB": 5, "0 dB": 0, "-5 dB": -5, "-10 dB": -10, "muted": None}
SYSTEMS = ("ear alone", "ear and lips", "lips alone")
_TALKERS = 6
_SUFFIXES = {".wav", ".flac", ".ogg", ".opus"}


@dataclass(frozen=True)
class Clip:
    """An utterance with both streams."""

    name: str
    text: str
    samples: np.ndarray
    mouth: MouthClip


def read_clips(aihub: Path | None, data: Path | None, limit: int) -> Iterator[Clip]:
    """The clips, one after another."""
    if aihub is not None:
        for utterance in read_corpus(aihub)[:limit]:
            window = next(iter(open_streams(utterance.media, "av").windows()))
            yield Clip(utterance.utt_id, utterance.text, window.samples, MouthClip(window.frames, window.confidence))
    if data is not None:
        texts, wavs, videos = (read_table(data / name) for name in ("text", "wav.scp", "video.scp"))
        names = sorted(texts)
        for place in np.linspace(0, len(names) - 1, min(limit, len(names))).round().astype(int):
            name = names[place]
            yield Clip(name, texts[name], read_audio(wavs[name])[0], load_mouth_clip(videos[name]))


def in_condition(clip: Clip, condition: str, voices: Sequence[Path], seed: int) -> np.ndarray:
    """The clip's sound as it is heard there."""
    if condition == "muted":
        return np.zeros_like(clip.samples)
    ratio = CONDITIONS[condition]
    if ratio is None:
        return clip.samples
    rng = np.random.default_rng([seed, *clip.name.encode()])  # the same voices at every ratio
    chosen = [read_audio(voices[place])[0] for place in rng.permutation(len(voices))[:_TALKERS]]
    noise = babble(chosen, len(clip.samples), rng, talkers=_TALKERS)
    return mix_at_snr(clip.samples.astype(np.float32), noise, ratio, rng).astype(np.float32)


class OneListening:
    """An ear that listens to the same sound once."""

    def __init__(self, ear: Ear) -> None:
        self.name, self._ear = ear.name, ear
        self._last: tuple[np.ndarray, Listening] | None = None

    def listen(self, samples: np.ndarray) -> Listening:
        """See avsr.ears.ear.Ear."""
        if self._last is None or self._last[0] is not samples:
            self._last = samples, self._ear.listen(samples)
        return self._last[1]


def found_in(clip: Clip, samples: np.ndarray, recognizer: Recognizer, lips: str) -> dict[str, str | float]:
    """What each system reads."""
    alone = recognizer.ear.listen(samples).texts
    both = recognizer.recognise(samples, clip.mouth, "av")
    return {"ear alone": alone[0] if alone else "", "ear and lips": both.text, "lips alone": lips,
            "source": both.source, "weight": both.audio_weight}


def errors(reference: str, found: str) -> ErrorCount:
    """Of the pair of readings that are nearest to each other."""
    pairs = [cer(said.replace(" ", ""), heard.replace(" ", "")) for said in readings(reference) for heard in readings(found)]
    return min(pairs, key=lambda count: count.errors / max(1, count.length))


def table(rows: dict[str, dict], clips: Sequence[str], conditions: Sequence[str], seed: int) -> list[str]:
    """A line a condition; the last columns: errors that the lips save, paired over clips, and how often the words are theirs."""
    lines = [f"| sound | {' | '.join(SYSTEMS)} | ear and lips less ear alone | words from lips |", "| --- " * 6 + "|"]
    for condition in conditions:
        counts = {
            system: [errors(rows[f"{clip} {condition}"]["text"], rows[f"{clip} {condition}"][system]) for clip in clips]
            for system in SYSTEMS
        }
        cells = []
        for system in SYSTEMS:
            low, high = bootstrap_interval(counts[system], seed=seed)
            cells.append(f"{total(counts[system]).rate:.1f} ({low:.1f} to {high:.1f})")
        rng = np.random.default_rng(seed)
        both, alone = (np.array([[count.errors, count.length] for count in counts[system]]) for system in SYSTEMS[1::-1])
        drawn = rng.integers(0, len(clips), (2000, len(clips)))
        gain = 100 * (both[drawn, 0].sum(1) - alone[drawn, 0].sum(1)) / alone[drawn, 1].sum(1)
        point = total(counts["ear and lips"]).rate - total(counts["ear alone"]).rate
        lips = sum(rows[f"{clip} {condition}"]["source"] == "lips" for clip in clips)
        low, high = np.percentile(gain, [2.5, 97.5])
        lines.append(f"| {condition} | {' | '.join(cells)} | {point:+.1f} ({low:+.1f} to {high:+.1f}) | {lips} of {len(clips)} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--aihub", type=Path, help="folder with AI-Hub 538 sessions")
    where.add_argument("--data", type=Path, help="data directory")
    parser.add_argument("--babble", type=Path, required=True, help="folder of voices")
    parser.add_argument("--work", type=Path, required=True, help="where what was found is kept")
    parser.add_argument("--ear", default="whisper:base")
    parser.add_argument("--model", type=Path, help="packed model of the lips (default: as for transcribe)")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    limit_threads()
    model = args.model or find_model()
    voices = sorted(path for path in args.babble.rglob("*") if path.suffix in _SUFFIXES)
    if len(voices) < _TALKERS:
        raise AvsrError(f"{args.babble}: has {len(voices)} sound files; babble needs {_TALKERS} or more.")
    recognizer = Recognizer.load(model)
    ear = open_ear(args.ear)
    if ear is None:
        raise AvsrError("--ear native: name an ear that listens in the model's place.")
    recognizer.ear = OneListening(ear)
    clips = list(read_clips(args.aihub, args.data, args.limit))
    settings = [args.ear, hashlib.sha256(model.read_bytes()).hexdigest(), args.seed, str(args.babble), describe_commit()]
    kept = args.work / f"found-{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]}.json"
    rows = json.loads(kept.read_bytes()) if kept.exists() else {}
    args.work.mkdir(parents=True, exist_ok=True)
    with progress("recognising", len(clips) * len(args.conditions), 0) as advance:
        for clip in clips:
            lips = recognizer.recognise(None, clip.mouth, "lip").text
            for condition in args.conditions:
                key = f"{clip.name} {condition}"
                if key not in rows:
                    samples = in_condition(clip, condition, voices, args.seed)
                    rows[key] = {"text": clip.text, **found_in(clip, samples, recognizer, lips)}
                advance()
            replace_file(kept, json.dumps(rows, ensure_ascii=False, indent=1).encode())
    print("\n".join(table(rows, [clip.name for clip in clips], args.conditions, args.seed)))
    print(f"\n{len(clips)} clips; {args.ear}, {model.name}; seed {args.seed}; {describe_commit()}; {describe_machine()}")
    return 0


if __name__ == "__main__":
    run_main(main)
