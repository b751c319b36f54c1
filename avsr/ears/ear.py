"""What a pretrained recogniser of sound has to give, to be an ear of ours; and how one is found by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from avsr.errors import AvsrError

if TYPE_CHECKING:
    import numpy as np

    from avsr.media.captions import Word

NATIVE = "native"  # no ear: the packed model's own audio stream


class Listening(Protocol):
    """One utterance that an ear has listened to."""

    @property
    def texts(self) -> list[str]:
        """What it may say, the likeliest first, no two alike, none empty; nothing where nobody seems to speak."""

    @property
    def sure(self) -> float:
        """How sure it is of the likeliest: the mean probability of its tokens, 0 to 1."""

    def likelihood(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) float64, the natural logarithm of how likely each text is, given the sound; of its own texts the first is the likeliest."""

    def words(self, text: str, start: float) -> list[Word]:
        """The text's words, split at spaces, with times; `start` is the media second at which the utterance begins."""


class Ear(Protocol):
    """A recogniser of sound, loaded."""

    name: str

    def listen(self, samples: np.ndarray) -> Listening:
        """Listen to one utterance, (N,) float32 in -1..1 at 16 kHz, of at most avsr.decoding.segment.LONGEST frames."""


def open_ear(name: str) -> Ear | None:
    """The ear of this name: ``native`` is None; ``whisper:SIZE`` or ``whisper:FOLDER``, see avsr.ears.whisper.

    Raises AvsrError where there is none of the name, or it cannot be loaded.
    """
    kind, _, which = name.partition(":")
    if name == NATIVE:
        return None
    if kind == "whisper" and which:
        from avsr.ears.whisper import WhisperEar

        return WhisperEar(which)
    raise AvsrError(f"ear {name}: it can be {NATIVE}, or whisper:SIZE (whisper:base, whisper:large-v3-turbo) or whisper:FOLDER.")
