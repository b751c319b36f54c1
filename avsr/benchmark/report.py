"""`avsr benchmark`: runs, works the figures out, and writes RESULTS.md, results.json, manifest.tsv and the plots."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avsr.benchmark.figures import MARGIN, Figures, work_out
from avsr.benchmark.plots import draw_plots
from avsr.benchmark.run import Ran, run
from avsr.errors import AvsrError
from avsr.stages.machine import describe_commit, describe_machine, describe_versions, without_home
from avsr.tables import write_lines

_TAKEN = ("model", "audio", "lip", "av", "fixed", "oracle", "oracle_utterance")  # columns, and the model itself
_KEPT = {True: "kept", False: "**broken**", None: "not measured"}


def benchmark(
    model: Path | None, data: Path, conditions: Path, out: Path, *, baselines: Sequence[str] = (), command: str = "", **options: Any
) -> str:
    """Measure and write everything into `out`; what to tell the person. Options as those of `avsr.benchmark.run.run`.

    baselines: NAME=MODEL.zip or NAME=MODEL.zip:MODE, mode av where none is said.
    """
    from avsr.decoding.default_model import find_model

    named = dict(_baseline(text) for text in baselines)
    if len(named) < len(baselines):
        raise AvsrError("two baselines have the same name: give each one of its own.")
    model = model or find_model()
    Path(out).mkdir(parents=True, exist_ok=True)
    ran = run(model, data, conditions, out, baselines=named, **options)
    figures = work_out(ran)
    facts = {
        "command": f"`{command}`",
        "commit": describe_commit(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds of this run": round(ran.seconds),
        "search": "the best token of each frame" if ran.greedy else "each model's own",
        "utterances": len(ran.references),
        "seed": ran.conditions.seed,
    }
    results = {"facts": facts, "hashes": ran.hashes, "left_out": ran.left_out, "fixed_weight": figures.fixed_weight}
    results |= {"promises": figures.promises, "means": figures.means, "cells": figures.cells}
    write_lines(out / "results.json", [json.dumps(results, ensure_ascii=False, indent=1)])
    draw_plots(figures.cells, out, rivals=[system.name for system in ran.systems if system.mode == "av" and system.name != "av"])
    write_lines(out / "RESULTS.md", results_lines(ran, figures, facts))
    broken = [promise["promise"] for promise in figures.promises if promise["kept"] is False]
    said = f"{len(figures.cells)} cells of {len(ran.references)} utterances in {ran.seconds:.0f} s; see {out / 'RESULTS.md'}."
    return said + (f"\n{len(broken)} of {len(figures.promises)} promises are broken; RESULTS.md says by what." if broken else "")


def results_lines(ran: Ran, figures: Figures, facts: Mapping[str, Any]) -> list[str]:
    """RESULTS.md."""
    systems = [system.name for system in ran.systems] + (["fixed", "oracle"] if figures.fixed_weight is not None else [])
    lines = [
        "# Results of the benchmark",
        "",
        "Written by `avsr benchmark`. CER in percent, spaces left out; in brackets 95 % of 10,000 paired bootstrap resamples of the",
        "utterances. `av - better` is sound and lips together less the better of the two alone, in points; a cell whose interval",
        f"ends above {MARGIN} is bold. `weight` is the mean weight of the sound, 0 to 1.",
    ]
    if figures.fixed_weight is not None:
        lines += [
            f"`fixed` has weight {figures.fixed_weight} in every frame, the best for the mean over these very cells; `oracle` the best",
            "of eleven weights for each cell.",
        ]
    lines += ["", "| promise | found | |", "| --- | --- | --- |"]
    for promise in figures.promises:
        by = f"; by {', '.join(promise['broken_by'])}" if promise["broken_by"] else ""
        lines.append(f"| {promise['promise']} | {promise['found']} | {_KEPT[promise['kept']]}{by} |")
    lines += ["", f"| mean CER over | {' | '.join(systems)} |", f"| --- {'| --- ' * len(systems)}|"]
    for kind, means in figures.means.items():
        lines.append(f"| {kind} | {' | '.join(f'{means[name]:.1f}' for name in systems)} |")
    lines += ["", f"| condition | dB | {' | '.join(systems)} | av - better | weight |", f"| --- {'| --- ' * (len(systems) + 3)}|"]
    lines += [_line(row, systems) for row in figures.cells]
    for reason, cells in ran.left_out.items():
        lines += ["", f"Left out, for {reason}: {', '.join(cells)}."]
    lines += ["", "| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts.items())]
    for name, value in (*ran.hashes["models"].items(), *ran.hashes["recordings"].items()):
        lines.append(f"| sha256 of {name} | {value} |")
    lines += [f"| hash of the test | {ran.hashes['test']} |", f"| hash of every mixture and clip | {ran.hashes['mixtures']} |"]
    plots = ["av_minus_better.png"] + (["cer_over_snr.png", "weight_over_snr.png"] if _has_curves(figures) else [])
    return [*lines, "", *(f"![{name}]({name})" for name in plots)]


def _line(row: Mapping[str, Any], systems: Sequence[str]) -> str:
    cells = [row["condition"], "" if row["snr_db"] is None else f"{row['snr_db']:g}"]
    for name in systems:
        interval = row["interval"].get(name)
        cells.append(f"{row['cer'][name]:.1f}" + (f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""))
    compared = row["av_minus_better"]
    low, high = compared["interval"]
    told = f"{compared['points']:+.1f} ({low:+.1f} to {high:+.1f})"
    cells += [f"**{told}**" if high > MARGIN else told, f"{row['weight']['av']:.2f}"]
    return f"| {' | '.join(cells)} |"


def _has_curves(figures: Figures) -> bool:
    groups = [row["group"] for row in figures.cells if row["snr_db"] is not None and row["corrupted"]["picture"] == "clean"]
    return any(groups.count(group) > 1 for group in groups)


def _baseline(text: str) -> tuple[str, tuple[Path, str]]:
    name, equals, rest = text.partition("=")
    path, colon, mode = rest.rpartition(":")
    if not colon or mode not in ("av", "audio", "lip"):
        path, mode = rest, "av"
    if not equals or not name.replace("_", "").isalnum() or name in _TAKEN or not path:
        raise AvsrError(f"baseline {text}: give NAME=MODEL.zip, or NAME=MODEL.zip:audio, with a name of letters that is none of {', '.join(_TAKEN)}.")
    return name, (Path(path), mode)
