"""Korean text as lips show it: sounds that look alike are one viseme, and errors between visemes are the eye's own.

Which sounds look alike is a matter of where they are made. Lips shut for ㅁㅂㅃㅍ; the tongue's tip lifts for ㄴㄷㄸㅌㄹ; the
teeth nearly meet for ㅅㅆㅈㅉㅊ; nothing is seen of ㄱㄲㅋㅎ and the coda ㅇ. A glide in front of a vowel is passed through: ㅑ looks
like ㅏ; the rounding of ㅘ is seen before its ㅏ. (Places of articulation: Shin, Kiaer and Cha, The Sounds of Korean, 2013.)
"""

from __future__ import annotations

from avsr.errors import AvsrError
from avsr.text.hangul import is_hangul
from avsr.text.pronunciation import phonemes
from avsr.text.scores import ErrorCount

CONSONANTS = {"ㅁ": "ㅁㅂㅃㅍ", "ㄴ": "ㄴㄷㄸㅌㄹ", "ㅅ": "ㅅㅆㅈㅉㅊ", "ㄱ": "ㄱㄲㅋㅎㅇ"}
VOWELS = {"ㅏ": "ㅏㅑ", "ㅓ": "ㅓㅕ", "ㅗ": "ㅗㅛ", "ㅜ": "ㅜㅠ", "ㅡ": "ㅡ", "ㅣ": "ㅣ", "ㅔ": "ㅔㅐㅖㅒ"}
_DIPHTHONGS = {"ㅘ": "ㅜㅏ", "ㅝ": "ㅜㅓ", "ㅙ": "ㅜㅔ", "ㅞ": "ㅜㅔ", "ㅚ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ"}
_VISEME = {letter: name for names in (CONSONANTS, VOWELS) for name, letters in names.items() for letter in letters} | _DIPHTHONGS
"""A sound's viseme, or two, by its letter; ㅇ is the coda's, the silent onset is no sound."""


def visemes(text: str) -> str:
    """One letter a viseme, in the order of the sounds, spaces left out: "밥을" -> "ㅁㅏㅁㅡㄴ", as "맘은" has.

    Text is read as it is pronounced (`avsr.text.pronunciation`). A letter that stands alone, which only a recogniser writes, is
    taken for its sound, and what is no Hangul for itself.
    """
    found = []
    for word in _readable(text):
        try:
            found += [_VISEME[sound.symbol] for sound in phonemes(word)]
        except AvsrError:
            found += [_VISEME.get(letter, letter) for letter in word]
    return "".join(found)


def ver(reference: str, hypothesis: str) -> ErrorCount:
    """Viseme errors: what is wrong even to one who takes all that looks alike for the same. The rest of the errors in
    characters is the language's to tell apart."""
    import jiwer

    wanted, said = visemes(reference), visemes(hypothesis)
    counts = jiwer.process_characters(wanted, said)
    return ErrorCount(counts.substitutions + counts.deletions + counts.insertions, len(wanted))


def is_korean(text: str) -> bool:
    """Whether there is anything but spaces, and all of it Hangul."""
    letters = "".join(text.split())
    return bool(letters) and all(map(is_hangul, letters))


def _readable(text: str) -> list[str]:
    """Runs of whole eojeol that can be pronounced together, and by themselves those that cannot."""
    runs: list[list[str]] = [[]]
    for word in text.split():
        whole = all("가" <= letter <= "힣" for letter in word)
        if whole:
            runs[-1].append(word)
        else:
            runs += [[word], []]
    return [" ".join(run) for run in runs if run]
