"""The decode stage: recognises every utterance of a data directory in one mode; resumes.

`python -m avsr.decoding.decode_data --model MODEL.zip --data dump/X/test --mode av --out EXP/decode_av/test`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsr.errors import AvsrError, LabelError
from avsr.processes import progress
from avsr.stages.machine import describe_machine
from avsr.tables import read_media_scp, write_lines

if TYPE_CHECKING:
    from avsr.decoding.recognizer import Recognizer
    from avsr.decoding.search import DecodeOptions

_DONE = "decode.json"
_PART = ".part.jsonl"  # a line an utterance as it is done, the settings first


@dataclass(frozen=True)
class Job:
    """One utterance and its media; None for a stream that it has not."""

    utt: str
    sound: Path | None
    mouth: Path | None


def decode_data(
    model: Path, data: Path, mode: str, out: Path, *, options: DecodeOptions | None = None, mute_audio: bool = False
) -> dict[str, Any]:
    """Recognise every utterance that data/wav.scp and data/video.scp list.

    Writes out/text (`utt text`), out/nbest (`utt<TAB>score<TAB>text`, best first), out/weights (`utt` and the mean weight
    of the sound), out/confidence (`utt` and a number 0 to 1 a word of the text) and, last, out/decode.json (settings, seconds
    of media and of work, and their ratio, `rtf`; the machine).
    Run again, it goes on where it stopped, and does nothing where all is done with the same settings.

    Args:
        mute_audio: replace the samples by silence of the same length.

    Raises:
        AvsrError: a list is broken, or an utterance lacks what the mode needs.
    """
    from avsr.decoding.packed import read_meta
    from avsr.decoding.recognizer import Recognizer, packed_options
    from avsr.runtime import limit_threads

    jobs = read_jobs(data, mode)
    packed = packed_options(read_meta(model), model)
    options = packed if options is None else options
    settings = {"mode": mode, "mute_audio": mute_audio, "options": asdict(options)}
    settings |= {"model": _sha256(model), "data": _hash_jobs(jobs)}
    finished = _finished(out, settings)
    if finished is not None:
        return finished
    limit_threads()
    recognizer = Recognizer.load(model, options=options)
    out.mkdir(parents=True, exist_ok=True)
    rows = _resume(out / _PART, settings)
    with open(out / _PART, "a", encoding="utf-8") as part:
        if part.tell() == 0:
            part.write(json.dumps(settings) + "\n")
        for job in _shown([job for job in jobs if job.utt not in rows], len(jobs), f"decode {mode}"):
            rows[job.utt] = _decode(recognizer, job, mode, mute_audio)
            part.write(json.dumps({"utt": job.utt, **rows[job.utt]}, ensure_ascii=False) + "\n")
            part.flush()
    summary = _write(out, settings, [(job.utt, rows[job.utt]) for job in jobs])
    (out / _PART).unlink()
    return summary


def read_jobs(data: Path, mode: str) -> list[Job]:
    """The utterances of wav.scp and video.scp in the order of their ids; LabelError where the mode finds too little."""
    if mode not in ("av", "audio", "lip"):
        raise AvsrError(f"mode {mode!r} is unknown; a data directory is decoded by av, audio or lip.")
    tables = {}
    for name in ("wav.scp", "video.scp"):
        path = Path(data) / name
        tables[name] = {entry.utt_id: entry.media for entry in read_media_scp(path)} if path.exists() else {}
    sounds, mouths = tables["wav.scp"], tables["video.scp"]
    utterances = sorted(sounds.keys() | mouths.keys())
    if not utterances:
        raise LabelError(f"{data}: has no utterance in wav.scp or video.scp; run the stages before this one.")
    for name, wanted in (("wav.scp", "audio"), ("video.scp", "lip")):
        lacking = [utt for utt in utterances if utt not in tables[name]]
        if mode == wanted and lacking:
            raise LabelError(f"{Path(data) / name}: has no line for {lacking[0]}, which mode {mode} needs; use another mode.")
    return [Job(utt, sounds.get(utt), mouths.get(utt)) for utt in utterances]


def _decode(recognizer: Recognizer, job: Job, mode: str, mute_audio: bool) -> dict[str, Any]:
    """One line of the part file."""
    import numpy as np

    from avsr.lips.mouth_clip import load_mouth_clip
    from avsr.media.audio import SAMPLE_RATE, read_audio

    samples = mouth = None
    if mode != "lip" and job.sound is not None:
        samples, _ = read_audio(job.sound)
        samples = np.zeros_like(samples) if mute_audio else samples
    if mode != "audio" and job.mouth is not None:
        mouth = load_mouth_clip(job.mouth)
    began = time.perf_counter()
    found = recognizer.recognise(samples, mouth, mode)
    spent = time.perf_counter() - began
    media = max(len(samples) / SAMPLE_RATE if samples is not None else 0, len(mouth.frames) / 25 if mouth else 0)
    nbest = [[alternative.score, alternative.text] for alternative in found.nbest]
    sure = [word.confidence or 0.0 for word in found.words]
    row = {"nbest": nbest, "confidence": sure, "weight": found.audio_weight}
    return row | {"media": round(media, 3), "seconds": round(spent, 4)}


def _write(out: Path, settings: dict[str, Any], rows: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    write_lines(out / "text", (f"{utt} {row['nbest'][0][1]}".rstrip() for utt, row in rows))
    write_lines(out / "nbest", (f"{utt}\t{score}\t{text}" for utt, row in rows for score, text in row["nbest"]))
    write_lines(out / "weights", (f"{utt} {row['weight']:.4f}" for utt, row in rows))
    write_lines(out / "confidence", (" ".join([utt, *(f"{value:.4f}" for value in row["confidence"])]) for utt, row in rows))
    media, seconds = (sum(row[key] for _, row in rows) for key in ("media", "seconds"))
    weight = sum(row["weight"] for _, row in rows) / len(rows)
    summary = settings | {
        "utterances": len(rows),
        "media_seconds": round(media, 2),
        "decode_seconds": round(seconds, 2),
        "rtf": round(seconds / max(media, 0.04), 4),
        "audio_weight": round(weight, 4),
        "machine": describe_machine(),
    }
    write_lines(out / _DONE, [json.dumps(summary, indent=2)])
    return summary


def _finished(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    try:
        summary = json.loads((out / _DONE).read_bytes())
    except (OSError, ValueError):
        return None
    whole = all((out / name).is_file() for name in ("text", "nbest", "weights", "confidence"))
    return summary if whole and settings.items() <= summary.items() else None


def _resume(part: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What an interrupted run with the same settings has done; anything else is removed, a torn last line too."""
    rows: dict[str, dict[str, Any]] = {}
    kept = []
    if part.exists():
        for number, line in enumerate(part.read_text(encoding="utf-8", errors="replace").split("\n")):
            try:
                value = json.loads(line)
            except ValueError:
                break
            if number == 0 and value != settings:
                break
            kept.append(line)
            if number:
                rows[value.pop("utt")] = value
    if kept:
        write_lines(part, kept)
    else:
        part.unlink(missing_ok=True)
    return rows


