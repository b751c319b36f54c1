"""Respells words whose pronunciation the letters alone do not tell, before the sound rules: 꽃잎 -> 꽃닢, 갈등 -> 갈뜽."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from avsr.text.pronunciation_context import takes_n, tense_positions
from avsr.text.pronunciation_exceptions import (
    RESPELT,
    SINO_KOREAN,
    SINO_KOREAN_ANYWHERE,
    SINO_KOREAN_NOT_BEFORE,
)
from avsr.text.syllable import HEARD_CODA, Syllable, tensed, with_coda

_ENTRY = re.compile(r"(?P<where>~?)(?P<marked>[가-힣'+\-|]+)(?P<guard>(?:\(\?[=!].*?\))?)(?:=(?P<respelt>[가-힣]+))?")

# Article 20, proviso: ㄴ stays before these suffixes of words of three syllables or more (생산량[생산냥], 판단력[판단녁]) ...
_AFTER_STAYING_N = re.compile(rf"(?<=.){with_coda('ㄴ')}([란량력령례로론료류])")
# ... but not where the last two syllables are a word of their own: 만유인력[마뉴일력], 화석연료[화성녈료].
_LATERAL_WORDS = frozenset(
    "인력 권력 전력 근력 난로 진로 선로 언론 분류 인류 한류 혼란 곤란 산란 반란 찬란 "
    "논란 만료 원료 연료 진료 관례 판례 선례 연령 분량 원론 반론 본론 군량 원로".split()
)
_N_AFTER_ALL = frozenset(
    "이원론 일원론 다원론 입원료 출연료 공연료 회원료 흡인력 견인력 동원령 사면령 후원료 강연료".split()
)

_LEAF = re.compile(rf"{with_coda()}(잎)")  # article 29: 꽃잎[꼰닙], 솔잎[솔립]
_WITHOUT = re.compile(rf"({with_coda()})없")  # article 15: 없다 is a word of its own, 끝없이[끄덥씨]

# Words that end in 의 of their own; at the end of any other eojeol it is the particle, which may be 에 (article 5, proviso 4).
_NOUNS_IN_UI = frozenset(
    "거의 회의 강의 주의 의의 정의 논의 동의 합의 결의 토의 편의 예의 호의 문의 협의 건의 창의 상의 하의 내의 질의 성의 고의 "
    "유의 열의 악의 선의 임의 제의 항의 심의 탈의 민주주의 사회주의 자본주의 개인주의 이기주의 민족주의 "
    "자유주의 완벽주의 채식주의 부주의 무성의 국무회의 학부모회의 화상회의 임원회의".split()
)


@dataclass(frozen=True)
class _Respelling:
    spelt: str
    respelt: str
    anywhere: bool
    guard: re.Pattern[str]  # what has to follow


def respell(phrase: list[str]) -> list[str]:
    """Eojeol of one phrase (whole syllables) -> the same eojeol, each with as many syllables, respelt for the rules."""
    respelt = []
    for i, spelt in enumerate(phrase):
        before = phrase[i - 1] if i else ""
        after = phrase[i + 1] if i + 1 < len(phrase) else ""
        syllables = list(_by_suffix(spelt, _from_lexicon(spelt)))
        for position in tense_positions(spelt, before, after):
            syllables[position] = tensed(syllables[position])
        if takes_n(spelt, before):
            syllables[0] = _with_onset(syllables[0], "ㄴ")
        respelt.append("".join(syllables))
    return respelt


def _from_lexicon(spelt: str) -> str:
    """One eojeol, every listed word in it respelt, the longest that fits first."""
    found, position = [], 0
    while position < len(spelt):
        for entry in _LEXICON.get(spelt[position], ()):
            end = position + len(entry.spelt)
            if (
                (position == 0 or entry.anywhere)
                and spelt.startswith(entry.spelt, position)
                and entry.guard.match(spelt, end)
            ):
                found.append(entry.respelt)
                position = end
                break
        else:
            found.append(spelt[position])
            position += 1
    return "".join(found)


def _by_suffix(spelt: str, respelt: str) -> str:
    """One eojeol with what open classes of words do: -량 and -력, -잎, -없다, and 의."""
    syllables = list(respelt)
    for match in _AFTER_STAYING_N.finditer(spelt):
        at = match.start(1)
        if spelt[at - 1 : at + 1] not in _LATERAL_WORDS or spelt[at - 2 : at + 1] in _N_AFTER_ALL:
            syllables[at] = _with_onset(syllables[at], "ㄴ")
    for match in _LEAF.finditer(spelt):
        syllables[match.start(1)] = "닢"
    for match in _WITHOUT.finditer(spelt):
        at = match.start(1)
        syllables[at] = _heard(syllables[at])
    for at in range(1, len(spelt)):
        if syllables[at] == "의":
            syllables[at] = "에" if at == len(spelt) - 1 and spelt not in _NOUNS_IN_UI else "이"
    return "".join(syllables)


def _with_onset(character: str, onset: str) -> str:
    syllable = Syllable.of(character)
    syllable.onset = onset
    return str(syllable)


def _heard(character: str) -> str:
    syllable = Syllable.of(character)
    syllable.coda = HEARD_CODA[syllable.coda]
    return str(syllable)


def _unmark(marked: str) -> tuple[str, str]:
    """A word with the marks of `pronunciation_exceptions` -> its spelling and its respelling."""
    spelt = respelt = mark = ""
    for character in marked:
        if character in "'+-|":
            mark = character
            continue
        spelt += character
        if mark == "'":
            character = tensed(character)
        elif mark in ("+", "-"):
            character = _with_onset(character, "ㄴ")
        elif mark == "|":  # linked here and now: the rules would make 첫인상 a 처진상
            before = Syllable.of(_heard(respelt[-1]))
            character, before.coda = _with_onset(character, before.coda), ""
            respelt = respelt[:-1] + str(before)
        respelt += character
        mark = ""
    return spelt, respelt


def _listed_entries() -> Iterator[_Respelling]:
    for line in RESPELT.splitlines():
        if line.startswith("#"):
            continue
        for entry in line.split():
            match = _ENTRY.fullmatch(entry)
            assert match, f"pronunciation_exceptions.py: '{entry}' is not an entry"
            spelt, respelt = _unmark(match["marked"])
            respelt = match["respelt"] or respelt
            assert len(spelt) == len(respelt), f"pronunciation_exceptions.py: '{entry}' changes the number of syllables"
            yield _Respelling(spelt, respelt, bool(match["where"]) or len(spelt) > 2, re.compile(match["guard"]))


def _sino_korean_entries() -> Iterator[_Respelling]:
    for group in SINO_KOREAN.replace("\n", "/").split("/"):
        first, *seconds = group.split() or [""]
        for second in seconds:
            spelt = first + second
            refused = SINO_KOREAN_NOT_BEFORE.get(spelt, r"\Z.")  # which never matches
            anywhere = spelt in SINO_KOREAN_ANYWHERE
            yield _Respelling(spelt, first + tensed(second), anywhere, re.compile(f"(?!{refused})"))


def _lexicon() -> dict[str, list[_Respelling]]:
    """First syllable -> the words that begin with it, the longest first."""
    lexicon: dict[str, list[_Respelling]] = defaultdict(list)
    for entry in (*_listed_entries(), *_sino_korean_entries()):
        lexicon[entry.spelt[0]].append(entry)
    for entries in lexicon.values():
        entries.sort(key=lambda entry: -len(entry.spelt))
    return dict(lexicon)


_LEXICON = _lexicon()
