"""What a model says of itself to the person who uses it for the first time, out of the card that it carries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from avsr.decoding.default_model import found_words
from avsr.files import replace_file
from avsr.lips.face_model import cache_dir


def opening_words(meta: dict[str, Any], found: Path | None) -> list[str]:
    """What a person is told as a model is loaded: which one it is, where it was `found` and not named, and what it says of itself."""
    words = (None if found is None else found_words(found), first_words(meta))
    return [sentence for sentence in words if sentence is not None]


def first_words(meta: dict[str, Any]) -> str | None:
    """The sentences of meta's card, once: None where they were said before in this user's name, or it has none.

    The card's words are its key, so that a model with other figures speaks again.
    """
    card = meta.get("card")
    words = card.get("first_use") if isinstance(card, dict) else None
    if not isinstance(words, str):
        return None
    marker = cache_dir() / "told" / hashlib.sha256(words.encode()).hexdigest()[:16]
    if marker.exists():
        return None
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        replace_file(marker, words.encode())
    except OSError:  # a home that cannot be written to: they are said again next time, and nothing else is the matter
        pass
    return words
