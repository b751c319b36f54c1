"""A corpus given as a table with the columns path, speaker and text."""

from __future__ import annotations

import csv
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from avsr.corpora.datadir import Utterance
from avsr.corpora.labels import Failure, clean_speaker, nothing_usable, read_label_text, report, utterance_id
from avsr.errors import LabelError

COLUMNS = ("path", "speaker", "text")


@dataclass(frozen=True)
class Row:
    """One row: a media path relative to the table (or absolute), who speaks, what is said (NFC), and its line."""

    path: str
    speaker: str
    text: str
    line: int


def read_label(path: Path, *, failures: list[Failure] | None = None) -> list[Row]:
    """The rows of a table: tab-separated, or comma-separated with quotes where its name ends in ``.csv``.

    The first line names the columns; path, speaker and text must be among them, in any order.
    A broken row is appended to ``failures``, or raised where that is None.
    Raises LabelError naming the file and the line and column.
    """
    path = Path(path)
    text = read_label_text(path)
    lines = text.split("\n")
    # Text in a TSV may hold a quotation mark that is just that; only CSV quotes.
    style = {"delimiter": ","} if path.suffix.lower() == ".csv" else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    reader = csv.reader((line + "\n" for line in lines), strict=True, **style)
    try:
        header = [name.strip() for name in next(reader)]
        table = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise LabelError(f"{path}, line {reader.line_num}: is no row of a table ({error}); mend its quotes.") from None
    for column in COLUMNS:
        if header.count(column) != 1:
            raise LabelError(
                f"{path}, line 1: must name the column {column!r} once, but has columns {', '.join(map(repr, header))};"
                " give the table a first line with path, speaker and text."
            )
    rows = []
    for line, fields in table:
        try:
            rows.append(_row(path, line, header, fields))
        except LabelError as error:
            report(failures, Failure(fields[0], path, str(error)), error)
    return rows


def read_corpus(table: Path, *, failures: list[Failure] | None = None) -> list[Utterance]:
    """The utterances of a table, named after their paths (``a/b.mp4`` is ``a_b``).

    A row that cannot be used is appended to ``failures``, or raised where that is None.
    Raises LabelError when nothing is usable, naming ``table``.
    """
    table = Path(table)
    utterances: dict[str, Utterance] = {}
    for row in read_label(table, failures=failures):
        media = table.parent / row.path
        name = "_".join([*Path(row.path).parent.parts, Path(row.path).stem]).lstrip("/_")
        try:
            if not os.path.isfile(media):  # Path.is_file raises for a name that is too long
                raise LabelError(f"{table}, line {row.line}, path: there is no file {media}; mend the path.")
            utt_id = utterance_id(row.speaker, name)
            if utt_id in utterances:
                other = utterances[utt_id].media
                raise LabelError(
                    f"{table}, line {row.line}, path: {media} and {other} are both named {utt_id}; remove one."
                )
        except LabelError as error:
            report(failures, Failure(name, media, str(error)), error)
            continue
        utterances[utt_id] = Utterance(utt_id, clean_speaker(row.speaker), media, row.text)
    if not utterances:
        raise nothing_usable(table, "holds no row; list path, speaker and text of the utterances.", failures)
    return sorted(utterances.values(), key=lambda utterance: utterance.utt_id)


def _row(path: Path, line: int, header: list[str], fields: list[str]) -> Row:
    if len(fields) != len(header):
        raise LabelError(f"{path}, line {line}: has {len(fields)} fields where the first line names {len(header)};"
                         " mend the row.")
    values = dict(zip(header, (field.strip() for field in fields), strict=True))
    for column in COLUMNS:
        if not values[column]:
            raise LabelError(f"{path}, line {line}, {column}: is empty; fill it in or remove the row.")
    text = " ".join(unicodedata.normalize("NFC", values["text"]).split())
    return Row(values["path"], values["speaker"], text, line)
