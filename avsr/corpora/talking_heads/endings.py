"""What one does with a clause by its ending: tells, asks, proposes, forbids ..., at three levels of politeness."""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads.inflection import Predicate, attach, followed_by, honorific, past
from avsr.corpora.talking_heads.lexicon import split_clause
from avsr.corpora.talking_heads.slots import LEVELS, pick

# Mood -> forms at each level (해요, 합니다, 해), as `attach` takes them; what is there twice is said twice as often.
# `past:` puts the stem into the past first, `hon:` honours the listener, `안:` and `못:` stand before the verb; the
# rest are auxiliaries.
_FORMS = {
    "fact": ("어요", "습니다", "어"),
    "now": ("어요 어요 어요 네요", "습니다", "어 어 어 네"),
    "past": ("past:어요", "past:습니다", "past:어"),
    "did": (
        "past:어요 past:어요 past:어요 past:어요 past:어요 past:거든요",
        "past:습니다",
        "past:어 past:어 past:어 past:어 past:거든",
    ),
    "news": (
        "past:어요 past:어요 past:대요 past:다고_해요 past:다고_들었어요",
        "past:습니다 past:다고_합니다",
        "past:어 past:어 past:대",
    ),
    "habit": ("어요", "습니다", "어"),
    "going": ("고있:어요 고있:어요 는_중이에요", "고있:습니다 고있:습니다 는_중입니다", "고있:어 고있:어 는_중이야"),
    "will": (
        "(으)ㄹ_거예요 (으)ㄹ_거예요 (으)려고_해요 기로_했어요 (으)ㄹ게요 (으)ㄹ_생각이에요 (으)ㄹ_예정이에요 (으)ㄹ래요",
        "겠습니다 (으)ㄹ_겁니다 (으)려고_합니다 기로_했습니다 (으)ㄹ_예정입니다 (으)ㄹ_생각입니다",
        "(으)ㄹ_거야 (으)ㄹ_거야 (으)려고_해 기로_했어 (으)ㄹ게 (으)ㄹ래 (으)ㄹ_생각이야",
    ),
    "they_will": (
        "(으)ㄹ_거예요 (으)ㄹ_거예요 기로하:past:어요 려고하:어요 (으)ㄹ_것_같아요 는다고_해요 는다고_했어요 는대요",
        "(으)ㄹ_겁니다 기로하:past:습니다 려고하:습니다 는다고_합니다 (으)ㄹ_예정입니다",
        "(으)ㄹ_거야 기로_했어 (으)려고_해 (으)ㄹ_것_같아 는다고_했어 는대",
    ),
    "forecast": (
        "(으)ㄹ_거예요 (으)ㄹ_것_같아요 겠어요",
        "겠습니다 (으)ㄹ_것_같습니다 (으)ㄹ_겁니다",
        "(으)ㄹ_거야 (으)ㄹ_것_같아 겠다",
    ),
    "wish": ("고_싶어요 고_싶어요 past:(으)면_좋겠어요 고_싶은데요", "고_싶습니다", "고_싶어 고_싶다 past:(으)면_좋겠어"),
    "they_wish": ("싶어하:어요", "싶어하:습니다", "싶어하:어"),
    "must": ("어야_해요 어야_돼요 어야겠어요", "어야_합니다 어야_됩니다", "어야_해 어야_돼 어야겠다"),
    "they_must": ("어야_해요 어야_돼요", "어야_합니다", "어야_해 어야_돼"),
    "can": ("(으)ㄹ_수_있어요", "(으)ㄹ_수_있습니다", "(으)ㄹ_수_있어"),
    "skill": ("(으)ㄹ_줄_알아요 (으)ㄹ_줄_몰라요", "(으)ㄹ_줄_압니다 (으)ㄹ_줄_모릅니다", "(으)ㄹ_줄_알아 (으)ㄹ_줄_몰라"),
    "tried": (
        "(으)ㄴ_적이_있어요 (으)ㄴ_적이_없어요 어_봤어요 어_보고_싶어요",
        "(으)ㄴ_적이_있습니다 (으)ㄴ_적이_없습니다 어_봤습니다",
        "(으)ㄴ_적이_있어 (으)ㄴ_적_없어 어_봤어 어_보고_싶어",
    ),
    "like": (
        "는_것을_좋아해요 는_걸_좋아해요 는_걸_싫어해요 는_게_좋아요",
        "는_것을_좋아합니다",
        "는_걸_좋아해 는_게_좋아 는_거_싫어해",
    ),
    "they_like": ("는_것을_좋아해요 는_걸_좋아해요", "는_것을_좋아합니다", "는_걸_좋아해"),
    "begin": ("기시작하:past:어요", "기시작하:past:습니다", "기시작하:past:어"),
    "guess": ("는_것_같아요 (으)ㄴ_것_같아요", "는_것_같습니다 (으)ㄴ_것_같습니다", "나_봐 는_것_같아 (으)ㄴ_것_같아"),
    "not": (
        "않:past:어요 안:past:어요 못:past:어요 못하:past:어요",
        "않:past:습니다 못하:past:습니다 못:past:습니다",
        "안:past:어 못:past:어 않:past:어",
    ),
    "suggest": (
        "(으)ㄹ까요 (으)ㄹ까요 (으)ㄹ래요 는_게_어때요",
        "(으)ㅂ시다 (으)ㅂ시다 hon:겠습니까",
        "자 자 (으)ㄹ까 (으)ㄹ래",
    ),
    "order": (
        "hon:어요 hon:어요 hon:어요 hon:어요 어_보세요 는_게_좋아요 는_게_어때요",
        "hon:(으)ㅂ시오 는_것이_좋습니다 hon:기_바랍니다",
        "어 어 어 어_봐 는_게_좋아 는_게_어때",
    ),
    "please": (
        "어_주세요 어_주세요 어_주시겠어요 어_주실래요",
        "어_주십시오 어_주시기_바랍니다 어_주시겠습니까",
        "어_줘 어_줘 어_줄래",
    ),
    "ask": ("어요 어요 나요", "습니까", "어 어 니"),
    "ask_person": ("hon:어요 어요", "hon:습니까", "어 어 니"),
    "ask_past": ("past:어요 past:어요", "past:습니까", "past:어 past:어 past:니"),
    "ask_person_past": ("past:어요 hon:past:어요", "hon:past:습니까", "past:어 past:어 past:니"),
    "ask_will": ("(으)ㄹ_거예요 (으)ㄹ_거예요", "(으)ㄹ_겁니까", "(으)ㄹ_거야 (으)ㄹ_거니"),
    "give": ("hon:어요 hon:어요 hon:겠어요 hon:(으)ㄹ래요", "hon:(으)ㅂ시오 hon:기_바랍니다 hon:겠습니까", "어 어 (으)ㄹ래"),
    "instruct": ("hon:어요", "hon:(으)ㅂ시오", "어"),
    "do_not": ("지_마세요", "지_마십시오", "지_마"),
    "forbid": (
        "지_마세요 지_마세요 (으)면_안_돼요",
        "지_마십시오 (으)면_안_됩니다 지_말아_주십시오",
        "지_마 지_마 (으)면_안_돼",
    ),
}
# Auxiliaries take what honours the subject: 가지 않으셨어요, 보고 계세요.
_AUXILIARIES = {
    "않": ("지", "않"),
    "못하": ("지", "못하"),
    "고있": ("고", "있"),
    "싶어하": ("고", "싶어 하"),
    "기로하": ("기로", "하"),
    "기시작하": ("기", "시작하"),
    "려고하": ("(으)려고", "하"),
}
MOODS = {
    mood: tuple(tuple(form.replace("_", " ") for form in forms.split()) for forms in row) for mood, row in _FORMS.items()
}


