"""Encodes each stream once a corruption and keeps what was said, so that any pair of streams can be fused later."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsr.benchmark.conditions import Corruption
from avsr.benchmark.corrupt import corrupt_picture, corrupt_sound
from avsr.benchmark.materials import Materials
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.model.encode import SAMPLES, Said, encode_stream
from avsr.processes import progress

if TYPE_CHECKING:
    from avsr.decoding.packed import PackedModel

VERSION = 3  # raised when the same order would corrupt, encode, fuse or search otherwise


@dataclass(frozen=True)
class Plan:
    """What a run's workers share.

    models: packed models by a name that is theirs alone, as long as they have the same bytes. recordings: sha256 of each
    recording's samples. cache: a folder for these data and this seed. reading: a name for the systems and how they are
    searched. vectors: keep what the decoder attends to, which a beam search wants.
    """

    data: Path
    noise: Path | None
    limit: int | None
    seed: int
    models: dict[str, Path]
    recordings: dict[str, str]
    cache: Path
    reading: str
    vectors: bool

    def key(self, what: Corruption) -> str:
        """A name that two corruptions share exactly when they make the same of every utterance."""
        sha = self.recordings.get(dict(what.values).get("recording", ""), "")
        return what.key + (f"-{sha[:12]}" if sha else "")

    def materials(self) -> Materials:
        return _materials(self.data, self.noise, self.limit)


@dataclass(frozen=True)
class Kept:
    """What was kept of a stream of every utterance, and the sha256 of each mixture or clip that was encoded."""

    said: list[Said]
    mixtures: list[str]


def listen(job: tuple[str, Corruption], plan: Plan) -> str | None:
    """Corrupt one stream ("sound" or "picture") of every utterance, let each model encode it, and keep that.
    Runs in a worker; None, or in a line why it could not be done."""
    stream, what = job
    try:
        materials = plan.materials()
        frames = frame_counts(plan)
        given = [_given(stream, utt, what, plan.seed, materials) for utt in materials.utterances]
        lengths = [frames[utt] for utt in materials.utterances]
        for name, model in plan.models.items():
            path = kept_path(plan, name, stream, what)
            if not path.exists():
                network = load_model(model).model
                said = encode_stream(network, stream, given, lengths, vectors=plan.vectors or not network.fusion.late)
                _keep(path, Kept(said, [_hash(one) for one in given]))
    except AvsrError as error:
        return " ".join(str(error).split())
    return None


def frame_counts(plan: Plan) -> dict[str, int]:
    """Frames of the longer stream of each utterance; written down by the first who asks."""
    path = plan.cache / "frames.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    materials, counts = plan.materials(), {}
    with progress("utterances measured", len(materials.utterances), 0) as advance:
        for utt in materials.utterances:
            counts[utt] = max(-(-len(materials.sound(utt)) // SAMPLES), len(materials.mouth(utt).frames))
            advance()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(counts).encode())
    return counts


def kept_path(plan: Plan, model: str, stream: str, what: Corruption) -> Path:
    """Where `listen` keeps a model's answer."""
    return plan.cache / (f"{model}-vectors" if plan.vectors else model) / f"{stream}-{plan.key(what)}.npz"


def read_kept(path: Path) -> Kept:
    """What was kept, in the plan's order; AvsrError where the file is damaged."""
    try:
        with np.load(path) as archive:
            lengths, own, mixtures = archive["lengths"], archive["own"].tolist(), archive["mixtures"].tolist()
            parts = [np.split(archive[name], np.cumsum(lengths)[:-1]) for name in ("log_probs", "features", "vectors")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AvsrError(f"{path}: cannot be read ({error}); remove it and run the same command again.") from error
    return Kept([Said(*arrays) for arrays in zip(*parts, own, strict=True)], mixtures)


def _given(stream: str, utt: str, what: Corruption, seed: int, materials: Materials) -> tuple:
    if stream == "sound":
        return (corrupt_sound(utt, what, seed, materials),)
    clip = corrupt_picture(utt, what, seed, materials)
    return clip.frames, clip.confidence.astype(np.float32)


def _hash(given: tuple) -> str:
    digest = hashlib.sha256()
    for array in given:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _keep(path: Path, kept: Kept) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        lengths=[len(one.log_probs) for one in kept.said],
        own=[one.own for one in kept.said],
        mixtures=kept.mixtures,
        **{name: np.concatenate([getattr(one, name) for one in kept.said]) for name in ("log_probs", "features", "vectors")},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


@lru_cache(maxsize=1)
def _materials(data: Path, noise: Path | None, limit: int | None) -> Materials:
    return Materials(data, noise, limit)


@lru_cache(maxsize=8)
def load_model(path: Path) -> PackedModel:
    """The packed model at `path`, loaded once a process; ModelError where it cannot be used."""
    from avsr.decoding.packed import load_packed
    from avsr.runtime import limit_threads

    limit_threads()
    return load_packed(path)
