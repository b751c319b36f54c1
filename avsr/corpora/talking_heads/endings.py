"""What one does with a clause by its ending: tells, asks, proposes, forbids ..., at three levels of politeness."""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads.inflection import Predicate, attach, followed_by, honorific, past
from avsr.corpora.talking_heads.lexicon import split_clause
from avsr.corpora.talking_heads.slots import LEVELS, pick

# Mood -> forms at each level (해요, 합니다, 해), as `attach` takes them; what is there twice is said twice as often.
# `past:` puts the stem into the past first, `hon:` honours the listener, `안:` and `못:` stand before the verb.
_FORMS = {
    "now": ("어요 어요 어요 네요", "습니다", "어 어 어 네"),
    "past": ("past:어요 past:어요 past:어요 past:거든요 past:네요", "past:습니다", "past:어 past:어 past:어 past:거든"),
    "news": ("past:어요 past:어요 past:대요 past:다고_해요 past:다고_들었어요", "past:습니다 past:다고_합니다", "past:어 past:대 past:구나"),
    "habit": ("어요 어요 어요 는_편이에요 거든요", "습니다 습니다 는_편입니다", "어 어 거든 는_편이야"),
    "going": ("고_있어요 고_있어요 는_중이에요", "고_있습니다 고_있습니다 는_중입니다", "고_있어 고_있어 는_중이야"),
    "will": (
        "(으)ㄹ_거예요 (으)ㄹ_거예요 (으)려고_해요 기로_했어요 (으)ㄹ게요 (으)ㄹ_생각이에요 (으)ㄹ_예정이에요 (으)ㄹ래요",
        "겠습니다 (으)ㄹ_겁니다 (으)려고_합니다 기로_했습니다 (으)ㄹ_예정입니다 (으)ㄹ_생각입니다",
        "(으)ㄹ_거야 (으)ㄹ_거야 (으)려고_해 기로_했어 (으)ㄹ게 (으)ㄹ래 (으)ㄹ_생각이야",
    ),
    "they_will": (
        "(으)ㄹ_거예요 (으)ㄹ_거예요 기로_했어요 (으)려고_해요 (으)ㄹ_것_같아요 는다고_해요 는다고_했어요 는대요",
        "(으)ㄹ_겁니다 기로_했습니다 (으)려고_합니다 는다고_합니다 (으)ㄹ_예정입니다",
        "(으)ㄹ_거야 기로_했어 (으)려고_해 (으)ㄹ_것_같아 는다고_했어 는대",
    ),
    "forecast": ("(으)ㄹ_거예요 (으)ㄹ_것_같아요 겠어요", "겠습니다 (으)ㄹ_것_같습니다 (으)ㄹ_겁니다", "(으)ㄹ_거야 (으)ㄹ_것_같아 겠다"),
    "wish": ("고_싶어요 고_싶어요 past:(으)면_좋겠어요 고_싶은데요", "고_싶습니다", "고_싶어 고_싶다 past:(으)면_좋겠어"),
    "they_wish": ("고_싶어_해요", "고_싶어_합니다", "고_싶어_해"),
    "must": ("어야_해요 어야_돼요 어야_하는데요 어야겠어요", "어야_합니다 어야_됩니다", "어야_해 어야_돼 어야겠다"),
    "they_must": ("어야_해요 어야_돼요", "어야_합니다", "어야_해 어야_돼"),
    "can": ("(으)ㄹ_수_있어요 (으)ㄹ_수_있어요 (으)ㄹ_수_없어요", "(으)ㄹ_수_있습니다 (으)ㄹ_수_없습니다", "(으)ㄹ_수_있어 (으)ㄹ_수_없어"),
    "skill": ("(으)ㄹ_줄_알아요 (으)ㄹ_줄_몰라요", "(으)ㄹ_줄_압니다 (으)ㄹ_줄_모릅니다", "(으)ㄹ_줄_알아 (으)ㄹ_줄_몰라"),
    "tried": (
        "(으)ㄴ_적이_있어요 (으)ㄴ_적이_없어요 어_봤어요 어_보고_싶어요",
        "(으)ㄴ_적이_있습니다 (으)ㄴ_적이_없습니다 어_봤습니다",
        "(으)ㄴ_적이_있어 (으)ㄴ_적_없어 어_봤어 어_보고_싶어",
    ),
    "like": ("는_것을_좋아해요 는_걸_좋아해요 는_걸_싫어해요 는_게_좋아요", "는_것을_좋아합니다", "는_걸_좋아해 는_게_좋아 는_거_싫어해"),
    "begin": ("기_시작했어요", "기_시작했습니다", "기_시작했어"),
    "guess": ("는_것_같아요 (으)ㄴ_것_같아요", "는_것_같습니다 (으)ㄴ_것_같습니다", "나_봐 는_것_같아 (으)ㄴ_것_같아"),
    "not": (
        "지_않았어요 안:past:어요 못:past:어요 지_못했어요",
        "지_않았습니다 지_못했습니다 못:past:습니다",
        "안:past:어 못:past:어 지_않았어",
    ),
    "suggest": ("(으)ㄹ까요 (으)ㄹ까요 (으)ㄹ래요 는_게_어때요", "(으)ㅂ시다 (으)ㅂ시다 hon:겠습니까", "자 자 (으)ㄹ까 (으)ㄹ래"),
    "order": ("hon:어요 hon:어요 어_보세요 는_게_좋아요 는_게_어때요", "hon:(으)ㅂ시오 는_것이_좋습니다 hon:기_바랍니다", "어 어_봐 는_게_좋아 는_게_어때"),
    "please": ("어_주세요 어_주세요 어_주시겠어요 어_줄래요", "어_주십시오 어_주시기_바랍니다 어_주시겠습니까", "어_줘 어_줘 어_줄래"),
    "ask": ("어요 어요 나요", "습니까", "어 어 니"),
    "ask_person": ("hon:어요 어요", "hon:습니까", "어 어 니"),
    "ask_past": ("past:어요 past:어요", "past:습니까", "past:어 past:어 past:니"),
    "ask_person_past": ("past:어요 hon:past:어요", "hon:past:습니까", "past:어 past:어 past:니"),
    "ask_will": ("(으)ㄹ_거예요 (으)ㄹ_거예요", "(으)ㄹ_겁니까", "(으)ㄹ_거야 (으)ㄹ_거니"),
    "forbid": ("지_마세요 지_마세요 (으)면_안_돼요", "지_마십시오 (으)면_안_됩니다 지_말아_주십시오", "지_마 지_마 (으)면_안_돼"),
}  # fmt: skip
MOODS = {mood: tuple(tuple(form.replace("_", " ") for form in forms.split()) for forms in row) for mood, row in _FORMS.items()}


