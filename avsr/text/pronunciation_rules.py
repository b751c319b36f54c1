"""The sound rules of Standard Pronunciation (표준 발음법), which need to see only the letters, in the order they apply.

Article numbers are those of the regulation (문화체육관광부 고시 제2017-13호, 표준어 규정 제2부). What needs to know words
(compounds, stems, Sino-Korean) has been respelt before, by `avsr.text.pronunciation_words`. Each rule looks at two
neighbouring syllables of one phrase and changes them in place; ``here.word == after.word`` says that both are in one
eojeol.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from avsr.text.syllable import ASPIRATED, HEARD_CODA, TENSE, Syllable

Rule = Callable[[Syllable, Syllable], None]

_CLUSTERS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
_WITHOUT_HIEUT = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}
_NASAL = {"ㄱ": "ㅇ", "ㄷ": "ㄴ", "ㅂ": "ㅁ"}
_WITHOUT_GLIDE = {"ㅑ": "ㅏ", "ㅒ": "ㅐ", "ㅕ": "ㅓ", "ㅖ": "ㅔ", "ㅛ": "ㅗ", "ㅠ": "ㅜ"}
# Syllables whose ㅅ is nearly always an inserted one; stems and nouns with ㅅ of their own (씻, 옷, 맛, 못) are not here, and
# neither is 빗, so that 빗방울 and the like are listed.
_INSERTED_S = set("갯겟굣귓깃깻냇눗닷댓뒷랫릿맷뭇뱃볏샛쇳싯윗잿젓젯찻촛춧칫콧텃툇팻핏햇혓홧횟훗")
_NOUNS_IN_LG = set("닭흙칡슭삵")  # 까닭, 기슭 by their last syllable


def apply_rules(phrase: list[Syllable]) -> None:
    """Change the syllables of one phrase, in place, from how they are (re)spelt to how they sound."""
    for syllable in phrase:
        _spelt_vowel(syllable)
    for rule in _BEFORE_NEUTRALISATION:
        for here, after in pairwise(phrase):
            if here.word == after.word:
                rule(here, after)
    for syllable in phrase:
        syllable.coda = HEARD_CODA[syllable.coda]
    for rule in _AFTER_NEUTRALISATION:
        for here, after in pairwise(phrase):
            rule(here, after)
    for syllable in phrase:
        if syllable.onset in "ㅈㅉㅊ":  # article 5, proviso 1 and its commentary: 다쳐[다처], 그렇죠[그러초]
            syllable.vowel = _WITHOUT_GLIDE.get(syllable.vowel, syllable.vowel)


def _spelt_vowel(syllable: Syllable) -> None:
    """Article 5: ㅢ after a consonant is ㅣ (proviso 3: 희망[히망]), ㅖ except in 예 and 례 (also as 녜) is ㅔ (proviso 2: 시계[시게]).

    Before linking, since 문의[무늬] and 밥 예약[바 볘약] keep the vowel of a syllable that was spelt without a consonant.
    """
    if syllable.onset != "ㅇ" and syllable.vowel == "ㅢ":
        syllable.vowel = "ㅣ"
    if syllable.onset not in "ㅇㄹㄴ" and syllable.vowel == "ㅖ":
        syllable.vowel = "ㅔ"


def _stem_clusters(here: Syllable, after: Syllable) -> None:
    """Articles 10, 11, 24, 25: what a stem's cluster does before a consonant: 밟고[밥꼬], 읽고[일꼬], 앉다[안따], 넓게[널께]."""
    if after.onset in "ㅇㅎ":
        return
    spelt = str(here)
    if spelt == "밟":  # article 10, proviso
        here.coda = "ㅂ"
    elif here.coda == "ㄺ" and after.onset == "ㄱ" and spelt not in _NOUNS_IN_LG:  # article 11, proviso
        here.coda, after.onset = "ㄹ", "ㄲ"
    elif here.coda in ("ㄵ", "ㄼ", "ㄾ") and spelt != "덟":  # articles 24 and 25 are about stems; 여덟 is a noun
        after.onset = TENSE.get(after.onset, after.onset)


def _inserted_s(here: Syllable, after: Syllable) -> None:
    """Article 30.1: an inserted ㅅ only makes the next consonant tense: 냇가[내까], 콧등[코뜽]."""
    if here.coda == "ㅅ" and after.onset in TENSE and str(here) in _INSERTED_S:
        here.coda, after.onset = "", TENSE[after.onset]


