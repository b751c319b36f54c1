"""Token lists of the three types: round trips, ESPnet's order, files, and sentences for what is wrong."""

import pickle
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError
from avsr.text.hangul import is_jamo
from avsr.text.tokens import Tokenizer, build_token_list, load_tokenizer

SENTENCES = [
    "가방에 책을 넣고 학교에 갔다",
    "학교에 가는 길에 친구를 만났다",
    "친구와 책을 읽고 밥을 먹었다",
    "오늘은 날씨가 좋아서 걸었다",
    "bin blue at f two now",
    "ㅋㅋ 정말 좋았어",
]


def build(token_type, folder, **options):
    size = 80 if token_type == "bpe" else None
    return build_token_list(SENTENCES, token_type, vocab_size=options.pop("vocab_size", size), out_dir=folder)


@pytest.mark.parametrize("token_type", ["jamo", "char", "bpe"])
def test_text_comes_back_from_disk_and_through_pickle(token_type, tmp_path):
    build(token_type, tmp_path)
    tokenizer = pickle.loads(pickle.dumps(load_tokenizer(tmp_path)))
    for sentence in SENTENCES:
        ids = tokenizer.encode(unicodedata.normalize("NFD", f"  {sentence}\t"))
        assert tokenizer.unknown_id not in ids
        assert tokenizer.decode([tokenizer.sos_eos_id, *ids, tokenizer.blank_id]) == sentence
        assert tokenizer.tokens2text(tokenizer.text2tokens(sentence)) == sentence


@pytest.mark.parametrize("token_type", ["jamo", "char", "bpe"])
def test_the_list_is_espnets_and_the_same_each_time(token_type, tmp_path):
    build(token_type, tmp_path / "a")
    build(token_type, tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    tokens = (tmp_path / "a/tokens.txt").read_text("utf-8").split("\n")[:-1]
    assert tokens[:2] == ["<blank>", "<unk>"] and tokens[-1] == "<sos/eos>" and len(set(tokens)) == len(tokens)
    assert ("<space>" in tokens) == (token_type != "bpe")
    assert any(map(is_jamo, "".join(tokens))) == (token_type != "char")


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.sampled_from(" ab"), max_size=30))
def test_a_list_with_all_jamo_writes_every_syllable(text):
    jamo = [chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]]
    tokenizer = Tokenizer("jamo", ["<blank>", "<unk>", "<space>", "a", "b", *jamo, "<sos/eos>"])
    assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())


def test_what_the_list_lacks_is_one_unknown_and_shown_as_such(tmp_path):
    for token_type in ("jamo", "char", "bpe"):
        tokenizer = build(token_type, tmp_path / token_type)
        assert tokenizer.decode(tokenizer.encode("책 z")) == "책 \u2047"
    small = build("char", tmp_path / "small", vocab_size=10)
    assert len(small) == 10 and small.unknown_id in small.encode("읽고")


def test_bpe_learns_pieces_over_jamo(tmp_path):
    tokenizer = build("bpe", tmp_path)
    assert len(tokenizer.text2tokens("학교에")) < len("학교에") * 3
    assert tokenizer.bpe_model == (tmp_path / "bpe.model").read_bytes()
    assert Tokenizer("bpe", tokenizer.token_list, tokenizer.bpe_model).encode("학교에") == tokenizer.encode("학교에")
    build("jamo", tmp_path)  # another type in the same folder leaves nothing of the old one
    assert load_tokenizer(tmp_path).token_type == "jamo" and not (tmp_path / "bpe.model").exists()


def test_wrong_input_gets_a_sentence(tmp_path):
    with pytest.raises(AvsrError, match="not one of jamo, char, bpe"):
        build_token_list(SENTENCES, "word", out_dir=tmp_path)
    with pytest.raises(AvsrError, match="no text"):
        build_token_list(["  "], "jamo", out_dir=tmp_path)
    with pytest.raises(AvsrError, match="choose one above"):
        build("bpe", tmp_path, vocab_size=10)
    with pytest.raises(AvsrError, match="tokens.txt|token_type"):
        load_tokenizer(tmp_path)
    assert not list(tmp_path.iterdir())
    build("bpe", tmp_path)
    (tmp_path / "bpe.model").write_bytes(b"no model")
    with pytest.raises(AvsrError, match="not a SentencePiece model"):
        load_tokenizer(tmp_path)
    (tmp_path / "bpe.model").unlink()
    with pytest.raises(AvsrError, match="bpe.model is missing"):
        load_tokenizer(tmp_path)
    with pytest.raises(AvsrError, match="more than once"):
        Tokenizer("char", ["<blank>", "<unk>", "가", "가", "<sos/eos>"])
    with pytest.raises(AvsrError, match="begins with <blank>"):
        Tokenizer("char", ["가", "나", "다"])
    with pytest.raises(IndexError, match="outside"):
        Tokenizer("char", ["<blank>", "<unk>", "가", "<sos/eos>"]).decode([9])


@pytest.mark.parametrize("token_type", ["jamo", "char"])
def test_more_text_of_the_same_letters_gives_the_same_list(tmp_path, token_type):
    few = ["가나다 라", "나다"]
    first = build_token_list(few, token_type, out_dir=tmp_path / "few")
    more = build_token_list([*few, "라라라 라라 가"], token_type, out_dir=tmp_path / "more")
    assert first.token_list == more.token_list
