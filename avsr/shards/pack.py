"""Packs a split's tables and clips into shards: the same tables and seed give the same bytes, and an interrupted run goes on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from avsr.backends import LOCAL, Backend, Work, witnesses, work_off
from avsr.errors import AvsrError, LabelError, MediaError
from avsr.files import digest, remove_half_written, replace_file, written_beside
from avsr.large_tables import LargeTable
from avsr.media.audio import SAMPLE_RATE
from avsr.shards.index import INDEX, MANIFEST, Index, Manifest, Shard, join_indices, make_index, parse_index, parse_manifest
from avsr.tables import write_lines

TABLES = ("text", "utt2spk", "align", "video.scp", "wav.scp", "shape.scp")
_PARTS = ".parts"  # of shards that are finished, until all are


def pack_split(
    data: Path, out: Path, *, size: int = 500, seed: int = 1, nj: int = 1, raw: bool = False, backend: Backend = LOCAL
) -> Manifest:
    """Pack the data directory of a split into `out`, utterances in an order drawn by `seed`: each shard is a fair sample.

    Args:
        size: utterances a shard.
        nj: shards at once.
        raw: pictures and sound as they are decoded, in some ten times the space, so that training need not decode them.

    What cannot be packed is left out, and listed with the reason in failed.tsv.

    AvsrError: a table is broken, or nothing can be packed.
    """
    _tables.cache_clear()  # they may have been written again
    tables = _tables(data)
    if not {"video.scp", "wav.scp"} & tables.keys() or "text" not in tables:
        raise AvsrError(f"{data}: has no text, or neither wav.scp nor video.scp; run the format and filter stages first.")
    state = _state(tables, size, seed, raw)
    made = out / MANIFEST
    if made.exists() and (manifest := parse_manifest(made.read_bytes(), made)).source == state:
        shutil.rmtree(out / _PARTS, ignore_errors=True)  # a kill right after the manifest left them
        return manifest
    out.mkdir(parents=True, exist_ok=True)
    remove_half_written(out)
    made.unlink(missing_ok=True)
    if not (out / _PARTS / state).is_dir():
        shutil.rmtree(out / _PARTS, ignore_errors=True)  # of other tables or another seed
        (out / _PARTS / state).mkdir(parents=True)
    order = np.random.default_rng(seed).permutation(len(tables["text"]))
    # Rows of `text`, which each process looks up in the tables for itself.
    jobs = [(number, first, order[first : first + size]) for number, first in enumerate(range(0, len(order), size))]
    waiting = [job for job in jobs if not _part(out, state, job[0]).exists()]
    # A machine that sees the tables and not the clips would leave these out of its shards.
    clips = witnesses(clip for name, table in tables.items() if name.endswith(".scp") for _, clip in table.items())
    work = Work(f"shards of {data.name}", _pack_shard, (data, out, state, raw), out, reads=(data / "text", *clips))
    for (number, *_), reason in work_off(work, waiting, nj=nj, kept=len(jobs) - len(waiting), backend=backend):
        if reason is not None:
            raise AvsrError(f"{out / shard_name(number)}: could not be written ({reason}); run the command again.")
    return _finish(out, state, len(jobs), tables)


def shard_name(number: int) -> str:
    """shard-000012.tar."""
    return f"shard-{number:06d}.tar"


@lru_cache(maxsize=1)
def _tables(data: Path, state: str = "") -> dict[str, LargeTable]:
    """Those of a split. `state`: theirs, for a process that outlives them (see `_state`)."""
    return {name: LargeTable(data / name) for name in TABLES if (data / name).exists()}


def _state(tables: Mapping[str, Mapping[str, str]], size: int, seed: int, raw: bool) -> str:
    """A hash of the tables, the clips' sizes and times, and the options."""
    total = hashlib.sha256(f"{size} {seed} {raw}\n".encode())
    for name, table in tables.items():
        for utterance, value in table.items():
            total.update(f"{name} {utterance} {value}".encode())
            if name.endswith(".scp"):
                try:
                    file = os.stat(value)
                    total.update(f" {file.st_size} {file.st_mtime_ns}".encode())
                except OSError:
                    total.update(b" absent")
    return total.hexdigest()


def _part(out: Path, state: str, number: int) -> Path:
    return out / _PARTS / state / f"{number:06d}.npz"


