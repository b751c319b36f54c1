"""When each phoneme of made speech is said: what the voice hands to the mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avsr.text.pronunciation import Phoneme


@dataclass(frozen=True)
class PhoneTime:
    """One phoneme, or a pause where `phoneme` is None, from `start` to `end` in seconds."""

    start: float
    end: float
    phoneme: Phoneme | None
