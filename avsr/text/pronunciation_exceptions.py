"""Words whose pronunciation the letters do not tell, by article of Standard Pronunciation (표준 발음법).

One entry a word, spelt as it is written, with marks before the syllable they concern:

    눈'동자   the next onset is tense: ㄱㄷㅂㅅㅈ as ㄲㄸㅃㅆㅉ       (articles 26, 28)
    솜+이불   the next syllable takes ㄴ                              (article 29)
    의견-란   the next ㄹ is ㄴ, and the ㄴ before it stays           (article 20, proviso)
    겉|옷     the coda before is first what is heard, then linked       (article 15)
    디귿=디긋 respelt as a whole

A word of two syllables counts only at the beginning of an eojeol, unless ``~`` stands before it; a longer one counts
anywhere, unless ``^`` does. ``(?!..)`` and ``(?=..)`` at the end look, as in a regular expression, at what follows in the
eojeol. The longest word that fits wins.
"""

from __future__ import annotations

# Article 26: ㄹ before ㄷㅅㅈ in Sino-Korean words. A first syllable with ㄹ, then the second ones that follow it.
SINO_KOREAN = """
갈 등 색 수 증 / 결 단 석 선 성 속 손 산 승 식 실 심 장 재 전 점 정 제 집 / 골 동 수 자 절 조 / 굴 절 지 / 글 자 / 달 성
돌 진 / 말 단 살 석 세 / 멸 시 종 족 / 몰 두 살 수 상 지 / 물 정 자 증 질 / 밀 도 서 수 실 접 집
발 단 달 동 사 산 상 생 설 성 송 신 작 전 제 족 주 진 / 별 세 실 장 종 / 불 상 성 세 소 손 순 시 신 심 / 살 상 생 수
설 득 사 산 상 전 정 / 솔 선 직 / 술 수 / 알 선 / 을 지 / 율 동 / 월 세 / 할 당 증 / 졸 도 속 작 전 지
실 사 상 생 세 소 속 수 습 시 신 장 재 적 전 점 정 제 조 존 종 증 직 질 족 / 열 대 등 사 성 심 세 정 중
일 단 당 대 등 동 상 생 석 선 소 손 시 식 자 전 정 제 조 종 주 직 진 / 절 단 대 도 수 실 전 정 제 / 질 산 서 소 시 식 주
철 도 사 선 수 자 저 제 조 / 출 동 두 산 생 석 세 소 시 신 장 전 정 제 중 / 칠 석 순 십 / 탈 당 상 색 선 세 수 주 지 진
팔 순 십 / 필 독 사 생 수 순 승 시 자 적 / 혈 당 색 서 세 전 족 중 / 활 동 성 자 주
"""
# Of these, the ones that also count inside an eojeol, since other words do not meet in that sequence: 고부갈등.
SINO_KOREAN_ANYWHERE = frozenset(
    "갈등 결석 결승 결심 결정 결제 발달 발생 발전 설득 설정 실습 실종 열심 절대 질서 출산 출석 출신 출장 활동".split()
)
# And what must not follow (a regular expression), because it is then another word: 말세, 일시키다, 팔도록, 졸지 않다.
SINO_KOREAN_NOT_BEFORE = {
    "갈수": "록",
    "불소": "리",
    "설사": "람",
    "실수": "염",
    "열사": "람",
    "일단": "풍",
    "일시": "[키켜킬킨킵킴켰]",
    "졸지": "[는도만]|$",
    "철수": "[가는도야]|와|에게|한테",
    "살수": "록",
}

