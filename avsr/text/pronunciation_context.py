"""Tells from endings and from neighbouring eojeol where an onset turns tense or takes ㄴ: 할 수[할쑤], 안고[안꼬], 한 일[한닐].

Articles 24, 27 and 29 (note 2) of Standard Pronunciation speak of stems and of adnominal forms, which no analyser marks
for us here. Word lists and the particles that follow stand in for one; where they cannot tell, the letters are followed.
"""

from __future__ import annotations

import re

from avsr.text.pronunciation_exceptions import NASAL_STEMS, STEM_ENDINGS
from avsr.text.syllable import Syllable, coda_of, with_coda

_L = with_coda("ㄹ")
_PARTICLE = (
    "(?:이|가|은|는|을|를|도|의|에|에서|에게|부터|까지|쯤|씩|정도|만|과|와|로|으로|마다|동안|째|간|짜리|밖에|조차|라도|이라도|나|이나|"
    "이다|다|입니다|이에요|예요|이야|야|인|이고|고|인데|이지만)?"
)

# Article 26 for -적 (사실적[사실쩍]); article 27, note, for endings that begin with ㄹ. The tense syllable is the group.
_TENSE_SUFFIX = re.compile(
    rf"(?<=.){_L}(적)(?=$|[인이]|으로)|"
    rf"{_L}(?:(수)록|(걸)요?$|(거)(?:야|예요|에요|다$|라고)|(겁)니|(?<!물)(건)(?:데|가)요?$|(세)라$|(진)대$|(지)(?:라도|언정)|(듯)(?:이|$|한|하|해|했))"
)
_WHETHER = re.compile(rf"{_L}(지)(?:[도는를가요]|$)")
_PROMISE = re.compile(rf"{_L}(게)(요?)$")

# Stems in ㄹ, to which -지 and -게 are added without a change: 알지[알지], 길게[길게]; 할지[할찌] is 하다 and -ㄹ지.
_L_STEM = re.compile(
    "알|살|놀|울|길|달|멀|물|팔|벌|열|걸|밀|불|말|빌|돌|굴|끌|썰|절|졸|풀|헐|늘|틀|몰|널|얼|털|날|"
    ".*(?:들|둥글|기울|머물|다물|깨물|드물|저물|아물|서툴|이끌|어질|모질|거칠|까불|매달|잇달|비틀|가늘|부풀|베풀|뒹굴|내걸|내몰|되살)"
)
_ADJECTIVE_IN_L = re.compile("길|달|멀|.*(?:둥글|가늘|드물|거칠|서툴|힘들|어질)")

# Article 27: what follows an adnominal -ㄹ. Bound nouns; any verb before them is adnominal.
_BOUND_NOUN = re.compile(
    "것.*|거(?:$|야|예|에요|였|라고|라는|라서|라면|다|지|니|든|죠|고|면|란|로|잖|네|래)|게$|게요$|건$|건데|건가|건지|걸$|걸요|걸로|겁니|"
    "수(?:$|가|는|도|를|록|밖|조차|있|없|야|만)|줄(?:$|은|을|도|로|만|이야|알|몰)|적(?:$|에)|데(?:$|가|는|도|를|에|서|요|와|라|까지|마다|만)|"
    "바(?:$|를|가|는|에)|듯|지(?:$|도|는|를|가)|곳|동안"
)
# Nouns and adverbs in ㄹ, which are not adnominal; those of one syllable only as whole eojeol.
_NOUN_IN_L = re.compile(
    ".*(?:오늘|내일|매일|생일|휴일|평일|요일|과일|파일|메일|제일|서울|얼굴|연필|가을|겨울|거울|하늘|그늘|마늘|바늘|이불|마을|노을|저울|방울|나물|"
    "선물|건물|동물|식물|음식물|눈물|콧물|국물|보물|인물|괴물|빗물|바닷물|정말|거짓말|양말|주말|결말|반말|한국말|혼잣말|지하철|전철|계절|친절|"
    "기술|예술|미술|수술|입술|마술|비밀|호텔|채널|터널|스타일|소설|전설|시설|건설|배달|전달|발달|메달|반달|보름달|차별|이별|특별|개별|출발|신발|"
    "가발|폭발|활발|개발|생활|재활|아들|저절|햇살|구슬|이슬|시골|산골|오솔길|골목길|눈길|손길|물길|산길|밤길|역할|분할|월|를)|"
    ".*(?<![하가오보드마계주되으쓰타])실|물|길|달|발|쌀|술|글|칼|꿀|딸|꼴|뿔|절|스물|잘|늘|슬슬|사실|"
    "널|날|걸|뭘|누굴|어딜|여길|거길|저길|우릴|너흴|.*(?:자릴|머릴|소릴|다릴|허릴|거릴|야길|얘길)"  # with 를 contracted
)
# Forms that are hardly anything but adnominal, before any word: 갈 길[갈낄], 만날 사람[만날싸람].
_ADNOMINAL = re.compile(
    ".*(?:할|될|갈|볼|(?<![계기고전끈])줄|릴|킬|실|쓸|탈|올|가르칠|마칠|고칠|다칠|그칠|놓칠|일어날|만날|떠날|나타날|끝날|태어날|벗어날|지날|아닐)|"
    ".+낼|(?:이|남|맡|옮|즐|챙|숨|안|생)길"
)
# The last syllables of stems with a coda: after them 을 is the ending and not the particle (먹을, 읽을; 책을).
_BEFORE_ENDING = frozenset(
    "있없먹읽잡찾받않같좋많앉씻웃믿닫얻닦깎볶섞묶겪밟넓짧얇높깊싶갚덮엎놓넣쌓낳닿넘참닮굶젊옮맞찢꽂잊맺늦쫓뺏"
)
_BEFORE_EITHER = frozenset("입벗낮숨심신안감남삶")  # mouth and wear, breath and hide: an ending only before a bound noun

