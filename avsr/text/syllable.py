"""One Hangul syllable as onset, vowel and coda, in the letters that stand alone (ㄱ, ㅏ), for rules that change them one by one.

The arithmetic is that of The Unicode Standard, section 3.12: code = 0xAC00 + (onset * 21 + vowel) * 28 + coda.
"""

from __future__ import annotations

from dataclasses import dataclass

ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
CODAS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
TENSE = {"ㄱ": "ㄲ", "ㄷ": "ㄸ", "ㅂ": "ㅃ", "ㅅ": "ㅆ", "ㅈ": "ㅉ"}
ASPIRATED = {"ㄱ": "ㅋ", "ㄷ": "ㅌ", "ㅂ": "ㅍ", "ㅈ": "ㅊ"}
# Articles 9-11: the 27 codas of the spelling as the seven that can be heard (표준 발음법).
HEARD_CODA = {
    "": "",
    **dict.fromkeys("ㄱㄲㅋㄳㄺ", "ㄱ"),
    **dict.fromkeys("ㄷㅅㅆㅈㅊㅌㅎ", "ㄷ"),
    **dict.fromkeys("ㅂㅍㅄㄿ", "ㅂ"),
    **dict.fromkeys("ㄴㄵㄶ", "ㄴ"),
    **dict.fromkeys("ㄹㄼㄽㄾㅀ", "ㄹ"),
    **dict.fromkeys("ㅁㄻ", "ㅁ"),
    "ㅇ": "ㅇ",
}

_FIRST = 0xAC00


@dataclass
class Syllable:
    """``onset`` is one of ONSETS (ㅇ: none), ``vowel`` one of VOWELS, ``coda`` one of CODAS; ``word`` numbers the eojeol."""

    onset: str
    vowel: str
    coda: str
    word: int = 0

    @classmethod
    def of(cls, character: str, word: int = 0) -> Syllable:
        """The parts of one whole syllable (가 .. 힣), which the caller has made sure of."""
        rest, coda = divmod(ord(character) - _FIRST, len(CODAS))
        onset, vowel = divmod(rest, len(VOWELS))
        return cls(ONSETS[onset], VOWELS[vowel], CODAS[coda], word)

    def __str__(self) -> str:
        onset, vowel = ONSETS.index(self.onset), VOWELS.index(self.vowel)
        return chr(_FIRST + (onset * len(VOWELS) + vowel) * len(CODAS) + CODAS.index(self.coda))


def coda_of(character: str) -> str:
    """The coda of one whole syllable, '' for none: 값 -> ㅄ."""
    return CODAS[(ord(character) - _FIRST) % len(CODAS)]


def with_coda(coda: str | None = None) -> str:
    """A regular expression's class of all syllables with this coda, or, for None, with any: ``with_coda("ㄹ")`` -> [갈걀걜..]."""
    every = map(chr, range(_FIRST, _FIRST + len(ONSETS) * len(VOWELS) * len(CODAS)))
    return f"[{''.join(one for one in every if (coda_of(one) == coda if coda else coda_of(one)))}]"


def tensed(character: str) -> str:
    """The syllable with a tense onset where its onset has one (가 -> 까), else as it is."""
    syllable = Syllable.of(character)
    syllable.onset = TENSE.get(syllable.onset, syllable.onset)
    return str(syllable)
