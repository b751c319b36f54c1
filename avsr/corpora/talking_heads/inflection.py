"""Puts Korean words into a sentence: particles after nouns, endings after the stems of verbs and adjectives.

The rules are those of the standard orthography (한글 맞춤법, articles 15-18 and 34-38); which stems are irregular cannot
be seen from the spelling and is said by whoever makes a `Predicate`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_CODAS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_BRIGHT = "ㅏㅑㅗ"  # stems with these take 아, all others 어 (article 16)
# Stem-final vowel + 어 written as one syllable (articles 34, 35, 36); what is not here stays two syllables: 쉬어, 띄어.
_MERGED = {"ㅏ": "ㅏ", "ㅓ": "ㅓ", "ㅐ": "ㅐ", "ㅔ": "ㅔ", "ㅕ": "ㅕ", "ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ"}
_UNMERGED = ("피", "아니")  # 피어, 아니었 are what is written, although 펴, 아녔 are allowed

# After a final consonant; after a vowel. 으로 is the one that treats ㄹ as a vowel.
_PARTICLES = {
    "은": "는",
    "이": "가",
    "을": "를",
    "과": "와",
    "으로": "로",
    "이랑": "랑",
    "이나": "나",
    "이든지": "든지",
    "이라도": "라도",
    "이에요": "예요",
    "이야": "야",
    "아": "야",
    "이라고": "라고",
    "이라는": "라는",
}  # fmt: skip
_CONTRACTED = {"나가": "내가", "저가": "제가", "너가": "네가", "누구가": "누가", "나의": "내", "저의": "제", "너의": "네"}


@dataclass(frozen=True)
class Predicate:
    """A stem that takes endings: ``stem`` is the dictionary form without 다 and may hold words before it (먹어 보).

    ``kind`` is "verb", "adjective", "copula" (stem ends in 이, after a noun) or "tensed" (ends in 았, 었, 겠);
    ``irregular`` is "", or the name of the class: ㅂ ㄷ ㅅ ㅎ 르 러. ``honorific`` stems end in 시.
    """

    stem: str
    kind: str = "verb"
    irregular: str = ""
    honorific: bool = False


def split_syllable(syllable: str) -> tuple[int, str, str]:
    """(index of the onset, vowel, coda or "") of one syllable, the letters as they stand alone: 말 -> (6, ㅏ, ㄹ)."""
    index = ord(syllable) - 0xAC00
    if not 0 <= index < 11172:
        raise ValueError(f"'{syllable}' is no Hangul syllable, so nothing can be attached to it")
    return index // 588, _VOWELS[index // 28 % 21], _CODAS[index % 28].strip()


def make_syllable(onset: int, vowel: str, coda: str = "") -> str:
    """The syllable that `split_syllable` takes apart."""
    return chr(0xAC00 + onset * 588 + _VOWELS.index(vowel) * 28 + _CODAS.index(coda or " "))


def coda_of(word: str) -> str:
    """The final consonant of a word's last syllable, or ""."""
    return split_syllable(word[-1])[2]


def with_particle(noun: str, particle: str) -> str:
    """The noun with a particle given in its form after a consonant: 사과, 을 -> 사과를; 길, 으로 -> 길로; 나, 이 -> 내가.

    A particle that has one form only (에서, 도, 까지 ...) is put on as it is.
    """
    coda = coda_of(noun)
    if particle == "으로" and coda == "ㄹ":
        particle = "로"
    elif not coda:
        particle = _PARTICLES.get(particle, particle)
    word = noun + particle
    return _CONTRACTED.get(word, word)