def finish(clause: str, mood: str, level: str, rng: np.random.Generator, honoured: bool = False) -> str:
    """The clause (in the dictionary form, 밥을 먹다) with an ending of the mood at the level of speech: 밥을 먹을까요.

    ``honoured``: the subject is one to whom respect is due, and the predicate says so.
    """
    if clause.endswith("지 말다"):
        clause, mood = clause.removesuffix("지 말다") + "다", "forbid"
    return inflect(clause, pick(MOODS[mood][LEVELS.index(level)], rng), honoured)


def inflect(clause: str, form: str, honoured: bool = False) -> str:
    """The clause in a form as `attach` takes it, or with ``past:``, ``hon:``, ``안:`` or ``못:`` before that."""
    before, predicate = split_clause(clause)
    *operators, ending = form.split(":")
    adverb = next((operator for operator in operators if operator in ("안", "못")), "")
    if adverb and not _takes_adverb(predicate):
        adverb, predicate = "", followed_by(predicate, "지", Predicate("않" if adverb == "안" else "못하"))
    if honoured or "hon" in operators:
        predicate = honorific(predicate)
    if "past" in operators:
        predicate = past(predicate)
    return " ".join(part for part in (before, adverb, attach(predicate, ending)) if part)


def _takes_adverb(predicate: Predicate) -> bool:
    """Whether 안 and 못 may stand right before it: not where 하다 is one word with its noun (공부를 안 하다)."""
    return predicate.kind == "verb" and (predicate.stem == "하" or not predicate.stem.endswith("하"))
