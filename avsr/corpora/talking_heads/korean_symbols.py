"""Korean phonemes as the phonetic symbols of Kokoro, which has learnt no Korean: chosen by what its sound measures like.

Plain, tense and aspirated consonants are three different spellings. A plain stop is voiced between voiced sounds and
otherwise a bare voiceless one; a tense one is a geminate (a long closure and a burst that is followed by the voice at
once), opened by a stress mark where no vowel precedes it; an aspirated one has the mark of aspiration. In Seoul speech the
pitch of a word's first syllable tells them apart as well: high after tense and aspirated ones, ㅅ and ㅎ, low after all
others (Jun 1993, accentual phrase).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avsr.text.pronunciation import Phoneme

PLAIN = {"ㄱ": "k", "ㄷ": "t", "ㅂ": "p", "ㅈ": "ʨ"}
VOICED = {"ㄱ": "ɡ", "ㄷ": "d", "ㅂ": "b", "ㅈ": "ʥ"}
TENSE = {"ㄲ": "k", "ㄸ": "t", "ㅃ": "p", "ㅉ": "ʨ", "ㅆ": "s"}
ASPIRATED = {"ㅋ": "kʰ", "ㅌ": "tʰ", "ㅍ": "pʰ", "ㅊ": "ʨʰ"}
OTHERS = {"ㄴ": "n", "ㄹ": "ɾ", "ㅁ": "m", "ㅅ": "s", "ㅎ": "h"}
CODAS = {"ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "l", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ŋ"}
VOWELS = {
    "ㅏ": "a", "ㅐ": "ɛ", "ㅑ": "ja", "ㅒ": "jɛ", "ㅓ": "ʌ", "ㅔ": "e", "ㅕ": "jʌ", "ㅖ": "je", "ㅗ": "o", "ㅘ": "wa", "ㅙ": "wɛ",
    "ㅚ": "we", "ㅛ": "jo", "ㅜ": "u", "ㅝ": "wʌ", "ㅞ": "we", "ㅟ": "wi", "ㅠ": "ju", "ㅡ": "ɯ", "ㅢ": "ɰi", "ㅣ": "i",
}  # fmt: skip
STOP_CODAS = frozenset("ㄱㄷㅂ")

_PALATAL = frozenset("ㅣㅑㅒㅕㅖㅛㅠㅟ")  # before these ㅅ is said [ɕ]
_HIGH = frozenset("ㄲㄸㅃㅆㅉㅋㅌㅍㅊㅅㅎ")
_HIGH_PITCH, _LOW_PITCH = 1.08, 0.94
_MARK_SPEED = 4.0  # the stress mark sounds like the sound before it: one unit of time is enough
_ASPIRATION_SPEED = 0.8


@dataclass(frozen=True)
class Symbol:
    """One symbol of the model: ``phoneme`` is the index of the phoneme it belongs to, None for a gap between words."""

    text: str
    phoneme: int | None
    speed: float = 1.0
    pitch: float = 1.0


def spell(phonemes: Sequence[Phoneme], *, breaks: frozenset[int] = frozenset(), end: str = ".") -> list[Symbol]:
    """The symbols of one utterance: a space between eojeol, a comma after those whose index is in ``breaks``, ``end`` last."""
    symbols: list[Symbol] = []
    for index, phoneme in enumerate(phonemes):
        before = phonemes[index - 1] if index else None
        first = before is None or before.word != phoneme.word
        if before is not None and first:
            symbols += [Symbol(mark, None) for mark in (", " if before.word in breaks else " ")]
        after = phonemes[index + 1] if index + 1 < len(phonemes) else None
        symbols += _spell_one(phoneme, None if first else before, after, index)
    return [*_with_melody(symbols, phonemes), Symbol(end, None)]


def _spell_one(phoneme: Phoneme, before: Phoneme | None, after: Phoneme | None, index: int) -> list[Symbol]:
    """The symbols of one phoneme; ``before`` is None at the beginning of an eojeol."""
    letter = phoneme.symbol
    if phoneme.kind == "vowel":
        return [Symbol(sign, index) for sign in VOWELS[letter]]
    if phoneme.kind == "coda":
        return [Symbol(CODAS[letter], index)]
    if letter in TENSE:
        return _spell_tense(letter, before, after, index)
    if letter in ASPIRATED:
        sign, mark = ASPIRATED[letter]
        return [Symbol(sign, index), Symbol(mark, index, speed=_ASPIRATION_SPEED)]
    if letter in PLAIN:
        voiced = before is not None and not _is_stop(before)
        return [Symbol((VOICED if voiced else PLAIN)[letter], index)]
    if letter == "ㅅ" and after is not None and after.symbol in _PALATAL:
        return [Symbol("ɕ", index)]
    if letter == "ㄹ" and before is not None and before.kind == "coda":
        return [Symbol("l", index)]  # 달라 is [talla]: the tap is for a single one
    return [Symbol(OTHERS[letter], index)]


def _spell_tense(letter: str, before: Phoneme | None, after: Phoneme | None, index: int) -> list[Symbol]:
    sign = TENSE[letter]
    if letter == "ㅆ" and after is not None and after.symbol in _PALATAL:
        sign = "ɕ"
    if before is not None and _is_stop(before):
        return [Symbol(sign, index)]  # the coda's closure is the first half of the geminate
    closure = "t" if letter == "ㅉ" else sign
    mark = [] if before is not None and before.kind == "vowel" else [Symbol("ˈ", index, speed=_MARK_SPEED)]
    return [*mark, Symbol(closure, index), Symbol(sign, index)]


def _with_melody(symbols: list[Symbol], phonemes: Sequence[Phoneme]) -> list[Symbol]:
    """The same symbols, the first vowel of each eojeol higher or lower by the consonant before it."""
    pitch: dict[int, float] = {}
    seen: set[int] = set()
    for index, phoneme in enumerate(phonemes):
        if phoneme.kind == "vowel" and phoneme.word not in seen:
            seen.add(phoneme.word)
            onset = phonemes[index - 1] if index and phonemes[index - 1].word == phoneme.word else None
            pitch[index] = _HIGH_PITCH if onset is not None and onset.symbol in _HIGH else _LOW_PITCH
    return [
        symbol if symbol.phoneme not in pitch else Symbol(symbol.text, symbol.phoneme, symbol.speed, pitch[symbol.phoneme])
        for symbol in symbols
    ]


def _is_stop(phoneme: Phoneme) -> bool:
    return phoneme.kind == "coda" and phoneme.symbol in STOP_CODAS