# Ends of an accentual phrase that show: the object particle, and endings that close a clause (-면, -지만).
_CLOSING = re.compile(".*[가-힣](?:를|을|면|지만|으나|거든|는데도)")

# Article 29, note 2: 일 "work" after an adnominal form or 무슨; verbs in 이 after a bare noun or adverb.
_WORK = re.compile("일(?:이|은|을|도|만|에|들|이야|이에요|입니다|이다|이지|이고|인데|입니까)?")
_BEFORE_WORK = re.compile(
    ".*(?:한|할|던|런|떤|른|든|쁜|운|될|볼|있는|없는|되는|많은|좋은|같은|싶은|작은|하는)|무슨|웬|큰|긴|온갖|옛|첫"
)
_BEFORE_READING = frozenset("책 글 꽃 옷 못 잘 막 꼭 늘 덜".split())

# Counters: after native 열 and 여덟, after Sino-Korean 일, 칠 and 팔, after 이번 and 다음.
_COUNTER = re.compile(
    f"(?:개|살|시|번|장|점|달|사람|가지|대|다섯|둘|셋|송이|잔|병|권|그릇|군데|자루|줄|쌍|조각|시간|단계|달러|바퀴|개월){_PARTICLE}"
)
_SINO_COUNTER = re.compile(f"(?:점|조|주일|단계|세|대|등|도|종|장|시간|제곱){_PARTICLE}")
_WEEK_OR_MONTH = re.compile(f"[주달]{_PARTICLE}")

_FOOTWEAR = re.compile(".*(?:신발|구두|양말|운동화|장화|슬리퍼|부츠|샌들|스타킹|버선|실내화)[을를도만]?")
_REFERRING = re.compile("[하해했할한]|자료|문헌|사항")
_NEGATION = re.compile("않|마|말|못")


def tense_positions(spelt: str, before: str, after: str) -> list[int]:
    """The syllables of one eojeol whose onset its ending, or the eojeol beside it ('' for none), makes tense."""
    positions = [match.start(match.lastindex or 0) for match in _TENSE_SUFFIX.finditer(spelt)]
    positions += [match.end() for match in _NASAL_STEM.finditer(spelt)]
    for match in _WHETHER.finditer(spelt):
        if not _L_STEM.fullmatch(spelt, 0, match.start(1)):
            positions.append(match.start(1))
    for match in _PROMISE.finditer(spelt):
        if match[2] or _is_promise(spelt[: match.start(1)], after):
            positions.append(match.start(1))
    if _is_stem_beside(spelt, before, after):
        positions.append(1)
    if spelt and _follows_adnominal(spelt, before) or _is_counted(spelt, before):
        positions.append(0)
    return positions