def attach(predicate: Predicate, ending: str) -> str:
    """The stem with an ending in the notation of grammars.

    ``어요``: begins with 어, which is 아 after a bright vowel; ``(으)면``, ``(으)ㄹ``: 으 only where the stem needs it;
    ``습니다``, ``습니까``: ㅂ니다 after a vowel; ``는다``: ㄴ다 after a vowel, 다 for adjectives; ``는데``, ``는지``,
    ``는``: adjectives take (으)ㄴ in its place; ``는구나``, ``는군요``: adjectives lose 는; ``나요``: 는가요 for adjectives;
    anything else as it is.
    """
    if ending.startswith("나") and predicate.kind in ("adjective", "copula") and predicate.stem[-1] not in "있없":
        ending = "는가" + ending[1:]  # 가나요, 있나요, but 먼가요
    if predicate.kind == "copula":
        return _attach_copula(predicate, ending)
    if ending.startswith("는"):
        return _attach_neun(predicate, ending)
    if ending.startswith("(으)"):
        return _attach_eu(predicate, ending[3:])
    if ending.startswith("어"):
        if predicate.honorific and ending == "어요":
            return predicate.stem[:-1] + "세요"
        if predicate.stem.split()[-1] == "아니" and ending in ("어요", "어"):
            return predicate.stem + {"어요": "에요", "어": "야"}[ending]
        return infinitive(predicate) + ending[1:]
    if ending.startswith("습"):
        if coda_of(predicate.stem) in ("", "ㄹ"):
            return _with_coda(_without_l(predicate.stem), "ㅂ") + ending[1:]
        return predicate.stem + ending
    if ending[0] in "니네나":
        return _without_l(predicate.stem) + ending
    return predicate.stem + ending


def infinitive(predicate: Predicate) -> str:
    """The form in 아 or 어, without what follows it: 가, 먹어, 해, 도와, 빨개, 몰라."""
    stem, irregular = predicate.stem, predicate.irregular
    head, (onset, vowel, coda) = stem[:-1], split_syllable(stem[-1])
    if predicate.kind == "tensed":
        return stem + "어"
    if irregular == "ㅂ":  # 돕- and 곱- alone keep harmony (article 18.6)
        return head + make_syllable(onset, vowel) + ("와" if stem[-1] in "돕곱" and len(stem.split()[-1]) == 1 else "워")
    if irregular == "ㅎ":
        return head + make_syllable(onset, "ㅒ" if vowel == "ㅑ" else "ㅐ")
    if irregular == "르":
        before = split_syllable(stem[-2])
        return stem[:-2] + _with_coda(stem[-2], "ㄹ") + ("라" if before[1] in _BRIGHT else "러")
    if irregular == "러":
        return stem + "러"
    if coda:
        bare = make_syllable(onset, vowel, {"ㄷ": "ㄹ", "ㅅ": ""}[irregular]) if irregular else stem[-1]
        return head + bare + ("아" if vowel in _BRIGHT else "어")
    if stem[-1] == "하":
        return head + "해"
    if vowel == "ㅡ":  # 으 goes, and the syllable before it decides: 바빠, 예뻐, 써
        bright = bool(head) and head[-1] != " " and split_syllable(head[-1])[1] in _BRIGHT
        return head + make_syllable(onset, "ㅏ" if bright else "ㅓ")
    if vowel in _MERGED and stem.split()[-1] not in _UNMERGED:
        return head + make_syllable(onset, _MERGED[vowel])
    return stem + "어"


def past(predicate: Predicate) -> Predicate:
    """The stem in the past: 먹었, 갔, 해서는 했, 의사였."""
    if predicate.kind == "copula":
        noun = predicate.stem[:-1]
        return replace(
            predicate, stem=noun + ("이었" if coda_of(noun) else "였"), kind="tensed", irregular="", honorific=False
        )
    return Predicate(_with_coda(infinitive(predicate), "ㅆ"), "tensed")


def intent(predicate: Predicate) -> Predicate:
    """The stem with 겠: 하겠, 좋겠."""
    return Predicate(predicate.stem + "겠", "tensed")


def honorific(predicate: Predicate) -> Predicate:
    """The stem that honours its subject: 가시, 읽으시, 드시 for 먹 and 마시, 주무시 for 자, 계시 for 있."""
    if predicate.honorific:
        return predicate
    head, _, last = predicate.stem.rpartition(" ")
    own = {"먹": "드시", "마시": "드시", "자": "주무시", "있": "계시", "말하": "말씀하시"}.get(last)
    if own:
        return Predicate(f"{head} {own}".strip(), "verb", honorific=True)
    kind = "verb" if predicate.kind == "verb" else "adjective"
    return Predicate(attach(predicate, "(으)시"), kind, honorific=True)


