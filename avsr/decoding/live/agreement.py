"""Which words of a segment that still goes on are certain enough to be promised: what two hypotheses in a row agree on.

Local agreement of two (Liu et al., "Low-latency sequence-to-sequence speech recognition and translation by partial hypothesis
selection", 2020; Macháček et al., "Turning Whisper into real-time transcription system", 2023), in whole eojeol. What was promised is
never taken back, and a final text begins with it whatever the last hypothesis says: that is how it is put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from avsr.media.captions import Word


class Agreement:
    """The words of one segment: `committed`, and how later hypotheses go on from there."""

    def __init__(self) -> None:
        self.committed: list[Word] = []
        self._before: list[str] = []  # how the hypothesis before this one went on

    @property
    def text(self) -> str:
        """What was committed."""
        return text_of(self.committed)

    def update(self, words: Sequence[Word], until: float) -> list[Word]:
        """Take a hypothesis of the segment as far as it is known, commit what it and the one before it agree on, of words that end by
        media second `until`; what it says beyond that."""
        rest = self.rest(words)
        count = 0
        for word, before in zip(rest, self._before):
            if word.text != before or word.end > until:
                break
            count += 1
        self.committed += rest[:count]
        self._before = [word.text for word in rest[count:]]
        return rest[count:]

    def rest(self, words: Sequence[Word]) -> list[Word]:
        """Those words of a hypothesis that come after what is committed.

        Where it spells what is committed in the same letters, that is cut off, whatever became of the spaces. Else those that begin
        after the last committed word: after its middle, for the same word is found a little earlier or later each time.
        """
        if not self.committed:
            return list(words)
        left = "".join(word.text for word in self.committed)
        for place, word in enumerate(words):
            if not left:
                return list(words[place:])
            if left.startswith(word.text):
                left = left[len(word.text) :]
            elif word.text.startswith(left):
                return [replace(word, text=word.text[len(left) :]), *words[place + 1 :]]
            else:
                break
        else:
            if not left:
                return []
        last = self.committed[-1]
        return [word for word in words if word.start > (last.start + last.end) / 2]

    def final(self, words: Sequence[Word]) -> list[Word]:
        """The segment's words by its last hypothesis: what is committed, and what that says beyond it."""
        return [*self.committed, *self.rest(words)]


def text_of(words: Iterable[Word]) -> str:
    """The words with spaces between."""
    return " ".join(word.text for word in words)


def erased_characters(shown: Sequence[str], final: str) -> int:
    """How many characters of the texts that were shown one after the other, and of the last of them when `final` came, were taken
    back: what follows the part that stays."""
    taken = 0
    for before, after in zip(shown, [*shown[1:], final]):
        stays = 0
        for a, b in zip(before, after):
            if a != b:
                break
            stays += 1
        taken += len(before) - stays
    return taken
