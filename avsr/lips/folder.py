"""Crops a whole data directory or folder of videos in parallel; resumes, and lists what it could not use."""

import json
import os
import traceback
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from avsr.backends import LOCAL, Backend, Work, witnesses, work_off
from avsr.errors import AvsrError, LabelError, MediaError
from avsr.files import VIDEO_SUFFIXES, files_under, remove_half_written
from avsr.processes import KILLED
from avsr.tables import read_media_scp, write_lines

VERSION = 1  # of the crop's geometry: raised when it changes, so that older crops are made anew
_KILLED = "its decoding killed the process; the file is probably damaged"


@dataclass(frozen=True)
class Job:
    """One mouth clip to make: start and end in media seconds, end None for the whole file."""

    utt: str
    path: Path
    start: float = 0.0
    end: float | None = None


@dataclass
class CropReport:
    """What came of it: numbers of clips made now and found finished, and (utterance, path, reason) of the failed, and
    of those whose lips are good and whose sound is not."""

    made: int = 0
    kept: int = 0
    failed: list[tuple[str, Path, str]] = field(default_factory=list)
    lips_only: list[tuple[str, Path, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lost = f", {len(self.failed)} could not be used" if self.failed else ""
        mute = f", {len(self.lips_only)} give their lips only, as their sound cannot be used" if self.lips_only else ""
        return f"{self.made} mouth clips made, {self.kept} were there{lost}{mute}{' (see failed.tsv)' if lost or mute else ''}."


def crop_data_dir(
    data_dir: str | os.PathLike, out_dir: str | os.PathLike, *, nj: int = 2, mouth_only: bool = False, backend: Backend = LOCAL
) -> CropReport:
    """Crop every utterance of data_dir/media.scp (`utt path` or `utt path start end`), `nj` at once.

    Writes out_dir/mouth/<utt>.mp4 and .json, out_dir/wav/<utt>.flac where there is sound, and over the utterances that
    worked video.scp, wav.scp, utt2dur (seconds of the mouth clip), utt2face (mean confidence); the others are in
    failed.tsv (utt, path, reason), and so are those whose sound alone cannot be used, "lips only" before the reason.
    What was finished before from the same file in the same way is kept.
    """
    entries = read_media_scp(Path(data_dir) / "media.scp")
    jobs = [Job(entry.utt_id, entry.media, entry.start or 0.0, entry.end) for entry in entries]
    return _crop(jobs, Path(out_dir), nj, mouth_only, backend)


def crop_folder(
    folder: str | os.PathLike, out_dir: str | os.PathLike, *, nj: int = 2, mouth_only: bool = False, backend: Backend = LOCAL
) -> CropReport:
    """Crop every video under `folder` (by suffix), as `crop_data_dir` does; an utterance is named after its path.

    MediaError when the folder is none, holds no video, or none that could be used.
    """
    folder, out_dir = Path(folder), Path(out_dir)
    if not folder.is_dir():
        raise MediaError(f"{folder}: not a folder; give one that holds videos.")
    made = (out_dir / "mouth").resolve()  # of an earlier run, should the output lie inside the folder
    videos = [path for path in files_under(folder, VIDEO_SUFFIXES) if made not in path.resolve().parents]
    if not videos:
        raise MediaError(f"{folder}: holds no video ({' '.join(sorted(VIDEO_SUFFIXES))}); give a folder that does.")
    report = _crop(_named(videos, folder), out_dir, nj, mouth_only, backend)
    if not report.made + report.kept:
        raise MediaError(f"{folder}: not one of its {len(videos)} videos could be used; see why in {out_dir / 'failed.tsv'}.")
    return report


def _named(videos: list[Path], folder: Path) -> list[Job]:
    """Utterance names out of paths: parts joined by '-', blanks by '_', the suffix kept only where names would meet."""
    jobs, taken = [], set()
    for path in videos:
        inner = path.relative_to(folder)
        name = _name(inner.with_suffix(""))
        if name in taken:
            name = _name(inner)
        number, wanted = 2, name
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name)
        jobs.append(Job(name, path.absolute()))
    return jobs


def _name(inner: Path) -> str:
    """NFC, for a Mac stores Korean names decomposed; bytes that are no UTF-8 as an escape."""
    return "_".join(_printable("-".join(inner.parts)).split()).lstrip(".").replace("\\", "_")


def _printable(text: object) -> str:
    """Text that a UTF-8 file can hold: file names may have bytes that are none."""
    return unicodedata.normalize("NFC", str(text).encode("utf-8", "backslashreplace").decode())


def _crop(jobs: list[Job], out_dir: Path, nj: int, mouth_only: bool, backend: Backend) -> CropReport:
    for job in jobs:
        if "/" in job.utt or job.utt.startswith("."):
            raise LabelError(f"utterance {job.utt} cannot name a file; take '/' and a leading '.' out of its id.")
    for name in ("mouth", "wav"):
        (out_dir / name).mkdir(parents=True, exist_ok=True)
    remove_half_written(out_dir)
    waiting = [job for job in jobs if not _finished(job, out_dir, mouth_only)]
    report = CropReport(kept=len(jobs) - len(waiting))
    from avsr.lips.face_model import face_model_path

    ready = None if mouth_only else face_model_path
    work = Work("mouth clips", crop_one, (out_dir, mouth_only), out_dir, reads=witnesses(job.path for job in waiting), ready=ready)
    failed = {}
    for job, reason in work_off(work, waiting, nj=nj, kept=report.kept, backend=backend):
        if reason:
            failed[job.utt] = _KILLED if reason == KILLED else reason
        else:
            report.made += 1
    report.failed = [(job.utt, job.path, failed[job.utt]) for job in jobs if job.utt in failed]
    _write_tables([job for job in jobs if job.utt not in failed], report, out_dir)
    return report


def crop_one(job: Job, out_dir: Path, mouth_only: bool) -> str | None:
    """Makes one mouth clip and its sound; the reason, one line, when it cannot. Runs in a worker process."""
    from avsr.lips.extract import extract_mouth_clips
    from avsr.lips.mouth_clip import save_mouth_clip

    try:
        source = _source(job, mouth_only)
        clip = extract_mouth_clips(job.path, start=job.start, end=job.end, mouth_only=mouth_only)[0]
        no_sound = _write_sound(job, _sound(job, out_dir))
        save_mouth_clip(clip, _mouth(job, out_dir), source=source, no_sound=no_sound)  # last: it is what says finished
    except AvsrError as error:
        return " ".join(str(error).split())
    except OSError as error:
        return f"{error.strerror or error} ({error.filename or job.path})"
    except Exception as error:  # one odd file among a million must not end the run; what happened is kept
        where = traceback.extract_tb(error.__traceback__)[-1]
        return " ".join(f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})".split())
    return None