def followed_by(predicate: Predicate, ending: str, auxiliary: Predicate) -> Predicate:
    """A longer predicate, the first in the form that `ending` gives it: 먹, 어, 보 -> 먹어 보."""
    return replace(auxiliary, stem=f"{attach(predicate, ending)} {auxiliary.stem}")


def _attach_copula(predicate: Predicate, ending: str) -> str:
    """이다 after a noun; after a vowel 이 goes wherever speech drops it (의사예요, 의사네요, 의사였어요)."""
    noun = predicate.stem[:-1]
    bare = noun if not coda_of(noun) else predicate.stem
    if ending == "어":
        return noun + ("이야" if coda_of(noun) else "야")
    if ending in ("어요", "에요"):
        return noun + ("이에요" if coda_of(noun) else "예요")
    if ending.startswith("어서"):
        return bare + "라서" + ending[2:]
    if ending.startswith("어"):
        return noun + ("이어" if coda_of(noun) else "여") + ending[1:]
    if ending.startswith("는다"):
        return bare + "다" + ending[2:]
    if ending.startswith(("는구", "는군")):
        return bare + ending[1:]
    if ending.startswith("는"):
        return predicate.stem[:-1] + "인" + ending[1:]
    if ending.startswith("습"):
        return noun + "입" + ending[1:]
    if ending.startswith("(으)"):
        rest = ending[3:]
        return noun + _with_coda("이", rest[0]) + rest[1:] if rest[0] in _CODAS else bare + rest
    return bare + ending


def _attach_neun(predicate: Predicate, ending: str) -> str:
    adjective = predicate.kind == "adjective"
    if ending.startswith(("는다", "는대")):
        if adjective or predicate.kind == "tensed":
            return predicate.stem + ending[1:]
        if coda_of(predicate.stem) in ("", "ㄹ"):
            return _with_coda(_without_l(predicate.stem), "ㄴ") + ending[1:]
        return predicate.stem + ending
    if ending.startswith(("는구", "는군")):
        if adjective or predicate.kind == "tensed":
            return predicate.stem + ending[1:]
    elif adjective and predicate.stem[-1] not in "있없":
        return _attach_eu(predicate, "ㄴ" + ending[1:])
    return _without_l(predicate.stem) + ending


def _attach_eu(predicate: Predicate, rest: str) -> str:
    """An ending that wants 으 after a consonant, without its (으): 면, ㄹ, 시 ..."""
    stem, irregular = predicate.stem, predicate.irregular
    head, (onset, vowel, coda) = stem[:-1], split_syllable(stem[-1])
    if irregular == "ㅂ":
        stem = head + make_syllable(onset, vowel) + "우"
    elif irregular == "ㄷ":
        stem = head + make_syllable(onset, vowel, "ㄹ") + "으"
    elif irregular == "ㅅ":
        stem = head + make_syllable(onset, vowel) + "으"
    elif irregular == "ㅎ":
        stem = head + make_syllable(onset, vowel)
    elif coda == "ㄹ":  # ㄹ goes before ㄴ, ㅂ, ㅅ and a final ㄹ (article 18.1), and stays before 면, 러, 려
        stem = _without_l(stem) if rest[0] in "ㄴㄹㅂ시세니십" else stem
    elif coda:
        stem += "으"
    return _with_coda(stem, rest[0]) + rest[1:] if rest[0] in _CODAS else stem + rest


def _without_l(stem: str) -> str:
    onset, vowel, coda = split_syllable(stem[-1])
    return stem[:-1] + make_syllable(onset, vowel) if coda == "ㄹ" else stem


def _with_coda(word: str, coda: str) -> str:
    onset, vowel, _ = split_syllable(word[-1])
    return unicodedata.normalize("NFC", word[:-1] + make_syllable(onset, vowel, coda))
