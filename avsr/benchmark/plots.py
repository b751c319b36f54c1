"""The benchmark's plots, as a paper could use them: vector PDF, and PNG to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SHOWN = {"audio": ("sound", "C0", "--"), "lip": ("lips", "C2", ":"), "av": ("both", "C3", "-"), "fixed": ("fixed weight", "0.6", "-.")}
_COLUMNS = 3


def draw_plots(cells: Sequence[Mapping[str, Any]], out: Path, *, rivals: Sequence[str] = ()) -> list[Path]:
    """Write cer_over_snr, av_minus_better and weight_over_snr into `out`; their PNGs. Those without data are not drawn.

    rivals: columns that have lines of their own in cer_over_snr, as other ways to read both streams.
    """
    import matplotlib

    matplotlib.use("Agg")
    noises: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        if cell["snr_db"] is not None and cell["corrupted"]["picture"] == "clean":
            noises.setdefault(cell["group"], []).append(cell)
    noises = {name: sorted(rows, key=lambda row: row["snr_db"]) for name, rows in noises.items() if len(rows) > 1}
    drawn = [_differences(cells, out)]
    if noises:
        drawn += [_curves(noises, out, rivals), _weights(noises, out)]
    return drawn


def _curves(noises: Mapping[str, list], out: Path, rivals: Sequence[str]) -> Path:
    from matplotlib import pyplot

    shown = _SHOWN | {name: (name.replace("_", " "), f"C{4 + place}", "-.") for place, name in enumerate(rivals)}
    rows = -(-len(noises) // _COLUMNS)
    figure, axes = pyplot.subplots(rows, _COLUMNS, figsize=(9, 2.7 * rows), sharex=True, sharey=True, squeeze=False)
    for axis, (name, cells) in zip(axes.flat, noises.items()):
        levels = [cell["snr_db"] for cell in cells]
        for system, (label, colour, line) in shown.items():
            if system in cells[0]["cer"]:
                axis.plot(levels, [cell["cer"][system] for cell in cells], line, color=colour, label=label)
        low, high = zip(*(cell["interval"]["av"] for cell in cells))
        axis.fill_between(levels, low, high, color="C3", alpha=0.15, linewidth=0)
        axis.set_title(name, fontsize=10)
        axis.grid(alpha=0.3)
    empty = axes.flat[len(noises) :]
    for axis in empty:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("CER %")
    for axis in axes.flat[max(0, len(noises) - _COLUMNS) : len(noises)]:  # the lowest of each column, under which may be an empty place
        axis.set_xlabel("SNR dB")
        axis.tick_params(labelbottom=True)
    axes[0, 0].set_ylim(0, 105)
    if len(empty):
        empty[0].legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8, loc="center left")
    else:
        axes[0, 0].legend(fontsize=7)
    return _save(figure, out / "cer_over_snr.png")


def _differences(cells: Sequence[Mapping[str, Any]], out: Path) -> Path:
    """A heat map: each condition a row, each of its cells a square, av less the better single stream in points of CER."""
    from matplotlib import pyplot

    groups: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        groups.setdefault(cell["group"], []).append(cell)
    width = max(map(len, groups.values()))
    figure, axis = pyplot.subplots(figsize=(2.2 + 0.75 * width, 0.8 + 0.34 * len(groups)))
    norm = pyplot.Normalize(-10, 10)
    for y, rows in enumerate(groups.values()):
        for x, cell in enumerate(rows):
            points = cell["av_minus_better"]["points"]
            axis.add_patch(pyplot.Rectangle((x, y), 1, 1, color=pyplot.cm.RdBu_r(norm(points)), linewidth=0))
            level = cell["snr_db"] if cell["snr_db"] is not None else cell["value"]
            label = "" if level is None else f"\n{level:g}" if isinstance(level, (int, float)) else f"\n{level}"
            ink = "white" if abs(points) > 6 else "black"
            axis.text(x + 0.5, y + 0.5, f"{points:+.1f}{label}", ha="center", va="center", fontsize=6, color=ink)
    axis.set_xlim(0, width)
    axis.set_ylim(len(groups), 0)
    axis.set_yticks([y + 0.5 for y in range(len(groups))], list(groups), fontsize=8)
    axis.set_xticks([])
    axis.set_title("both less the better one alone, points of CER (below: dB, or the condition's value)", fontsize=8, loc="right")
    for side in axis.spines.values():
        side.set_visible(False)
    return _save(figure, out / "av_minus_better.png")


def _weights(noises: Mapping[str, list], out: Path) -> Path:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(5, 3.4))
    for name, cells in noises.items():
        axis.plot([cell["snr_db"] for cell in cells], [cell["weight"]["av"] for cell in cells], marker=".", label=name)
    axis.set_xlabel("SNR dB")
    axis.set_ylabel("mean weight of the sound")
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return _save(figure, out / "weight_over_snr.png")


def _save(figure, path: Path) -> Path:
    from matplotlib import pyplot

    for target in (path, path.with_suffix(".pdf")):
        temporary = target.with_name(f".{target.name}")
        figure.savefig(temporary, bbox_inches="tight", dpi=150, format=target.suffix[1:])
        temporary.replace(target)
    pyplot.close(figure)
    return path