def takes_n(spelt: str, before: str) -> bool:
    """Whether the eojeol's first syllable takes ㄴ after the one before: 한 일[한닐], 옷 입다[온닙따], 못 잊어[몬니저]."""
    if before == "못" and spelt:
        first = Syllable.of(spelt[0])
        return first.onset == "ㅇ" and first.vowel in "ㅑㅕㅛㅠㅣ"
    if before in _BEFORE_READING and spelt[:1] in ("입", "읽", "익", "잊"):
        return True
    return bool(_WORK.fullmatch(spelt) and _BEFORE_WORK.fullmatch(before))


def closes_phrase(spelt: str, after: str) -> bool:
    """Whether speakers seldom run the eojeol together with the next one ('' for none): after an object or a clause.

    The standard's examples of rules across words (articles 12, 15, 18, 29) are nouns and modifiers with what they belong to,
    not objects with their verbs: 옷 안[오단], but 문을 열고[무늘 열고].
    """
    return bool(_CLOSING.fullmatch(spelt)) and not _follows_adnominal(after, spelt)


def _is_promise(form: str, after: str) -> bool:
    """-ㄹ게 "I will" against -게 after a stem in ㄹ: 갈게[갈께], 내가 살게[살께]; 살게 되다[살게], 길게[길게]."""
    if not _L_STEM.fullmatch(form):
        return True
    return not after and not _ADJECTIVE_IN_L.fullmatch(form)


def _follows_adnominal(spelt: str, before: str) -> bool:
    """Article 27 across eojeol: 할 것을[할꺼슬], 갈 데가[갈떼가], 만날 사람[만날싸람]."""
    if not before or coda_of(before[-1]) != "ㄹ":
        return False
    bound = bool(_BOUND_NOUN.match(spelt))
    if before[-1] == "을":  # an ending after 있, 먹; after 숨 only where a bound noun follows: 숨을 곳, 숨을 쉬다
        return _ends_stem(before[:-1]) or (bound and before[-2:-1] in _BEFORE_EITHER)
    if _NOUN_IN_L.fullmatch(before):
        return False
    return bound or bool(_ADNOMINAL.fullmatch(before))


def _ends_stem(form: str) -> bool:
    return bool(form) and (form[-1] in _BEFORE_ENDING or coda_of(form[-1]) == "ㅆ")


def _is_counted(spelt: str, before: str) -> bool:
    """A counter after a numeral in ㄹ (열 시[열씨], 일 주일[일쭈일]), and 이번 주[이번쭈], 다음 달[다음딸]."""
    if before in ("열", "여덟"):
        return bool(_COUNTER.fullmatch(spelt))
    if before in ("일", "칠", "팔"):
        return bool(_SINO_COUNTER.fullmatch(spelt))
    return before in ("이번", "다음", "저번") and bool(_WEEK_OR_MONTH.fullmatch(spelt))


def _is_stem_beside(spelt: str, before: str, after: str) -> bool:
    """Article 24 for forms that are also nouns: 구두를 신고[신꼬], 참고[참꼬] 기다리다, but 신고[신고]하다, 참고[참고] 자료."""
    if spelt == "신고":
        return bool(_FOOTWEAR.fullmatch(before))
    if spelt == "참고":
        return not _REFERRING.match(after)
    return spelt in ("감지", "검지", "숨지", "심지", "신지") and bool(_NEGATION.match(after))


def _nasal_stem() -> re.Pattern[str]:
    """A pattern for a stem of NASAL_STEMS at the beginning of an eojeol with an ending of its own after it."""
    forms = []
    for stem, refused in NASAL_STEMS.items():
        endings = "|".join(ending for ending in STEM_ENDINGS if ending not in refused.split())
        forms.append(f"{stem}(?={endings})")
    forms.append("안(?=(?:고|지|게|거나)(?:서|는|도|요|만)?$)")  # to hug; not 안 고쳐, 안 지우다 written together
    return re.compile(
        f"(?:^|(?<=되)|(?<=눈)|(?<=살아)|(?<=뛰어)|(?<=감싸))(?:{'|'.join(forms)})(?!다르|다른|다름|다리|지창)"
    )


_NASAL_STEM = _nasal_stem()
