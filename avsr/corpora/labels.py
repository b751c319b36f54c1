"""What every label reader shares: reading a label's text, naming speakers and utterances, and noting what failed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from avsr.errors import LabelError, MediaError

Item = TypeVar("Item")

# Later stages name files after utterances, and most file systems hold 255 bytes of name with its suffixes.
LONGEST_ID = 200


@dataclass(frozen=True)
class Failure:
    """One utterance, clip or label that could not be used, and the sentence that says why."""

    name: str
    path: Path
    reason: str


def read_label_text(path: Path) -> str:
    """The text of a label or table, see label_text. Raises LabelError when the file is missing, empty, a folder, or not UTF-8."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise LabelError(f"{path}: there is no such file; check the path of the corpus.") from None
    except OSError as error:
        raise LabelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from None
    return label_text(data, path)


def label_text(data: bytes, path: object) -> str:
    r"""The text of a label's or table's bytes, newlines as ``\n`` and without a byte order mark; complaints name `path`.

    It is not brought to NFC here: a table may hold file names, which must stay as they are on disk.

    Raises LabelError when it is empty or not UTF-8.
    """
    try:
        text = data.decode("utf-8").lstrip("\ufeff")  # tools that join files leave more than one mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelError(f"{path}, line {line}: the text is not UTF-8; convert the file to UTF-8.") from None
    if not text.strip():
        raise LabelError(f"{path}: the file is empty; restore the label or remove the file.")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise LabelError(f"{path}, line {line}: holds a zero byte, so it is no text; restore the label.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def clean_speaker(name: str) -> str:
    """A speaker's name for use in utterance ids: NFC, letters, digits, ``_`` and ``.`` only.

    Every character left sorts after the ``-`` that follows the speaker in an utterance id, so that
    sorting by utterance also sorts by speaker, as Kaldi's tools demand.
    """
    return re.sub(r"[^\w.]", "_", unicodedata.normalize("NFC", name.strip()))


def clean_name(name: str) -> str:
    """An utterance's name (a file's stem, say): NFC, with white space turned into ``_``."""
    return re.sub(r"\s", "_", unicodedata.normalize("NFC", name.strip()))


def utterance_id(speaker: str, name: str) -> str:
    """``speaker-name``, both cleaned; the speaker comes first so that files sort by speaker.

    Raises LabelError when a part is empty, or the id too long or not UTF-8 to be a file's name.
    """
    parts = clean_speaker(speaker), clean_name(name)
    if not all(parts):
        raise LabelError(f"speaker {speaker!r}, utterance {name!r}: both need a name; rename the file or its folder.")
    utt_id = "-".join(parts)
    try:
        length = len(utt_id.encode("utf-8"))
    except UnicodeEncodeError:
        raise LabelError(f"{utt_id!a}: the name is not UTF-8; rename the file or its folder.") from None
    if length > LONGEST_ID:
        raise LabelError(f"{utt_id}: the name takes {length} bytes, over {LONGEST_ID}; give the file a shorter name.")
    return utt_id


def nothing_usable(source: Path, hint: str, failures: Sequence[Failure] | None) -> LabelError:
    """The error for a corpus of which no utterance can be used; where labels failed, it gives the first reason."""
    if failures:
        return LabelError(f"{source}: none of its {len(failures)} utterances or labels is usable: {failures[0].reason}")
    return LabelError(f"{source}: {hint}")


def report(failures: list[Failure] | None, failure: Failure, error: LabelError) -> None:
    """Note a failure and carry on, or raise it where nobody collects failures."""
    if failures is None:
        raise error
    failures.append(failure)


def watched(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, with a progress bar on stderr while they are many."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, console=Console(stderr=True), transient=True, disable=len(items) < 200)


def media_duration(path: Path) -> float | None:
    """A clip's length in seconds by its header, or None where that cannot be told.

    Damaged media is not a matter of the corpus: cropping lists it in its own ``failed.tsv``.
    """
    from avsr.media.probe import probe

    try:
        return probe(path).duration or None
    except MediaError:
        return None
