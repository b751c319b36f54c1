"""The benchmark's figures, out of texts: each cell's rates with intervals, the oracles, and whether the promises were kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from avsr.benchmark.conditions import Cell
from avsr.benchmark.read import GRID, MODES
from avsr.benchmark.run import Ran
from avsr.benchmark.statistics import RATES, Counted, Resampling, count
from avsr.processes import progress

SEED = 0  # of the bootstrap: the same texts have the same intervals
MARGIN = 0.3  # points of CER by which av may be worse than the better stream, at the interval's upper end
EQUAL = 0.01  # relative difference that counts as none
GAIN, SHARE = 0.45, 0.8  # fewer errors than the sound alone in noise; share of the oracle's gain
NOISY = 10.0  # dB, and below


@dataclass(frozen=True)
class Figures:
    """cells, means and promises as results.json holds them; fixed_weight: the best of all fixed ones, None where not measured.

    means: mean CER of every column over the cells of a kind, by the kind's name.
    """

    cells: list[dict[str, Any]]
    means: dict[str, dict[str, float]]
    promises: list[dict[str, Any]]
    fixed_weight: float | None


def work_out(ran: Ran) -> Figures:
    """Count, resample and compare."""
    resampling = Resampling(len(ran.references), SEED)
    counted = {cell.name: count(ran.references, ran.texts[cell.name]) for cell in ran.conditions.cells}
    fixed = _best_fixed(counted.values()) if ran.greedy else None
    rows = []
    with progress("cells counted", len(counted), 0) as advance:
        for cell in ran.conditions.cells:
            rows.append(_cell(cell, ran, counted[cell.name], resampling, fixed))
            advance()
    return Figures(rows, _means(rows), _promises(ran, rows, counted, resampling), fixed)


def _cell(cell: Cell, ran: Ran, errors: Counted, resampling: Resampling, fixed: float | None) -> dict[str, Any]:
    names = [system.name for system in ran.systems]
    row: dict[str, Any] = {"condition": cell.label, "snr_db": cell.snr_db, "group": cell.condition, "value": cell.value}
    row["corrupted"] = {"sound": cell.sound.kind, "picture": cell.picture.kind}
    row["told"] = {"sound": dict(cell.sound.values), "picture": dict(cell.picture.values)}
    for rate in RATES:
        measured = errors if rate == "cer" else count(ran.references, {n: ran.texts[cell.name][n] for n in names}, rate)
        row[rate] = {name: round(measured.rate(name), 3) for name in names}
        if rate == "cer":
            row["interval"] = {name: _rounded(resampling.interval(errors.row(name), errors.lengths)) for name in names}
    row["weight"] = {name: round(float(np.mean(ran.weights[cell.name][name])), 4) for name in names}
    better = _better(row)
    three = np.stack([errors.row(name) for name in ("av", *MODES[:2])])
    row["av_minus_better"] = {
        "better": better,
        "points": round(row["cer"]["av"] - row["cer"][better], 3),
        "interval": _rounded(resampling.excess(three, errors.lengths)),
    }
    if fixed is not None:
        rates = {weight: errors.rate(f"av@{weight}") for weight in GRID}
        row["cer"]["fixed"] = round(rates[fixed], 3)
        row["best_weight"] = min(GRID, key=lambda weight: (rates[weight], abs(weight - 0.5)))
        row["cer"]["oracle"] = round(rates[row["best_weight"]], 3)
        each = np.stack([errors.row(f"av@{weight}") for weight in GRID]).min(0)
        row["cer"]["oracle_utterance"] = round(100.0 * float(each.sum()) / max(1, int(errors.lengths.sum())), 3)
        row["interval"]["fixed"] = _rounded(resampling.interval(errors.row(f"av@{fixed}"), errors.lengths))
    return row


def _means(rows: list[dict]) -> dict[str, dict[str, float]]:
    kinds: dict[str, list[dict]] = {"all cells": rows}
    for row in rows:
        sound, picture = (row["corrupted"][stream] != "clean" for stream in ("sound", "picture"))
        noise = row["snr_db"] is not None
        kind = (
            "sound and picture" if sound and picture
            else "faults of the picture" if picture
            else "clean" if not sound
            else "faults of the sound" if not noise
            else f"noise of {NOISY:g} dB and less" if row["snr_db"] <= NOISY
            else f"noise of more than {NOISY:g} dB"
        )  # fmt: skip
        kinds.setdefault(kind, []).append(row)
    return {
        f"{kind} ({len(cells)})": {name: round(float(np.mean([row["cer"][name] for row in cells])), 3) for name in cells[0]["cer"]}
        for kind, cells in kinds.items()
    }


def _promises(ran: Ran, rows: list[dict], counted: Mapping[str, Counted], resampling: Resampling) -> list[dict[str, Any]]:
    """What the project promises, each with what was found and whether it was kept; None where it was not measured."""
    cells = dict(zip((cell.name for cell in ran.conditions.cells), rows, strict=True))
    worse = [name for name, row in cells.items() if row["av_minus_better"]["interval"][1] > MARGIN]
    clean_picture = {name: row for name, row in cells.items() if row["corrupted"]["picture"] == "clean"}
    no_sound = [name for name, row in clean_picture.items() if _destroyed_sound(row)]
    clean_sound = {name: row for name, row in cells.items() if row["corrupted"]["sound"] == "clean"}
    no_picture = [name for name, row in clean_sound.items() if _destroyed_picture(row)]
    noisy = [row for row in clean_picture.values() if row["snr_db"] is not None and row["snr_db"] <= NOISY]
    promises = [
        _promise(f"cells where av is worse than the better single stream by more than {MARGIN} points of CER (interval's end)",
                 f"{len(worse)} of {len(cells)}", not worse, worse),
        _alike("sound destroyed: av against lips alone", cells, no_sound, "lip"),
        _alike("picture destroyed: av against sound alone", cells, no_picture, "audio"),
        _fewer(noisy),
        _shares(rows),
        _unheard(clean_picture),
    ]  # fmt: skip
    errors = counted["clean"]
    difference = errors.row("av") - errors.row("audio")
    p = resampling.p_value(difference, errors.lengths)
    row = cells["clean"]
    found = f"{row['cer']['av']:.2f} against {row['cer']['audio']:.2f}, p {p:.3f}"
    return [*promises, _promise("clean: av better than sound alone", found, row["cer"]["av"] < row["cer"]["audio"], [])]


def _alike(what: str, cells: Mapping[str, dict], names: list[str], alone: str) -> dict[str, Any]:
    if not names:
        return _promise(f"{what}, within {EQUAL:.0%}", "not measured", None, [])
    rates = {name: (cells[name]["cer"]["av"], cells[name]["cer"][alone]) for name in names}
    broken = [name for name, (av, other) in rates.items() if av > (1 + EQUAL) * other]
    found = ", ".join(f"{name} {av:.1f} against {other:.1f}" for name, (av, other) in rates.items())
    return _promise(f"{what}, within {EQUAL:.0%}", found, not broken, broken)


def _fewer(noisy: list[dict]) -> dict[str, Any]:
    what = f"noise of {NOISY:g} dB and less: fewer errors than the sound alone, mean over cells"
    if not noisy:
        return _promise(f"{what}, {GAIN:.0%}", "not measured", None, [])
    av, audio = (sum(row["cer"][name] for row in noisy) for name in ("av", "audio"))
    if not audio:
        return _promise(f"{what}, {GAIN:.0%}", "the sound alone makes no errors", None, [])
    return _promise(f"{what}, {GAIN:.0%}", f"{1 - av / audio:.1%}", av <= (1 - GAIN) * audio, [])


def _shares(rows: list[dict]) -> dict[str, Any]:
    what = f"share of the gain that the best weight of each cell has over the best fixed one, {SHARE:.0%}"
    if "oracle" not in rows[0]["cer"]:
        return _promise(what, "not measured with this search", None, [])
    fixed, oracle, av = (sum(row["cer"][name] for row in rows) for name in ("fixed", "oracle", "av"))
    if fixed - oracle < MARGIN:
        return _promise(what, "there is no gain to be had", None, [])
    share = (fixed - av) / (fixed - oracle)
    return _promise(what, f"{share:.1%}", share >= SHARE, [])


def _unheard(cells: Mapping[str, dict]) -> dict[str, Any]:
    what = f"recordings never trained on, and codecs: no cell worse than the better stream by more than {MARGIN} points"
    kinds = ("recorded", "low_bitrate", "packet_loss", "damaged_packets")
    found = {name: row for name, row in cells.items() if row["corrupted"]["sound"] in kinds}
    if not found:
        return _promise(what, "not measured", None, [])
    worse = [name for name, row in found.items() if row["av_minus_better"]["interval"][1] > MARGIN]
    return _promise(what, f"{len(worse)} of {len(found)}", not worse, worse)


def _promise(what: str, found: str, kept: bool | None, broken: list[str]) -> dict[str, Any]:
    return {"promise": what, "found": found, "kept": kept, "broken_by": broken}


def _destroyed_sound(row: Mapping[str, Any]) -> bool:
    kind, told = row["corrupted"]["sound"], row["told"]["sound"]
    whole = kind == "muted" and told.get("fraction", 1.0) == 1.0
    return whole or kind == "wrong" or (kind == "babble" and told["talkers"] > 1 and told["snr_db"] <= -10)


def _destroyed_picture(row: Mapping[str, Any]) -> bool:
    kind = row["corrupted"]["picture"]
    whole = row["told"]["picture"].get("fraction") == 1.0
    return kind == "swapped" or (whole and kind in ("frozen", "occluded", "dropped"))


def _best_fixed(counted: Iterable[Counted]) -> float:
    """The weight with the lowest mean CER over all cells, chosen on these very cells: no fixed weight could do better."""
    totals = np.array([[errors.rate(f"av@{weight}") for weight in GRID] for errors in counted]).mean(0)
    return GRID[int(totals.argmin())]


def _better(row: Mapping[str, Any]) -> str:
    return min(MODES[:2], key=lambda mode: row["cer"][mode])


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 3) for end in interval]
