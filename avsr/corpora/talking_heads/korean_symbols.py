"""Korean phonemes as the phonetic symbols of Kokoro, which has learnt no Korean: chosen by what its sound measures like.

Plain, tense and aspirated consonants are three different spellings. A plain stop is voiced between voiced sounds; at the
beginning of an eojeol it is voiceless with a little aspiration. A tense one is a geminate, whose closure is long (its
release is shortened in the sound, see `tense_stops`); an aspirated one has a long aspiration. In Seoul speech the pitch
of a word's first syllable tells them apart as much: low after plain stops, high after tense and aspirated ones, ㅅ and ㅎ
(Jun 1993, accentual phrase; Kang 2014).

Tried, one change at a time, with Whisper base as the listener (14 commands read as lists, 6 daily sentences, 330 syllables;
then 40 daily sentences, 610 syllables). A coda ㄹ as a tap: 38 errors for 48 with [l], which is often heard as a vowel (필통:
피우통); but in the 40 it made 107 for 90, nearly all of the loss after ㅗ ㅜ ㅡ (을, 물); as a tap after the other vowels
alone 96 for 90, so between the two it is even, and it stays for the words of the commands. No better on 6 commands, 67
syllables: ㅓ as [ɔ] or [ə], plain stops without their breath, an aspiration of [h]. Worse: a longer aspiration, which is
heard as a tense stop.
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
CODAS = {"ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "ɾ", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ŋ"}
VOWELS = {
    "ㅏ": "a", "ㅐ": "ɛ", "ㅑ": "ja", "ㅒ": "jɛ", "ㅓ": "ʌ", "ㅔ": "e", "ㅕ": "jʌ", "ㅖ": "je", "ㅗ": "o", "ㅘ": "wa", "ㅙ": "wɛ",
    "ㅚ": "we", "ㅛ": "jo", "ㅜ": "u", "ㅝ": "wʌ", "ㅞ": "we", "ㅟ": "wi", "ㅠ": "ju", "ㅡ": "ɯ", "ㅢ": "ɰi", "ㅣ": "i",
}  # fmt: skip
STOP_CODAS = frozenset("ㄱㄷㅂ")

_PALATAL = frozenset("ㅣㅑㅒㅕㅖㅛㅠㅟ")  # before these ㅅ is said [ɕ]
_BACK = frozenset("ㅗㅛㅜㅠㅡ")  # after these a coda ㄹ is understood as [l]
# Half of what Seoul speakers do: the model's own melody goes with it, and more of it is heard as another sound.
_HIGH_PITCH = {**dict.fromkeys("ㅋㅌㅍㅊㅎ", 1.1), **dict.fromkeys("ㄲㄸㅃㅆㅉ", 1.06), "ㅅ": 1.03}
_PLAIN_PITCH, _OTHER_PITCH = 0.9, 0.97  # after ㄱ ㄷ ㅂ ㅈ; after ㄴ ㄹ ㅁ and where no consonant is
_SHORT = 4.0  # makes a symbol one unit of time long, the least there is
_ASPIRATION_SPEED = 0.6


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
        if letter == "ㄹ" and (before is None or before.symbol in _BACK or (after is not None and after.symbol == "ㄹ")):
            return [Symbol("l", index)]  # 달라 is [talla]: the tap is for a single one
        return [Symbol(CODAS[letter], index)]
    if letter in TENSE:
        return _spell_tense(letter, before, after, index)
    if letter in ASPIRATED:
        sign, mark = ASPIRATED[letter]
        return [Symbol(sign, index), Symbol(mark, index, speed=_ASPIRATION_SPEED)]
    if letter in PLAIN:
        if before is not None:
            return [Symbol((PLAIN if _is_stop(before) else VOICED)[letter], index)]
        breath = [] if letter == "ㅈ" else [Symbol("ʰ", index, speed=_SHORT)]
        return [Symbol(PLAIN[letter], index), *breath]
    if letter == "ㅅ" and after is not None and after.symbol in _PALATAL:
        return [Symbol("ɕ", index)]
    if letter == "ㅅ":
        return [Symbol("s", index), Symbol("ʰ", index, speed=_SHORT)]  # ㅅ is breathy, ㅆ is not
    if letter == "ㄹ" and before is not None and before.kind == "coda":
        return [Symbol("l", index)]
    return [Symbol(OTHERS[letter], index)]


def _spell_tense(letter: str, before: Phoneme | None, after: Phoneme | None, index: int) -> list[Symbol]:
    sign = TENSE[letter]
    if letter == "ㅆ" and after is not None and after.symbol in _PALATAL:
        sign = "ɕ"
    if before is not None and _is_stop(before):
        return [Symbol(sign, index)]  # the coda's closure is the first half of the geminate
    return [Symbol("t" if letter == "ㅉ" else sign, index), Symbol(sign, index)]


def _with_melody(symbols: list[Symbol], phonemes: Sequence[Phoneme]) -> list[Symbol]:
    """The same symbols, the first vowel of each eojeol higher or lower, by the consonant before it."""
    pitch: dict[int, float] = {}
    seen: set[int] = set()
    for index, phoneme in enumerate(phonemes):
        if phoneme.kind == "vowel" and phoneme.word not in seen:
            seen.add(phoneme.word)
            onset = phonemes[index - 1] if index and phonemes[index - 1].word == phoneme.word else None
            letter = "" if onset is None else onset.symbol
            pitch[index] = _PLAIN_PITCH if letter in PLAIN else _HIGH_PITCH.get(letter, _OTHER_PITCH)
    return [
        symbol if symbol.phoneme not in pitch else Symbol(symbol.text, symbol.phoneme, symbol.speed, pitch[symbol.phoneme])
        for symbol in symbols
    ]


def _is_stop(phoneme: Phoneme) -> bool:
    return phoneme.kind == "coda" and phoneme.symbol in STOP_CODAS
