"""Korean text as lips show it: sounds that look alike are one viseme, and errors between visemes are the eye's own.

Which sounds look alike is a matter of where they are made. Lips shut for ㅁㅂㅃㅍ; the tongue's tip lifts for ㄴㄷㄸㅌㄹ; the
teeth nearly meet for ㅅㅆㅈㅉㅊ; nothing is seen of ㄱㄲㅋㅎ and the coda ㅇ. A glide in front of a vowel is passed through: ㅑ looks
like ㅏ; the rounding of ㅘ is seen before its ㅏ. (Places of articulation: Shin, Kiaer and Cha, The Sounds of Korean, 2013.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

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

    What is no Hangul stands for itself.
    """
    return "".join(_VISEME.get(letter, letter) for letter in sounds(text))


def sounds(text: str) -> str:
    """One letter a sound, as it is pronounced (`avsr.text.pronunciation`), spaces and the silent onset left out: "국물이" ->
    "ㄱㅜㅇㅁㅜㄹㅣ". A letter that stands alone, which only a recogniser writes, is taken for its sound."""
    found = []
    for words in _readable(text):
        try:
            found += [sound.symbol for sound in phonemes(words)]
        except AvsrError:
            found += list(words)
    return "".join(found)


def count_confusions(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How often each sound that was said, of (reference, hypothesis), was read as each sound; "" where it was left out, or where
    nothing was said. Aligned with the fewest errors."""
    import jiwer

    counts: Counter[tuple[str, str]] = Counter()
    for reference, hypothesis in pairs:
        said, read = sounds(reference), sounds(hypothesis)
        if not said:
            counts.update(("", letter) for letter in read)
            continue
        for chunk in jiwer.process_characters(said, read).alignments[0]:
            here, there = said[chunk.ref_start_idx : chunk.ref_end_idx], read[chunk.hyp_start_idx : chunk.hyp_end_idx]
            counts.update(zip_longest(here, there, fillvalue=""))
    return counts


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