def _hash_jobs(jobs: list[Job]) -> str:
    """Of what is decoded: ids, and name, size and time of each file."""
    digest = hashlib.sha256()
    for job in jobs:
        for path in (job.sound, job.mouth):
            state = path.stat() if path is not None else None
            digest.update(f"{job.utt}\t{path}\t{state and (state.st_size, state.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _shown(jobs: list[Job], total: int, what: str):
    """The jobs, with a bar on stderr over all there are."""
    with progress(what, total, total - len(jobs)) as advance:
        for job in jobs:
            yield job
            advance()


def main(arguments: list[str] | None = None) -> int:
    """Command line of the stage; an AvsrError is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description="Recognise every utterance of a data directory.")
    parser.add_argument("--model", type=Path, required=True, help="packed model")
    parser.add_argument("--data", type=Path, required=True, help="data directory with wav.scp and/or video.scp")
    parser.add_argument("--mode", choices=("av", "audio", "lip"), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for text, nbest, weights, decode.json")
    parser.add_argument("--config", type=Path, help="decode options (YAML); those packed with the model if not given")
    parser.add_argument("--mute-audio", action="store_true", help="replace the sound by silence")
    args = parser.parse_args(arguments)
    try:
        from avsr.decoding.search import read_options

        options = None if args.config is None else read_options(args.config)
        summary = decode_data(args.model, args.data, args.mode, args.out, options=options, mute_audio=args.mute_audio)
    except AvsrError as error:
        print(f"decode: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print(f"decode: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    speed = f"{summary['decode_seconds']} s for {summary['media_seconds']} s of media (rtf {summary['rtf']})"
    print(f"{summary['utterances']} utterances in mode {args.mode}: {speed}; see {os.path.join(args.out, 'text')}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