def _pack_shard(job: tuple[int, int, np.ndarray], data: Path, out: Path, state: str, raw: bool) -> str | None:
    """Write one shard, then its part of the index, which says that it is whole."""
    number, first, rows = job
    tables, placed, failed = _tables(data, state), [], ["utt\treason"]
    with written_beside(out / shard_name(number)) as temporary, open(temporary, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for place, row in enumerate(rows.tolist()):
                utterance = tables["text"].key(row)
                values = {name: table[utterance] for name, table in tables.items() if utterance in table}
                try:
                    members, frames, samples = _members(utterance, values, raw)
                except (MediaError, LabelError) as error:
                    failed.append(f"{utterance}\t{' '.join(str(error).split())}")
                    continue
                start = archive.offset
                for suffix, data in members:
                    info = tarfile.TarInfo(f"{first + place:09d}{suffix}")  # owner, time and mode are the same for all
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
                placed.append((number, start, archive.offset - start, frames, samples, utterance))
    write_lines(_part(out, state, number).with_suffix(".tsv"), failed)
    replace_file(_part(out, state, number), make_index(placed).to_bytes())
    return None


def _members(utterance: str, values: dict[str, str], raw: bool) -> tuple[list[tuple[str, bytes]], int, int]:
    """(suffix, bytes) of each member, .json first, and how many frames and samples there are; errors as of the readers."""
    from avsr.lips.mouth_clip import load_mouth_clip
    from avsr.lips.mouth_shape import load_mouth_shape

    about: dict = {"utt": utterance, "text": values["text"]}
    about |= {name: values[table] for name, table in (("speaker", "utt2spk"), ("align", "align")) if table in values}
    members, frames, samples = [], 0, 0
    if "video.scp" in values:
        path = Path(values["video.scp"])
        try:
            beside = json.loads(_read(path.with_suffix(".json")))
            about |= {name: beside[name] for name in ("start", "confidence")}
        except (ValueError, KeyError, TypeError) as error:
            raise MediaError(f"{path.with_suffix('.json')}: not the confidence of a mouth clip ({error!r}); crop it again.") from error
        members.append((".gray", load_mouth_clip(path).frames.tobytes()) if raw else (".mp4", _read(path)))
        frames = len(about["confidence"])
    if "wav.scp" in values:
        path = Path(values["wav.scp"])
        samples = _samples(path)
        members.append((".wav", _as_wav(path)) if raw else (path.suffix.lower(), _read(path)))
    if "shape.scp" in values:
        load_mouth_shape(values["shape.scp"])
        members.append((".npy", _read(Path(values["shape.scp"]))))
    return [(".json", json.dumps(about, ensure_ascii=False).encode()), *members], frames, samples


def _samples(path: Path) -> int:
    import soundfile

    if path.suffix.lower() not in (".flac", ".wav"):
        raise MediaError(f"{path}: is neither .flac nor .wav; run the crops stage, which writes those.")
    try:
        info = soundfile.info(str(path))
    except (OSError, RuntimeError) as error:
        raise MediaError(f"{path}: no sound can be read from it ({error}); crop it again.") from error
    if info.samplerate != SAMPLE_RATE or info.channels != 1:
        raise MediaError(f"{path}: is {info.samplerate} Hz with {info.channels} channels, not {SAMPLE_RATE} Hz mono; run the crops stage.")
    return info.frames


def _as_wav(path: Path) -> bytes:
    """The same samples, in the precision that they are kept in."""
    import soundfile

    buffer, kept = io.BytesIO(), soundfile.info(str(path)).subtype
    samples, rate = soundfile.read(str(path), dtype="int16" if kept == "PCM_16" else "float32")
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16" if kept == "PCM_16" else "FLOAT")
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); crop it again.") from error


def _finish(out: Path, state: str, count: int, tables: Mapping[str, object]) -> Manifest:
    """The index and the manifest of shards that are all there; what an earlier packing left goes."""
    parts: list[Index] = [parse_index(_part(out, state, number).read_bytes(), _part(out, state, number)) for number in range(count)]
    failed = [line for number in range(count) for line in _part(out, state, number).with_suffix(".tsv").read_text("utf-8").split("\n")[1:] if line]
    write_lines(out / "failed.tsv", ["utt\treason", *failed])
    if not sum(map(len, parts)):
        raise AvsrError(f"{out}: no utterance could be packed; see {out / 'failed.tsv'}.")
    kept = [number for number, part in enumerate(parts) if len(part)]
    index = join_indices([parts[number] for number in kept])
    index.shard[:] = np.repeat(np.arange(len(kept)), [len(parts[number]) for number in kept])
    shards = []
    for number in kept:
        path = out / shard_name(number)
        shards.append(Shard(path.name, digest(path), path.stat().st_size, len(parts[number])))
    for path in {*out.glob("shard-*.tar")} - {out / shard.name for shard in shards}:
        path.unlink()
    replace_file(out / INDEX, index.to_bytes())
    streams = [
        name
        for name, there in (
            ("speech", bool(index.samples.any())), ("video", bool(index.frames.any())), ("align", "align" in tables), ("shape", "shape.scp" in tables)
        )
        if there
    ]  # fmt: skip
    seconds = round(float(index.lengths().sum()) / 25, 2)
    manifest = Manifest(len(index), seconds, streams, digest(out / INDEX), state, shards)
    replace_file(out / MANIFEST, manifest.to_bytes())
    shutil.rmtree(out / _PARTS)
    return manifest
