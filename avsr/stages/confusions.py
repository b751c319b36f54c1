"""Which sounds a reader of lips takes for which, counted and drawn: part of the score stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from avsr.tables import write_lines
from avsr.text.scores import Scores
from avsr.text.visemes import CONSONANTS, VOWELS, count_confusions, is_korean, visemes

_FEWEST = 3  # times a sound is said to have a row


def write_confusions(scores: Scores, out: Path) -> str | None:
    """Write confusions.tsv (every pair of sounds, as often as it was) and confusions.png (sounds that were said, and visemes)
    into `out`; in a line, how far the eye is to blame. None, and nothing is written, where the text is not Korean."""
    pairs = [(score.reference, score.hypothesis) for score in scores.utterances.values()]
    if not all(is_korean(reference) for reference, _ in pairs):
        return None
    counts = count_confusions(pairs)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    write_lines(out / "confusions.tsv", ["said\tread\ttimes", *(f"{said}\t{read}\t{times}" for (said, read), times in rows)])
    _draw(counts, out / "confusions.png")
    wrong = {pair: times for pair, times in counts.items() if pair[0] != pair[1] and all(pair)}
    alike = sum(times for (said, read), times in wrong.items() if visemes(said) == visemes(read))
    return f"{alike} of {sum(wrong.values())} sounds that were taken for others look like them; see {out / 'confusions.png'}"


def matrix(counts: Mapping[tuple[str, str], int], names: list[str]) -> np.ndarray:
    """(n, n + 1) shares of what was read where each name was said, the last column what was left out; rows of zeros where it was
    never said. What is read beside these names counts in no column."""
    said = np.array([sum(times for (one, _), times in counts.items() if one == name) for name in names], float)
    found = np.array([[counts.get((name, read), 0) for read in [*names, ""]] for name in names], float)
    return found / np.maximum(said, 1)[:, None]


def _draw(counts: Counter[tuple[str, str]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import font_manager, pyplot

    font = font_manager.FontProperties(fname=_korean_font())
    said_often: Counter[str] = Counter()
    for (said, _), times in counts.items():
        said_often[said] += times
    by_viseme: Counter[tuple[str, str]] = Counter()
    for (said, read), times in counts.items():
        pair = visemes(said), visemes(read)
        if all(len(one) <= 1 for one in pair):  # a diphthong is two, and stands in the matrix of sounds alone
            by_viseme[pair] += times
    figure, axes = pyplot.subplots(1, 2, figsize=(15, 7.5), gridspec_kw={"width_ratios": [2, 1.1]})
    groups = [[letter for letter in letters if said_often[letter] >= _FEWEST] for letters in (CONSONANTS | VOWELS).values()]
    sounds = [letter for group in groups for letter in group]
    borders = np.cumsum([len(group) for group in groups if group])
    visible = [name for name in (*CONSONANTS, *VOWELS) if any(said == name for said, _ in by_viseme)]
    for axis, names, table, edges in ((axes[0], sounds, counts, borders), (axes[1], visible, by_viseme, [])):
        axis.imshow(matrix(table, names), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(names) + 1), [*names, "–"], fontproperties=font)
        axis.set_yticks(range(len(names)), names, fontproperties=font)
        axis.set_xlabel("read (–: left out)")
        axis.set_ylabel("said")
        for edge in edges:
            axis.axhline(edge - 0.5, color="0.6", linewidth=0.6)
            axis.axvline(edge - 0.5, color="0.6", linewidth=0.6)
    axes[0].set_title("sounds; those between two lines look alike", fontsize=10)
    axes[1].set_title("visemes", fontsize=10)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, bbox_inches="tight", dpi=110, format="png")
    temporary.replace(path)
    pyplot.close(figure)


def _korean_font() -> str:
    from pylopdf_fonts_ko import sans_path

    return str(sans_path())
