"""The benchmark's conditions: read from YAML, checked, and unrolled into cells.

A condition is a name with a `sound`, a `picture`, both or neither:

    babble: {sound: {noise: babble, talkers: 6, snr_db: [10, 0, -10]}}     # three cells
    restaurant: {sound: {noise: recorded, recording: restaurant, snr_db: 0}}
    frozen: {picture: {fault: frozen, fraction: 1.0}}
    babble_frozen: {sound: {noise: babble, talkers: 6, snr_db: [5, -5]}, picture: {fault: frozen, fraction: 1.0}}

One value of a condition may be a list, and makes a cell of each of its members. What faults take is what the functions of
`avsr.noise` take.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avsr.errors import AvsrError
from avsr.files import read_yaml

NOISES = {"babble": ("talkers",), "white": (), "recorded": ("recording",)}
SOUND_FAULTS = (
    "muted", "dropouts", "clipped", "telephone", "dying", "shifted", "wrong", "low_bitrate", "packet_loss", "damaged_packets",
)  # fmt: skip
PICTURE_FAULTS = ("frozen", "occluded", "blurred", "shrunk", "dropped", "swapped")
_COUNTED = ("talkers", "factor", "kbits")
_MOST_DB = 60  # of a ratio that 16 bits can hold
_SELF_SUPPLIED = {"wrong": (), "swapped": ()}  # what they need of another utterance is not written in the table


@dataclass(frozen=True)
class Corruption:
    """What is done to one stream. `kind` is a noise, a fault or "clean"; `values` what it is told, snr_db among them."""

    kind: str = "clean"
    values: tuple[tuple[str, Any], ...] = ()

    @property
    def snr_db(self) -> float | None:
        """The ratio, for a noise."""
        return dict(self.values).get("snr_db")

    @property
    def source(self) -> str:
        """What does not change with the level: one utterance has the same noise from the same place at every ratio."""
        return json.dumps([self.kind, [pair for pair in self.values if pair[0] != "snr_db"]], sort_keys=True)

    @property
    def key(self) -> str:
        """A short name that two corruptions share exactly when they are the same."""
        return hashlib.sha256(json.dumps([self.kind, self.values], sort_keys=True).encode()).hexdigest()[:16]


CLEAN = Corruption()


@dataclass(frozen=True)
class Cell:
    """One row of the table. `condition` is its name in the table of conditions, `label` also says the member of the list
    (but not the SNR); `value` is that member."""

    condition: str
    label: str
    value: float | str | None
    sound: Corruption = CLEAN
    picture: Corruption = CLEAN

    @property
    def snr_db(self) -> float | None:
        return self.sound.snr_db

    @property
    def name(self) -> str:
        """Unlike any other cell's."""
        return self.label if self.snr_db is None else f"{self.label} {self.snr_db:g} dB"


@dataclass(frozen=True)
class Conditions:
    """The table. Cells are in its order; the first is the clean one, which is added where it lacks."""

    seed: int
    cells: tuple[Cell, ...] = field(default_factory=tuple)

    @property
    def recordings(self) -> list[str]:
        """Names of the recordings that are asked for."""
        found = [dict(cell.sound.values)["recording"] for cell in self.cells if cell.sound.kind == "recorded"]
        return list(dict.fromkeys(found))

    def without(self, left_out: Mapping[str, list[str]]) -> Conditions:
        """Without these cells, by reason and name."""
        names = {name for cells in left_out.values() for name in cells}
        return Conditions(self.seed, tuple(cell for cell in self.cells if cell.name not in names))


