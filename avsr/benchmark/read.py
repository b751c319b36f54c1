"""Fuses two streams that were encoded before, and reads the text out of them: in each mode, and at fixed weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.benchmark.conditions import Cell
from avsr.benchmark.listen import Plan, kept_path, load_model, read_kept
from avsr.decoding.search import DecodeOptions, Language, search
from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.model.encode import Said, as_stream

if TYPE_CHECKING:
    from avsr.decoding.packed import PackedModel

MODES = ("audio", "lip", "av")
GRID = tuple(round(0.1 * step, 1) for step in range(11))
"""Weights of the sound that are tried in every frame alike."""
GREEDY = DecodeOptions(beam_size=1, ctc_weight=1.0, nbest=1)


@dataclass(frozen=True)
class System:
    """A column of the table: a model of the plan in a mode. `fixed` also asks for every weight of GRID."""

    name: str
    model: str
    mode: str
    fixed: bool = False


def read_cell(job: Cell, plan: Plan, systems: tuple[System, ...], options: dict[str, DecodeOptions]) -> str | None:
    """Write the texts of every system under this cell; runs in a worker. `options`: how each model is searched."""
    try:
        texts: dict[str, list[str]] = {}
        weights: dict[str, list[float]] = {}
        for system in systems:
            packed = load_model(plan.models[system.model])
            streams = [_streams(plan, system, stream, what) for stream, what in (("sound", job.sound), ("picture", job.picture))]
            texts[system.name], weights[system.name] = [], []
            for audio, lip in zip(*streams, strict=True):
                text, weight = read_one(packed, audio, lip, system.mode, options[system.model])
                texts[system.name].append(text)
                weights[system.name].append(weight)
                if system.fixed:
                    for fixed, said in zip(GRID, read_fixed(packed, audio, lip), strict=True):
                        texts.setdefault(f"{system.name}@{fixed}", []).append(said)
        result = {"texts": texts, "weights": weights}
        path = cell_path(plan, job)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(result, ensure_ascii=False).encode())
    except AvsrError as error:
        return " ".join(str(error).split())
    return None


def cell_path(plan: Plan, cell: Cell) -> Path:
    """Where `read_cell` leaves what it read."""
    return plan.cache / plan.reading / f"{plan.key(cell.sound)}-{plan.key(cell.picture)}.json"


def read_one(packed: PackedModel, audio: Said | None, lip: Said | None, mode: str, options: DecodeOptions) -> tuple[str, float]:
    """The text that a mode gives, and the mean weight of the sound."""
    import torch

    use = {"audio": (True, False), "lip": (False, True), "av": (True, True)}[mode]
    audio, lip = (one if used else None for one, used in zip((audio, lip), use))
    streams = [None if one is None else as_stream([one])[0] for one in (audio, lip)]
    frames = len((audio or lip).log_probs)
    with torch.inference_mode():
        fused = packed.model.fuse(*streams, torch.tensor([frames]))
        found = search(packed.model.decoder, fused.memory[0], fused.log_probs[0], options, Language(packed.lm))
    return packed.tokenizer.decode(found[0].tokens), round(float(fused.weights[0, :, 0].mean()), 4)


def read_fixed(packed: PackedModel, audio: Said, lip: Said) -> list[str]:
    """The texts at each weight of GRID, by the best token of each frame."""
    import torch

    from avsr.model.fusion import combine

    log_probs = tuple(torch.from_numpy(one.log_probs) for one in (audio, lip))
    texts = []
    for weight in GRID:
        both = torch.tensor([weight, 1 - weight]).expand(len(audio.log_probs), 2)
        fused = combine(log_probs, log_probs, both)
        texts.append(packed.tokenizer.decode(search(None, fused.memory, fused.log_probs, GREEDY)[0].tokens))
    return texts


def _streams(plan: Plan, system: System, stream: str, what) -> list[Said | None]:
    wanted = {"sound": system.mode != "lip" or system.fixed, "picture": system.mode != "audio" or system.fixed}
    if not wanted[stream]:
        return [None] * len(plan.materials().utterances)
    return read_kept(kept_path(plan, system.model, stream, what)).said