RESPELT = """
# Article 16: the names of letters.
디귿(?=[이을은에의으])=디긋 지읒(?=[이을은에의으])=지읏 치읓(?=[이을은에의으])=치읏 키읔(?=[이을은에의으])=키윽
티읕(?=[이을은에의으])=티읏 피읖(?=[이을은에의으])=피읍 히읗(?=[이을은에의으])=히읏

# Article 10, proviso; and a compound in which ㅎ says nothing.
~넓죽=넙죽 ~넓적=넙적 ~넓둥=넙둥 ~싫증=실쯩

# Article 15: compounds, and prefixes before a vowel. What comes before 없 is found by rule.
값|어치 값|있 뜻|있 겉|옷 홑|옷 윗|옷 웃|옷 덧|옷 헛|웃음 웃|어른 젖|어미 첫|인상 첫|인사 첫|아이 첫|아들 첫|애
첫|울음 첫|외출 첫|우승 첫|앨범 옛|애인 옛|어른 옛|우물 낱|알 팥|알 몇|월 몇|인(?=분) 못|알아 꽃|위 밑|알

# Article 20, proviso: words in which the ㄴ stays. Longer words in -란, -량, -력 are found by their suffix.
온-라인 인-라인 원-룸 구근-류 공'권-력 결'단-력 신-라면 대관령=대괄령

# Article 29: ㄴ before the 이 야 여 요 유 of the second part of a compound. -잎 is found by rule.
솜+이불 홑+이불 겹+이불 막+일 삯+일 맨+입 한+입 첫+입 내복+약 알+약 물+약 안+약 두통+약 구급+약 멀미+약 한+여름 늦+여름 올+여름
첫+여름 남존+여비 신+여성 색+연필 직행+열차 급행+열차 특급+열차 늑막+염 맹장+염 관절+염 장+염 콩+엿 물+엿 호박+엿 담+요 눈+요기
영업+용 학생+용 여성+용 남성+용 사업+용 촬영+용 선물+용 비상+용 연습+용 아동+용 식용+유 휘발+유 백분+율 밤+윷 뒷+윷 ~검+열 금+융
야금+야금 욜랑+욜랑 이죽+이죽 유들+유들 설+익 낯+익 불+여우 불+이익 영업+이익 짓+이기 옛+이야기 베갯+잇 도리깻+열 중국+요리
들+일(?=을|도|하) 별+일 볼+일 앞+일 뒷+일 옛+일 헛+일 잡+일 밭+일 논+일 궂은+일 집안+일 바깥+일 부엌+일 예삿+일 훗+일 가욋+일 웬+일
서울+역 지하철+역 전철+역 용산+역 강남+역 부산+역 수원+역 대전+역 잠실+역 신촌+역 시청+역 명동+역
열+여섯 열+여덟 스물+여섯 스물+여덟 서른+여섯 서른+여덟 마흔+여섯 마흔+여덟 쉰+여섯 쉰+여덟 예순+여섯 예순+여덟
일흔+여섯 일흔+여덟 여든+여섯 여든+여덟 아흔+여섯 아흔+여덟

# Numerals: 열 makes the next one tense; 삼일절 is 26.
열'둘 열'셋 열'다섯 열'세 열'댓 삼일'절

# Article 28: compounds without a written ㅅ. The body, the house, food.
눈'동자 눈'가 눈'길 눈'금 눈'독 눈'병 눈'살 눈'시울 눈'빛 눈'짓 손'가락 손'등 손'바닥 손'길 손'금 손'짓 손'수건 손'재주 손'전등 발'가락
발'등 발'바닥 발'길 발'걸음 발'소리 발'자국 발'짓 몸'짓 몸'속 등'골 살'결 주름'살 땀'방울 숨'결 숨'소리 잠'결 잠'버릇 손'버릇 술'버릇
말'버릇 말'소리 말'솜씨 글'솜씨 글'재주 글'귀 글'감 말'동무 길'동무 문'고리 문'살 문'소리 문'지방 방'바닥 안'방 건넌'방 공부'방(?!법) 금은'방
찜질'방 열'쇠 자물'쇠 담'벼락 물'동이 물'병 술'병 물'수건 술'잔 술'집 빵'집 시골'집 벌'집 칼'집 쌀'집 칼'자루 쌀'자루 아침'밥
점심'밥 비빔'밥 김'밥 된장'국 콩나물'국 물'고기 밀'가루 쌀'가루 콩'가루 빵'가루 술'상 생일'상 상'다리 술'자리 일'자리 별'자리
잠'자리(?=에) 신랑'감 장난'감 땔'감 물'감 일'감 용'돈 일'손 실'밥 줄넘'기 골'대 술'김 술'주정
# Nature, time, ways.
신'바람 산'새 산'속 산'길 산'골 산'불 산'동네 산'기슭 산'등성이 산'줄기 산'바람 길'가(?!던) 길'거리 길'바닥 강'가 강'줄기 강'바람 강'바닥
강'둑 물'가 물'결 물'기 물'길 물'빛 물'살 물'새 물'소(?!리) 물'소리 물'속 물'줄기 물'방울 물'집 이슬'방울 굴'속 땅'속 땅'바닥 꿈'속
꿈'결 마음'속 맘'속 가슴'속 품'속 구름'속 바람'결 바람'소리 달'빛 달'동네 별'빛 불'빛 불'기운 물'기운 등'불 봄'비 봄'바람 봄'빛 밤'비
밤'거리 밤'길 밤'바람 밤'중 한밤'중 여름'밤 가을'밤 겨울'밤 봄'밤 오늘'밤 가을'바람 겨울'바람 그믐'달 초승'달 보름'달 창'가 창'살 철'새
철'길 들'길 들'새 눈'사람 눈'송이 눈'덩이 촌'사람 산'사람 갈'대 갈림'길 오솔'길 지름'길 꿈'길 출근'길 퇴근'길 등산'길 여행'길 고생'길
볼'거리 일'거리 먹을'거리 즐길'거리 읽을'거리 웃음'소리 울음'소리 신음'소리 종'소리 총'소리 무심'결 얼떨'결 은연'중 이번'주(?!말)
다음'주(?!말)
# Article 30.1 where the syllable with ㅅ is also another word's; and two words that are not compounds.
숫자=수짜 곳간=고깐 셋방=세빵 빗방울=비빵울 빗소리=비쏘리 빗줄기=비쭐기 빗속=비쏙 빗길=비낄 빗자루=비짜루 장맛비=장마삐 치맛자락=치마짜락
만둣국=만두꾹 북엇국=부거꾹 순댓국=순대꾹 김칫국=김치꾹 부잣집=부자찝 처갓집=처가찝 외갓집=외가찝 수돗가=수도까 나잇값=나이깝 깃들=긷들 닷새=닫새
# Sino-Korean suffixes that turn tense: -점, -격, -건, -기, -자, -과, -권, -가, -증, -장, -성, -법, -병, -수.
장'점 단'점 관'점 초'점 시'점 강'점 만'점 중'점 감'점 총'점 이'점(?=이|을|은|$) 문제'점 공통'점 차이'점 출발'점 전환'점 출발'선
출발'지 성'격 인'격 본'격 골'격 엄'격 ~조'건 ~사'건 안'건 용'건 여'건 관'건 인'기 윤'기 끈'기 광'기 장난'기 웃음'기 바람'기 한'자(?!리)
문'자 글'자 점'자 팔'자(?=가|를|는|에) 기술'자 인솔'자 내'과 외'과 치'과 안'과 산부인'과 소아'과 정형외'과 국문'과 영문'과
성'과 효'과 교'과(?=서) 여'권 정'권 인'권 주'권 채'권 판'권 이'권 증'권 대'권 상품'권 승차'권 입장'권 회원'권 선거'권 투표'권 항공'권
저작'권 소유'권 문화'권 수도'권 상위'권 하위'권 영향'권 대'가 평'가 원'가 단'가 정'가 유'가(?!증) 감정'가 통'증 염'증 불면'증
우울'증 건망'증 궁금'증 조급'증 면허'증 신분'증 학생'증 회원'증 초대'장 임명'장 표창'장 상'장(?=[을이과은도]|$) ~가능'성
필요'성 중요'성 인간'성 안전'성 안정'성 다양'성 위험'성 생산'성 사회'성 창의'성 장래'성 참을'성 붙임'성 방향'성 현실'성 정당'성 정체'성
헌'법 문'법 민'법 형'법 율'법 불'법 요리'법 사용'법 조리'법 해결'법 전염'병 성인'병 정신'병 열'병 점'수 변'수 함'수 인원'수 조회'수 문'구(?!점)
창'구 특별'시 월'수입 고속철'도 도시철'도 영양실'조
"""

# Article 24: verb stems in ㄴ and ㅁ, each with those of STEM_ENDINGS that are not counted with it, because a commoner word
# is spelt so (남자, 감자); 신고, 감지 and their like are told by their neighbours.
STEM_ENDINGS = tuple("고 다 지 게 거나 거든 거라 거니 겠 더 던 든 도록 습니 자 구나 길래 군요".split())
NASAL_STEMS = {
    "신": "고 자 지 군요",
    "감": "지 자 군요 더",
    "검": "지 자 더 거니",
    "남": "자",
    "넘": "",
    "담": "",
    "숨": "지",
    "심": "지",
    "참": "고",
    "품": "",
    "뿜": "",
    "삼": "자 더",
    **dict.fromkeys("휘감 껴안 끌어안 얼싸안 부둥켜안 내뿜 일삼 머금 다듬 더듬 쓰다듬 가다듬 보듬 서슴".split(), ""),
    **dict.fromkeys("닮 굶 곪 옮 젊 빼닮".split(), ""),
    "삶": "거나 거든 거라",
}