def read_conditions(path: Path) -> Conditions:
    """Read the YAML file; AvsrError names the file, the condition and the field."""
    table = read_yaml(path)
    unknown = sorted(map(str, table.keys() - {"seed", "conditions"}))
    if unknown:
        raise AvsrError(f"{path}: {unknown[0]} is no field of it; give seed and conditions.")
    seed, conditions = table.get("seed", 0), table.get("conditions")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise AvsrError(f"{path}: seed is {seed!r}; give a whole number, 0 or more.")
    if not isinstance(conditions, dict) or not conditions:
        raise AvsrError(f"{path}: has no conditions; give one a line, as conf/benchmark_noisy.yaml does.")
    cells = [Cell("clean", "clean", None)]
    for name, streams in conditions.items():
        where = f"{path}, condition {name}"
        cells += [cell for cell in _cells(str(name), streams or {}, where) if cell.sound != CLEAN or cell.picture != CLEAN]
    names = [cell.name for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AvsrError(f"{path}: there are two cells named {twice[0]}; give one of the conditions another name.")
    return Conditions(seed, tuple(cells))


def _cells(name: str, streams: Any, where: str) -> list[Cell]:
    if not isinstance(streams, dict) or streams.keys() - {"sound", "picture"}:
        raise AvsrError(f"{where}: give sound, picture, both or neither, each a table.")
    told = {stream: _told(streams[stream], f"{where}, {stream}") for stream in streams}
    lists = [(stream, key) for stream in told for key, value in told[stream].items() if isinstance(value, list)]
    if len(lists) > 1:
        raise AvsrError(f"{where}: {lists[0][1]} and {lists[1][1]} are both lists; one value of a condition may be a list.")
    if not lists:
        return [_cell(name, name, None, told, where)]
    stream, key = lists[0]
    cells = []
    for member in told[stream][key]:
        label = name if key == "snr_db" else f"{name} {member}"
        cells.append(_cell(name, label, member, {**told, stream: told[stream] | {key: member}}, where))
    if not cells:
        raise AvsrError(f"{where}: {key} is an empty list; give it a member.")
    return cells


def _told(table: Any, where: str) -> dict[str, Any]:
    if not isinstance(table, dict) or len(table.keys() & {"noise", "fault"}) != 1:
        raise AvsrError(f"{where}: give one noise or one fault, such as {{fault: muted}}.")
    return table


def _cell(name: str, label: str, value: Any, told: Mapping[str, dict], where: str) -> Cell:
    made = {stream: _corruption(table, stream, f"{where}, {stream}") for stream, table in told.items()}
    return Cell(name, label, value, **made)


def _corruption(table: dict[str, Any], stream: str, where: str) -> Corruption:
    """Checked: the noise or fault is known, and is told neither too little nor what it does not take."""
    values = {key: value for key, value in table.items() if key not in ("noise", "fault")}
    if "noise" in table:
        kind = table["noise"]
        if stream != "sound" or kind not in NOISES:
            raise AvsrError(f"{where}: noise {kind} is unknown; sound can have {', '.join(NOISES)}.")
        needed, possible = {"snr_db", *NOISES[kind]}, {"snr_db", *NOISES[kind]}
    else:
        kind, known = table["fault"], SOUND_FAULTS if stream == "sound" else PICTURE_FAULTS
        if kind not in known:
            raise AvsrError(f"{where}: fault {kind} is unknown; {stream} can have {', '.join(known)}.")
        needed, possible = _parameters(kind)
    for key in sorted(values.keys() - possible):
        raise AvsrError(f"{where}: {kind} takes no {key}; it takes {', '.join(sorted(possible)) or 'nothing'}.")
    for key in sorted(needed - values.keys()):
        raise AvsrError(f"{where}: {kind} needs {key}.")
    return Corruption(kind, tuple(sorted((key, _value(key, value, where)) for key, value in values.items())))


def _value(key: str, value: Any, where: str) -> Any:
    """In one form, so that 5 and 5.0 are the same corruption; whole numbers for what is counted."""
    if key == "recording":
        if isinstance(value, str):
            return value
        raise AvsrError(f"{where}: {key} is {value!r}; give a name.")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise AvsrError(f"{where}: {key} is {value!r}; give a number.")
    if key == "fraction" and not 0 <= value <= 1 or key == "snr_db" and abs(value) > _MOST_DB:
        raise AvsrError(f"{where}: {key} is {value}; give {'0 to 1' if key == 'fraction' else f'-{_MOST_DB} to {_MOST_DB}'}.")
    if key not in _COUNTED:
        return float(value)
    if value != int(value) or value < 1:
        raise AvsrError(f"{where}: {key} is {value}; give a whole number, 1 or more.")
    return int(value)


def _parameters(fault: str) -> tuple[set[str], set[str]]:
    """What a fault's function needs and what it may be told."""
    if fault in _SELF_SUPPLIED:
        return set(), set()
    from avsr.benchmark.corrupt import fault_function

    signature = inspect.signature(fault_function(fault))
    options = [parameter for parameter in signature.parameters.values() if parameter.kind is parameter.KEYWORD_ONLY]
    # A range of sizes stays as the fault has it: a table's value is a number.
    options = [parameter for parameter in options if not isinstance(parameter.default, tuple)]
    return {p.name for p in options if p.default is p.empty}, {p.name for p in options}
