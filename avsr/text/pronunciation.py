"""Korean text as it is pronounced, by the rules of Standard Pronunciation (표준 발음법), and as a list of phonemes.

    pronounce("국물이 옷 안")  ->  "궁무리 오 단"

Two steps: `pronunciation_words` respells what only one who knows the words can tell (꽃잎 as 꽃닢, 갈등 as 갈뜽), then
`pronunciation_rules` applies the sound rules. Where the standard allows two pronunciations, the one that is commoner in
speech is taken: 시계[시게], 주의[주이], 우리의[우리에], 맛있다[마싣따]; and where it says "may", eojeol of one phrase
are run together.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from avsr.errors import AvsrError
from avsr.text.hangul import is_syllable
from avsr.text.pronunciation_context import closes_phrase
from avsr.text.pronunciation_rules import apply_rules
from avsr.text.pronunciation_words import respell
from avsr.text.syllable import Syllable

_BREAKS = ".,?!;:…"


@dataclass(frozen=True)
class Phoneme:
    """One sound: ``kind`` is "onset", "vowel" or "coda"; ``symbol`` a letter that stands alone.

    Onsets are the 18 consonants ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅈㅉㅊㅋㅌㅍㅎ, codas the seven ㄱㄴㄷㄹㅁㅂㅇ, vowels the 21 of
    the spelling. ``word`` is the index of the eojeol in which it is pronounced (옷 안: the ㄷ belongs to eojeol 1).
    """

    kind: str
    symbol: str
    word: int


def pronounce(text: str) -> str:
    """Hangul as it is pronounced, in syllables, with the same number of eojeol: ``"국물이"`` -> ``"궁무리"``.

    White space separates eojeol and comes out as single spaces. The marks ``. , ? ! ; : …`` at an eojeol's end close a
    phrase and stay; within a phrase the rules also apply from one eojeol to the next, as in 옷 안[오 단] and
    할 수[할 쑤]. Raises AvsrError for any other character: digits and Latin are read out beforehand.
    """
    eojeol = unicodedata.normalize("NFC", text).split()
    sounds = _sounds(eojeol)
    written = ["".join(str(syllable) for syllable in word) for word in sounds]
    return " ".join(sound + _mark(spelt) for sound, spelt in zip(written, eojeol, strict=True))


def phonemes(text: str) -> list[Phoneme]:
    """The sounds of ``pronounce(text)`` in their order, the null onset ㅇ left out; raises the same error."""
    found = []
    for word in _sounds(unicodedata.normalize("NFC", text).split()):
        for syllable in word:
            if syllable.onset != "ㅇ":
                found.append(Phoneme("onset", syllable.onset, syllable.word))
            found.append(Phoneme("vowel", syllable.vowel, syllable.word))
            if syllable.coda:
                found.append(Phoneme("coda", syllable.coda, syllable.word))
    return found


def _sounds(eojeol: list[str]) -> list[list[Syllable]]:
    """NFC eojeol, perhaps with marks at the end -> the syllables of each as they sound."""
    sounds: list[list[Syllable]] = []
    phrase: list[str] = []
    for word in eojeol:
        bare = word.rstrip(_BREAKS)
        _check(bare)
        phrase.append(bare)
        if bare != word:
            sounds += _phrase_sounds(phrase, len(sounds))
            phrase = []
    return sounds + _phrase_sounds(phrase, len(sounds))


def _phrase_sounds(phrase: list[str], first: int) -> list[list[Syllable]]:
    """Eojeol that are spoken without a break, ``first`` the index of the first one -> their syllables as they sound."""
    respelt = respell(phrase)
    words = [[Syllable.of(character, first + i) for character in word] for i, word in enumerate(respelt)]
    group: list[Syllable] = []
    for i, word in enumerate(words):
        group += word
        after = phrase[i + 1] if i + 1 < len(phrase) else ""
        if closes_phrase(phrase[i], after):
            apply_rules(group)
            group = []
    apply_rules(group)
    return words


def _mark(eojeol: str) -> str:
    return eojeol[len(eojeol.rstrip(_BREAKS)) :]


def _check(eojeol: str) -> None:
    for character in eojeol:
        if not is_syllable(character):
            raise AvsrError(
                f"'{character}' in '{eojeol}' cannot be pronounced: only whole Hangul syllables can, so write it out "
                "as it is read (3 as 삼 or 세, TV as 티비)."
            )
