"""The voices that ship with the project: 35 minutes of command sentences, so that the first corpus needs no speaking.

``quickstart/`` beside this file holds a file of chained Ogg Opus for each speaker and an ``index.json``, made by
``python -m avsr.corpora.talking_heads.make_quickstart``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avsr.corpora.talking_heads.speech_files import speech_from
from avsr.corpora.talking_heads.voice import Speech
from avsr.errors import MediaError

FOLDER = Path(__file__).with_name("quickstart")
INDEX = "index.json"


@dataclass(frozen=True)
class ShippedSpeech:
    """One sentence that was spoken; its sound lies at ``offset`` in ``pack``, ``size`` bytes of it."""

    name: str
    speaker: str
    text: str
    pack: Path
    offset: int
    size: int
    times: dict[str, Any]

    def load(self) -> Speech:
        """The samples and times; MediaError where the pack is missing or broken."""
        try:
            with open(self.pack, "rb") as file:
                file.seek(self.offset)
                sound = file.read(self.size)
        except OSError as error:
            raise MediaError(f"{self.pack} cannot be read ({error.strerror}): install the project anew.") from None
        return speech_from(sound, self.times, f"{self.pack}, {self.name}")


def load_quickstart(folder: Path = FOLDER) -> Iterator[ShippedSpeech]:
    """The shipped sentences by speaker and number, their sound not yet read; MediaError where the index is not as made."""
    path = folder / INDEX
    try:
        rows = json.loads(path.read_bytes())["utterances"]
        speeches = [
            ShippedSpeech(
                row["name"], row["speaker"], row["text"], folder / row["pack"], row["offset"], row["size"], row["times"]
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path}: not the index of the shipped voices ({error!r}); install the project anew.") from error
    yield from speeches