def _write_sound(job: Job, sound: Path) -> str | None:
    """Writes the utterance's sound; where there is none to be had, why: "" where the file never had any."""
    from avsr.media.audio import read_audio, write_audio
    from avsr.media.probe import probe

    reason = ""
    if probe(job.path).audio is not None:
        try:
            samples = read_audio(job.path, start=job.start, end=job.end)[0]
        except MediaError as error:  # the lips are as good without it
            reason = " ".join(str(error).split())
        else:
            if len(samples):
                write_audio(sound, samples)
                return None
            reason = f"{job.path}: its sound ends before {job.start:g} s."
    sound.unlink(missing_ok=True)  # a former file's
    return reason


def _mouth(job: Job, out_dir: Path) -> Path:
    return out_dir / "mouth" / f"{job.utt}.mp4"


def _sound(job: Job, out_dir: Path) -> Path:
    return out_dir / "wav" / f"{job.utt}.flac"


def _source(job: Job, mouth_only: bool) -> dict:
    """What a clip was made from and how: when this is unchanged, so would the clip be."""
    state = job.path.stat()
    file = {"file": _printable(job.path.name), "bytes": state.st_size, "changed": state.st_mtime_ns}
    return file | {"start": job.start, "end": job.end, "mouth_only": mouth_only, "version": VERSION}


def _finished(job: Job, out_dir: Path, mouth_only: bool) -> bool:
    try:
        beside = json.loads(_mouth(job, out_dir).with_suffix(".json").read_bytes())
        same = beside.get("source") == _source(job, mouth_only)
    except (OSError, ValueError, AttributeError):  # never made, or its source is gone: making it anew gives the reason
        return False
    return same and _mouth(job, out_dir).exists() and ("no_sound" in beside or _sound(job, out_dir).exists())


def _write_tables(jobs: list[Job], report: CropReport, out_dir: Path) -> None:
    """The Kaldi tables over the clips that there are, and failed.tsv."""
    from avsr.lips.mouth_clip import FPS

    rows: dict[str, list[str]] = {name: [] for name in ("video.scp", "wav.scp", "utt2dur", "utt2face")}
    for job in sorted(jobs, key=lambda job: job.utt):
        video = _mouth(job, out_dir).absolute()
        beside = json.loads(video.with_suffix(".json").read_bytes())
        confidence = beside["confidence"]
        rows["video.scp"].append(f"{job.utt} {video}")
        if "no_sound" not in beside:
            rows["wav.scp"].append(f"{job.utt} {_sound(job, out_dir).absolute()}")
        elif beside["no_sound"]:
            report.lips_only.append((job.utt, job.path, beside["no_sound"]))
        rows["utt2dur"].append(f"{job.utt} {len(confidence) / FPS:.3f}")
        rows["utt2face"].append(f"{job.utt} {sum(confidence) / len(confidence):.3f}")
    for name, lines in rows.items():
        write_lines(out_dir / name, lines)
    listed = report.failed + [(utt, path, f"lips only: {reason}") for utt, path, reason in report.lips_only]
    failed = ("\t".join(" ".join(_printable(value).split()) for value in row) for row in listed)
    write_lines(out_dir / "failed.tsv", ["utt\tpath\treason", *failed])