def _hieut_coda(here: Syllable, after: Syllable) -> None:
    """Article 12: 놓고[노코], 많지[만치], 닿소[다쏘], 쌓네[싼네], 낳은[나은], 싫어[시러]."""
    if here.coda not in _WITHOUT_HIEUT:
        return
    kept = _WITHOUT_HIEUT[here.coda]
    if after.onset in ("ㄱ", "ㄷ", "ㅈ"):
        here.coda, after.onset = kept, ASPIRATED[after.onset]
    elif after.onset == "ㅅ":
        here.coda, after.onset = kept, "ㅆ"
    elif after.onset == "ㅇ":
        here.coda = kept
    elif after.onset == "ㄴ":
        here.coda = kept or "ㄴ"


def _palatalise(here: Syllable, after: Syllable) -> None:
    """Article 17: 굳이[구지], 밭이[바치], 벼훑이[벼훌치], 붙여[부처], 닫혀[다처]; and 12 note 1: 꽂히다, 앉히다, 밝히다, 넓히다."""
    if after.vowel != "ㅣ" and not (after.vowel == "ㅕ" and after.coda in ("", "ㅆ")):
        return  # 맏형[마텽] is a compound, and its ㅕ has a coda of another kind than 닫혔다
    if after.onset == "ㅇ" and here.coda in ("ㄷ", "ㅌ", "ㄾ"):
        after.onset = "ㅈ" if here.coda == "ㄷ" else "ㅊ"
        here.coda = "ㄹ" if here.coda == "ㄾ" else ""
    elif after.onset == "ㅎ" and here.coda in ("ㄷ", "ㅈ", "ㄵ"):
        after.onset = "ㅊ"
        here.coda = "ㄴ" if here.coda == "ㄵ" else ""
    elif after.onset == "ㅎ" and here.coda in ("ㄺ", "ㄼ"):
        after.onset = "ㅋ" if here.coda == "ㄺ" else "ㅍ"
        here.coda = "ㄹ"


def _link(here: Syllable, after: Syllable) -> None:
    """Articles 13 and 14: 옷이[오시], 깎아[까까], 닭을[달글], 값을[갑쓸]."""
    if after.onset != "ㅇ" or here.coda in ("", "ㅇ"):
        return
    here.coda, after.onset = _CLUSTERS.get(here.coda, ("", here.coda))
    if here.coda and after.onset == "ㅅ":
        after.onset = "ㅆ"


def _tense_after_stop(here: Syllable, after: Syllable) -> None:
    """Article 23: 국밥[국빱], 옷고름[옫꼬름], 값지다[갑찌다]."""
    if here.coda in _NASAL:
        after.onset = TENSE.get(after.onset, after.onset)


def _join_stop_and_hieut(here: Syllable, after: Syllable) -> None:
    """Article 12, notes 1 and 2: 각하[가카], 못하다[모타다], 옷 한 벌[오탄벌]."""
    if here.coda in _NASAL and after.onset == "ㅎ":
        after.onset, here.coda = ASPIRATED[here.coda], ""


def _link_words(here: Syllable, after: Syllable) -> None:
    """Article 15: before another word the coda first becomes what is heard, then moves: 옷 안[오단], 닭 앞에[다가페]."""
    if here.coda not in ("", "ㅇ") and after.onset == "ㅇ":
        after.onset, here.coda = here.coda, ""


def _nasal_liquid(here: Syllable, after: Syllable) -> None:
    """Article 19: 담력[담녁], 막론[망논], 협력[혐녁]. A word that begins with ㄹ (라디오) keeps it."""
    if here.word == after.word and after.onset == "ㄹ" and here.coda in ("ㄱ", "ㄷ", "ㅂ", "ㅁ", "ㅇ"):
        after.onset = "ㄴ"


def _nasalise(here: Syllable, after: Syllable) -> None:
    """Article 18: 먹는[멍는], 국물[궁물], 옷맵시[온맵씨], 책 넣는다[챙넌는다]."""
    if after.onset in ("ㄴ", "ㅁ"):
        here.coda = _NASAL.get(here.coda, here.coda)


def _lateralise(here: Syllable, after: Syllable) -> None:
    """Article 20: 난로[날로], 칼날[칼랄], 할 일[할릴]. As in 19, a word that begins with ㄹ changes nothing before it."""
    if here.coda == "ㄴ" and after.onset == "ㄹ" and here.word == after.word:
        here.coda = "ㄹ"
    elif here.coda == "ㄹ" and after.onset == "ㄴ":
        after.onset = "ㄹ"


_BEFORE_NEUTRALISATION: tuple[Rule, ...] = (_stem_clusters, _inserted_s, _hieut_coda, _palatalise, _link)
_AFTER_NEUTRALISATION: tuple[Rule, ...] = (
    _tense_after_stop,
    _join_stop_and_hieut,
    _link_words,
    _nasal_liquid,
    _nasalise,
    _lateralise,
)
