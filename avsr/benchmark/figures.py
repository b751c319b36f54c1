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

SEED = 0  # of the bootstrap: the same texts have the same intervals
MARGIN = 0.3  # points of CER by which av may be worse than the better stream, at the interval's upper end
EQUAL = 0.01  # relative difference that counts as none
GAIN, SHARE = 0.45, 0.8  # fewer errors than the sound alone in noise; share of the oracle's gain
NOISY = 10.0  # dB, and below


@dataclass(frozen=True)
class Figures:
    """cells and promises as results.json holds them; fixed_weight: the best of all fixed ones, None where not measured."""

    cells: list[dict[str, Any]]
    promises: list[dict[str, Any]]
    fixed_weight: float | None


def work_out(ran: Ran) -> Figures:
    """Count, resample and compare."""
    resampling = Resampling(len(ran.references), SEED)
    counted = {cell.name: count(ran.references, ran.texts[cell.name]) for cell in ran.conditions.cells}
    fixed = _best_fixed(counted.values()) if ran.greedy else None
    rows = [_cell(cell, ran, counted[cell.name], resampling, fixed) for cell in ran.conditions.cells]
    return Figures(rows, _promises(ran, rows, counted, resampling), fixed)


def _cell(cell: Cell, ran: Ran, errors: Counted, resampling: Resampling, fixed: float | None) -> dict[str, Any]:
    names = [system.name for system in ran.systems]
    row: dict[str, Any] = {"condition": cell.label, "snr_db": cell.snr_db, "group": cell.condition, "value": cell.value}
    row["corrupted"] = {"sound": cell.sound.kind, "picture": cell.picture.kind}
    row["talkers"] = dict(cell.sound.values).get("talkers")
    for rate in RATES:
        measured = errors if rate == "cer" else count(ran.references, {n: ran.texts[cell.name][n] for n in names}, rate)
        row[rate] = {name: round(measured.rate(name), 3) for name in names}
        if rate == "cer":
            row["interval"] = {name: _rounded(resampling.interval(errors.row(name), errors.lengths)) for name in names}
    row["weight"] = {name: round(float(np.mean(ran.weights[cell.name][name])), 4) for name in names}
    better = _better(row)
    difference = errors.row("av") - errors.row(better)
    row["av_minus_better"] = {
        "better": better,
        "points": round(row["cer"]["av"] - row["cer"][better], 3),
        "interval": _rounded(resampling.interval(difference, errors.lengths)),
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
        return _promise(f"{what}, within 1 %", "not measured", None, [])
    apart = {name: cells[name]["cer"]["av"] / max(1e-9, cells[name]["cer"][alone]) - 1 for name in names}
    broken = [name for name, value in apart.items() if value > EQUAL]
    found = ", ".join(f"{name} {100 * value:+.1f} %" for name, value in apart.items())
    return _promise(f"{what}, within 1 %", found, not broken, broken)


def _fewer(noisy: list[dict]) -> dict[str, Any]:
    what = f"noise of {NOISY:g} dB and less: fewer errors than the sound alone, mean over cells"
    if not noisy:
        return _promise(f"{what}, 45 %", "not measured", None, [])
    gain = 1 - sum(row["cer"]["av"] for row in noisy) / max(1e-9, sum(row["cer"]["audio"] for row in noisy))
    return _promise(f"{what}, 45 %", f"{100 * gain:.1f} %", gain >= GAIN, [])


def _shares(rows: list[dict]) -> dict[str, Any]:
    what = "share of the gain that the best weight of each cell has over the best fixed one, 80 %"
    if "oracle" not in rows[0]["cer"]:
        return _promise(what, "not measured with this search", None, [])
    fixed, oracle, av = (sum(row["cer"][name] for row in rows) for name in ("fixed", "oracle", "av"))
    share = (fixed - av) / max(1e-9, fixed - oracle)
    return _promise(what, f"{100 * share:.1f} %", share >= SHARE, [])


def _unheard(cells: Mapping[str, dict]) -> dict[str, Any]:
    what = "recordings never trained on, and codecs: no cell worse than the better stream by more than 0.3 points"
    kinds = ("recorded", "low_bitrate", "packet_loss", "damaged_packets")
    found = {name: row for name, row in cells.items() if row["corrupted"]["sound"] in kinds}
    if not found:
        return _promise(what, "not measured", None, [])
    worse = [name for name, row in found.items() if row["av_minus_better"]["interval"][1] > MARGIN]
    return _promise(what, f"{len(worse)} of {len(found)}", not worse, worse)


def _promise(what: str, found: str, kept: bool | None, broken: list[str]) -> dict[str, Any]:
    return {"promise": what, "found": found, "kept": kept, "broken_by": broken}


def _destroyed_sound(row: Mapping[str, Any]) -> bool:
    kind = row["corrupted"]["sound"]
    return kind in ("muted", "wrong") or (kind == "babble" and row["talkers"] > 1 and row["snr_db"] <= -10)


def _destroyed_picture(row: Mapping[str, Any]) -> bool:
    kind = row["corrupted"]["picture"]
    return kind in ("frozen", "swapped", "occluded") or (kind == "dropped" and row["value"] == 1.0)


def _best_fixed(counted: Iterable[Counted]) -> float:
    """The weight with the lowest mean CER over all cells, chosen on these very cells: no fixed weight could do better."""
    totals = np.array([[errors.rate(f"av@{weight}") for weight in GRID] for errors in counted]).mean(0)
    return GRID[int(totals.argmin())]


def _better(row: Mapping[str, Any]) -> str:
    return min(MODES[:2], key=lambda mode: row["cer"][mode])


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 3) for end in interval]
