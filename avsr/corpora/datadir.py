"""The Kaldi-style data directory that every corpus reader writes and every later stage reads."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avsr.errors import LabelError
from avsr.tables import as_number, read_media_scp, read_table, spk2utt, write_lines, write_table


@dataclass(frozen=True)
class Utterance:
    """One utterance of a corpus.

    ``utt_id`` starts with the speaker and a ``-``. ``media`` is the file that holds it; ``start`` and
    ``end`` (seconds in that file) are None when the file holds this utterance and nothing else.
    ``words`` are (start, end, word) in seconds from the utterance's own start, or None when the
    corpus has no times.
    """

    utt_id: str
    speaker: str
    media: Path
    text: str
    start: float | None = None
    end: float | None = None
    words: list[tuple[float, float, str]] | None = None

    @property
    def name(self) -> str:
        """The utterance's name in its corpus: its id without the speaker."""
        return self.utt_id.removeprefix(f"{self.speaker}-")


def write_data_dir(directory: Path, utterances: Sequence[Utterance]) -> None:
    """Write ``media.scp``, ``text``, ``utt2spk``, ``spk2utt`` and, where words have times, ``align``.

    Sorted by utterance id in code point order (Kaldi's LC_ALL=C); text is NFC, times have three decimals.

    Raises LabelError when two utterances share an id, an id does not start with its speaker, or a
    text, word or path cannot be held by a line of its file.
    """
    ordered = sorted(utterances, key=lambda utterance: utterance.utt_id)
    seen: dict[str, Utterance] = {}
    for utterance in ordered:
        other = seen.setdefault(utterance.utt_id, utterance)
        if other is not utterance:
            raise LabelError(
                f"{utterance.media}: its utterance id {utterance.utt_id} is also that of {other.media};"
                " rename one of the two files."
            )
        _check_writable(utterance)
    directory = Path(directory)
    utt2spk = {utterance.utt_id: utterance.speaker for utterance in ordered}
    write_table(directory / "utt2spk", utt2spk)
    write_table(directory / "spk2utt", spk2utt(utt2spk))
    write_table(directory / "text", {utterance.utt_id: _one_line(utterance.text) for utterance in ordered})
    timed = [u for u in ordered if u.words is not None]
    if timed:
        write_lines(directory / "align", map(_align_line, timed))
    else:
        (directory / "align").unlink(missing_ok=True)  # a former run's times must not outlive it
    # Last, so that a directory with a media.scp is a finished one.
    write_lines(directory / "media.scp", map(_media_line, ordered))


def read_data_dir(directory: Path) -> list[Utterance]:
    """The utterances of a data directory, in its order.

    Raises LabelError naming the file and line that is missing, malformed or does not belong.
    """
    directory = Path(directory)
    media = {entry.utt_id: entry for entry in read_media_scp(directory / "media.scp")}
    texts = read_table(directory / "text", filled=True)
    speakers = read_table(directory / "utt2spk", filled=True)
    words = _read_align(directory / "align") if (directory / "align").exists() else {}
    for name, keys in (("text", texts), ("utt2spk", speakers)):
        if keys.keys() != media.keys():
            odd = min(keys.keys() ^ media.keys())
            where, lacking = (name, "media.scp") if odd in keys else ("media.scp", name)
            raise LabelError(
                f"{directory / lacking}: has no line for {odd}, which {where} has; prepare the data again."
            )
    stray = words.keys() - media.keys()
    if stray:
        raise LabelError(f"{directory / 'align'}: {min(stray)} is not in media.scp; prepare the data again.")
    return [
        Utterance(key, speakers[key], entry.media, texts[key], entry.start, entry.end, words.get(key))
        for key, entry in media.items()
    ]


def check_disjoint(splits: Mapping[str, Sequence[Utterance]]) -> None:
    """Raise LabelError, naming the speaker, when one speaker has utterances in two splits."""
    home: dict[str, str] = {}
    for split, utterances in splits.items():
        for utterance in utterances:
            other = home.setdefault(utterance.speaker, split)
            if other != split:
                raise LabelError(
                    f"speaker {utterance.speaker} is in both {other} and {split} ({utterance.utt_id}); move all of"
                    " that speaker's utterances to one of them, or ask for overlapping speakers by name"
                    " (--overlapping-speakers)."
                )


def _one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _media_line(utterance: Utterance) -> str:
    # abspath, not resolve: a corpus of links should keep the names by which it is known.
    line = f"{utterance.utt_id} {os.path.abspath(utterance.media)}"
    return line if utterance.start is None else f"{line} {utterance.start:.3f} {utterance.end:.3f}"


def _align_line(utterance: Utterance) -> str:
    words = utterance.words or []
    return " ".join([utterance.utt_id, *(f"{start:.3f} {end:.3f} {_one_line(word)}" for start, end, word in words)])


def _check_writable(utterance: Utterance) -> None:
    utt_id, path = utterance.utt_id, os.path.abspath(utterance.media)
    if not utt_id.startswith(f"{utterance.speaker}-") or utt_id.split() != [utt_id]:
        raise LabelError(f"{path}: the utterance id {utt_id!r} must be the speaker, '-' and a name without spaces.")
    if not utterance.speaker or not _one_line(utterance.text):
        raise LabelError(f"{path}: {utt_id} has an empty {'text' if utterance.speaker else 'speaker'}; fill it in.")
    try:
        f"{path}{utterance.text}{utterance.words}".encode("utf-8")
    except UnicodeEncodeError:
        raise LabelError(f"{path!a}: the file name or text of {utt_id!a} is not UTF-8; mend it.") from None
    if "\n" in path or "\r" in path or path != path.strip():
        raise LabelError(f"{path!r}: a line of media.scp cannot hold this file name; rename the file.")
    tail = path.rsplit(" ", 2)
    if len(tail) == 3 and as_number(tail[1]) is not None and as_number(tail[2]) is not None:
        raise LabelError(f"{path}: a file name that ends in two numbers reads like times in media.scp; rename it.")
    if (utterance.start is None) != (utterance.end is None):
        raise LabelError(f"{path}: {utt_id} has only one of start and end; give both or neither.")
    for _, _, word in utterance.words or []:
        if len(word.split()) != 1:
            raise LabelError(f"{path}: the word {word!r} of {utt_id} is empty or holds a space; mend its label.")


def _read_align(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    words = {}
    for utt_id, rest in read_table(path, filled=True).items():
        fields = rest.split()
        times = [as_number(field) for index, field in enumerate(fields) if index % 3 < 2]
        if len(fields) % 3 or None in times:
            raise LabelError(f"{path}: the line of {utt_id} is not 'start end word' repeated; prepare the data again.")
        words[utt_id] = list(zip(times[::2], times[1::2], fields[2::3], strict=True))
    return words
