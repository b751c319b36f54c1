"""Particles and endings, each with a form that a native speaker writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsr.corpora.talking_heads.inflection import (
    Predicate,
    attach,
    followed_by,
    honorific,
    infinitive,
    intent,
    make_syllable,
    past,
    split_syllable,
    with_particle,
)
from avsr.text.hangul import is_syllable

SYLLABLE = st.integers(0xAC00, 0xD7A3).map(chr)


@pytest.mark.parametrize(
    ("noun", "particle", "word"),
    [
        ("학생", "은", "학생은"), ("친구", "은", "친구는"), ("책", "이", "책이"), ("나", "이", "내가"), ("저", "이", "제가"),
        ("사과", "을", "사과를"), ("밥", "을", "밥을"), ("형", "과", "형과"), ("누나", "과", "누나와"), ("길", "으로", "길로"),
        ("집", "으로", "집으로"), ("버스", "으로", "버스로"), ("지하철", "으로", "지하철로"), ("동생", "이랑", "동생이랑"),
        ("친구", "이랑", "친구랑"), ("물", "이나", "물이나"), ("의사", "이에요", "의사예요"), ("민준", "아", "민준아"),
        ("지수", "아", "지수야"), ("나", "의", "내"), ("학교", "에서", "학교에서"), ("누구", "이", "누가"),
    ],
)  # fmt: skip
def test_particles(noun, particle, word):
    assert with_particle(noun, particle) == word


# stem, irregular, then the forms in 어요, 었어요, (으)면, 는 (or (으)ㄴ for adjectives), 습니다
VERBS = """
먹 - 먹어요 먹었어요 먹으면 먹는 먹습니다
가 - 가요 갔어요 가면 가는 갑니다
오 - 와요 왔어요 오면 오는 옵니다
보 - 봐요 봤어요 보면 보는 봅니다
서 - 서요 섰어요 서면 서는 섭니다
주 - 줘요 줬어요 주면 주는 줍니다
배우 - 배워요 배웠어요 배우면 배우는 배웁니다
마시 - 마셔요 마셨어요 마시면 마시는 마십니다
켜 - 켜요 켰어요 켜면 켜는 켭니다
보내 - 보내요 보냈어요 보내면 보내는 보냅니다
세 - 세요 셌어요 세면 세는 셉니다
되 - 돼요 됐어요 되면 되는 됩니다
쉬 - 쉬어요 쉬었어요 쉬면 쉬는 쉽니다
뛰 - 뛰어요 뛰었어요 뛰면 뛰는 뜁니다
피 - 피어요 피었어요 피면 피는 핍니다
하 - 해요 했어요 하면 하는 합니다
쓰 - 써요 썼어요 쓰면 쓰는 씁니다
모으 - 모아요 모았어요 모으면 모으는 모읍니다
따르 - 따라요 따랐어요 따르면 따르는 따릅니다
들르 - 들러요 들렀어요 들르면 들르는 들릅니다
모르 르 몰라요 몰랐어요 모르면 모르는 모릅니다
부르 르 불러요 불렀어요 부르면 부르는 부릅니다
이르 러 이르러요 이르렀어요 이르면 이르는 이릅니다
듣 ㄷ 들어요 들었어요 들으면 듣는 듣습니다
걷 ㄷ 걸어요 걸었어요 걸으면 걷는 걷습니다
깨닫 ㄷ 깨달아요 깨달았어요 깨달으면 깨닫는 깨닫습니다
닫 - 닫아요 닫았어요 닫으면 닫는 닫습니다
돕 ㅂ 도와요 도왔어요 도우면 돕는 돕습니다
굽 ㅂ 구워요 구웠어요 구우면 굽는 굽습니다
입 - 입어요 입었어요 입으면 입는 입습니다
짓 ㅅ 지어요 지었어요 지으면 짓는 짓습니다
낫 ㅅ 나아요 나았어요 나으면 낫는 낫습니다
웃 - 웃어요 웃었어요 웃으면 웃는 웃습니다
놓 - 놓아요 놓았어요 놓으면 놓는 놓습니다
살 - 살아요 살았어요 살면 사는 삽니다
만들 - 만들어요 만들었어요 만들면 만드는 만듭니다
읽 - 읽어요 읽었어요 읽으면 읽는 읽습니다
앉 - 앉아요 앉았어요 앉으면 앉는 앉습니다
있 - 있어요 있었어요 있으면 있는 있습니다
"""
ADJECTIVES = """
좋 - 좋아요 좋았어요 좋으면 좋은 좋습니다
크 - 커요 컸어요 크면 큰 큽니다
예쁘 - 예뻐요 예뻤어요 예쁘면 예쁜 예쁩니다
바쁘 - 바빠요 바빴어요 바쁘면 바쁜 바쁩니다
길 - 길어요 길었어요 길면 긴 깁니다
춥 ㅂ 추워요 추웠어요 추우면 추운 춥습니다
가깝 ㅂ 가까워요 가까웠어요 가까우면 가까운 가깝습니다
좁 - 좁아요 좁았어요 좁으면 좁은 좁습니다
빨갛 ㅎ 빨개요 빨갰어요 빨가면 빨간 빨갛습니다
하얗 ㅎ 하얘요 하얬어요 하야면 하얀 하얗습니다
그렇 ㅎ 그래요 그랬어요 그러면 그런 그렇습니다
빠르 르 빨라요 빨랐어요 빠르면 빠른 빠릅니다
푸르 러 푸르러요 푸르렀어요 푸르면 푸른 푸릅니다
얇 - 얇아요 얇았어요 얇으면 얇은 얇습니다
맛있 - 맛있어요 맛있었어요 맛있으면 맛있는 맛있습니다
비싸 - 비싸요 비쌌어요 비싸면 비싼 비쌉니다
흐리 - 흐려요 흐렸어요 흐리면 흐린 흐립니다
아니 - 아니에요 아니었어요 아니면 아닌 아닙니다
"""


def _rows(table, kind):
    for line in table.split("\n"):
        if line:
            stem, irregular, *forms = line.split()
            yield Predicate(stem, kind, irregular.strip("-")), forms


@pytest.mark.parametrize(("predicate", "forms"), [*_rows(VERBS, "verb"), *_rows(ADJECTIVES, "adjective")])
def test_conjugation(predicate, forms):
    endings = ("어요", "past", "(으)면", "는", "습니다")
    made = [attach(past(predicate), "어요") if ending == "past" else attach(predicate, ending) for ending in endings]
    assert made == forms


@pytest.mark.parametrize(
    ("stem", "irregular", "ending", "form"),
    [
        ("놀", "", "(으)러", "놀러"), ("놀", "", "(으)니까", "노니까"), ("놀", "", "(으)ㄹ게요", "놀게요"), ("놀", "", "네요", "노네요"),
        ("놀", "", "(으)ㅂ시다", "놉시다"), ("놀", "", "(으)세요", "노세요"), ("놀", "", "는다", "논다"), ("놀", "", "고", "놀고"),
        ("듣", "ㄷ", "(으)ㄹ까요", "들을까요"), ("돕", "ㅂ", "(으)세요", "도우세요"), ("짓", "ㅅ", "(으)ㄴ", "지은"), ("가", "", "는다", "간다"),
        ("먹", "", "는다", "먹는다"), ("먹", "", "(으)ㄴ", "먹은"), ("읽", "", "(으)려고", "읽으려고"), ("부르", "르", "(으)ㄹ", "부를"),
        ("잡", "", "(으)ㄴ", "잡은"), ("걷", "ㄷ", "(으)면서", "걸으면서"), ("끌", "", "(으)며", "끌며"), ("먹", "", "는구나", "먹는구나"),
    ],
)  # fmt: skip
def test_other_endings_of_verbs(stem, irregular, ending, form):
    assert attach(Predicate(stem, "verb", irregular), ending) == form


def test_adjectives_and_the_past_take_their_own_forms_of_neun():
    cold = Predicate("춥", "adjective", "ㅂ")
    assert [attach(cold, ending) for ending in ("는데", "는다", "는구나", "는군요")] == [
        "추운데",
        "춥다",
        "춥구나",
        "춥군요",
    ]
    assert [attach(past(cold), ending) for ending in ("는데", "는다", "는구나")] == ["추웠는데", "추웠다", "추웠구나"]
    assert attach(Predicate("재미있", "adjective"), "는데") == "재미있는데"
    assert attach(Predicate("길", "adjective"), "네요") == "기네요"


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("의사", "의사예요 의사야 의사입니다 의사였어요 의사인데 의사라서 의사네요 의사면 의사일 의사고"),
        ("학생", "학생이에요 학생이야 학생입니다 학생이었어요 학생인데 학생이라서 학생이네요 학생이면 학생일 학생이고"),
    ],
)
def test_the_copula(noun, forms):
    copula = Predicate(noun + "이", "copula")
    endings = ("어요", "어", "습니다", "past", "는데", "어서", "네요", "(으)면", "(으)ㄹ", "고")
    made = [attach(past(copula), "어요") if ending == "past" else attach(copula, ending) for ending in endings]
    assert made == forms.split()


def test_honorific_stems():
    def forms(stem, kind="verb", irregular=""):
        honoured = honorific(Predicate(stem, kind, irregular))
        return [attach(honoured, "어요"), attach(past(honoured), "어요"), attach(honoured, "(으)면"), attach(honoured, "는")]

    assert forms("가") == ["가세요", "가셨어요", "가시면", "가시는"]
    assert forms("읽") == ["읽으세요", "읽으셨어요", "읽으시면", "읽으시는"]
    assert forms("먹") == ["드세요", "드셨어요", "드시면", "드시는"]
    assert forms("걷", irregular="ㄷ") == ["걸으세요", "걸으셨어요", "걸으시면", "걸으시는"]
    assert forms("바쁘", "adjective") == ["바쁘세요", "바쁘셨어요", "바쁘시면", "바쁘신"]
    assert forms("살") == ["사세요", "사셨어요", "사시면", "사시는"]
    assert forms("보고 있") == ["보고 계세요", "보고 계셨어요", "보고 계시면", "보고 계시는"]


def test_longer_predicates():
    tried = followed_by(Predicate("먹"), "어", Predicate("보"))
    assert attach(past(tried), "어요") == "먹어 봤어요"
    assert attach(followed_by(Predicate("듣", "verb", "ㄷ"), "고", Predicate("싶", "adjective")), "는데") == "듣고 싶은데"
    assert attach(intent(Predicate("하")), "습니다") == "하겠습니다"


@given(SYLLABLE)
def test_a_syllable_comes_apart_and_together(syllable):
    assert make_syllable(*split_syllable(syllable)) == syllable


@given(
    st.text(SYLLABLE, min_size=1, max_size=3),
    st.sampled_from(["어요", "(으)면", "(으)ㄹ", "는", "습니다", "고", "는다", "네요"]),
)
def test_whatever_the_stem_the_form_is_hangul(stem, ending):
    for kind in ("verb", "adjective", "tensed"):
        assert all(map(is_syllable, attach(Predicate(stem, kind), ending)))


def test_what_is_no_hangul_takes_no_ending():
    with pytest.raises(ValueError, match="no Hangul"):
        infinitive(Predicate("go"))