def finish(clause: str, mood: str, level: str, rng: np.random.Generator, honoured: bool = False) -> str:
    """The clause (in the dictionary form, 밥을 먹다) with an ending of the mood at the level of speech: 밥을 먹을까요.

    ``honoured``: the subject is one to whom respect is due, and the predicate says so.
    """
    if clause.endswith("지 말다"):
        clause, mood = clause.removesuffix("지 말다") + "다", "do_not"
    if mood == "please" and clause.endswith("주다"):
        mood = "give"  # 빌려주세요, not 빌려줘 주세요
    forms = MOODS[mood][LEVELS.index(level)]
    if clause.endswith("보다"):  # 봐 보세요 is said by nobody
        forms = [form for form in forms if not form.startswith(("어 보", "어 봐", "어 봤"))]
    return inflect(clause, pick(forms, rng), honoured)


def inflect(clause: str, form: str, honoured: bool = False) -> str:
    """The clause in a form as `attach` takes it, or with ``past:``, ``hon:``, ``안:`` or ``못:`` before that."""
    before, predicate = split_clause(clause)
    *operators, ending = form.split(":")
    adverb = next((operator for operator in operators if operator in ("안", "못")), "")
    if adverb and not _takes_adverb(predicate):
        adverb, operators = "", [{"안": "않", "못": "못하"}.get(operator, operator) for operator in operators]
    for operator in operators:
        if operator in _AUXILIARIES:
            link, auxiliary = _AUXILIARIES[operator]
            predicate = followed_by(predicate, link, Predicate(auxiliary))
    if honoured or "hon" in operators:
        predicate = honorific(predicate)
    if "past" in operators:
        predicate = past(predicate)
    return " ".join(part for part in (before, adverb, attach(predicate, ending)) if part)


def _takes_adverb(predicate: Predicate) -> bool:
    """Whether 안 and 못 may stand right before it: not where 하다 is one word with its noun (공부를 안 하다)."""
    return predicate.kind == "verb" and (predicate.stem == "하" or not predicate.stem.endswith("하"))
