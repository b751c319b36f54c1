"""`avsr lm`: any text becomes a language model in a recogniser's tokens, and what cannot is said."""

from __future__ import annotations

import re

import pytest

from avsr.errors import AvsrError, LabelError
from avsr.language.ngram import load_ngram
from avsr.language.train import train_lm
from avsr.stages import lm
from avsr.stages.lm import further_sentences
from avsr.text.tokens import build_token_list

SENTENCES = ["안녕하세요 반갑습니다", "오늘 날씨가 좋네요", "내일 또 만나요", "오늘 또 만나요"]


@pytest.fixture
def tokenizer(tmp_path):
    return build_token_list(SENTENCES, "jamo", out_dir=tmp_path / "tokens")


def test_it_tells_what_it_learnt_and_foretells_what_it_read(tokenizer, tmp_path):
    text, strange = tmp_path / "one.txt", tmp_path / "two.txt"
    text.write_text("\n".join(SENTENCES) + "\n\n내일 또 만나요!\n랄랄라 폭포\n", encoding="utf-8")
    strange.write_text("좋네요 날씨가 오늘\n", encoding="utf-8")
    told = {}
    for test in (text, strange):
        said = train_lm([text], tokenizer, tmp_path / "out" / "x.lm", test=test)
        told[test] = float(re.search(r"perplexity ([\d.]+) a token", said)[1])
    assert "from 5 sentences" in said and "1 hold what the tokens cannot write" in said
    assert told[text] < 3 < told[strange] < len(tokenizer)
    assert load_ngram(tmp_path / "out" / "x.lm", "x").order == 8


def test_a_data_directorys_text_has_ids_and_several_texts_are_one(tokenizer, tmp_path, capsys):
    table, more = tmp_path / "train" / "text", tmp_path / "more.txt"
    table.parent.mkdir()
    table.write_text("".join(f"utt-{i} {sentence}\n" for i, sentence in enumerate(SENTENCES)), encoding="utf-8")
    more.write_text("내일 날씨가 좋네요\n", encoding="utf-8")
    out = tmp_path / "lm.npz"
    arguments = ["--text", str(table), str(more), "--tokens", str(tmp_path / "tokens"), "--out", str(out), "--order", "3"]
    assert lm.main(arguments) == 0
    assert "n-grams of up to 3 tokens, from 5 sentences" in capsys.readouterr().out


def test_other_text_gives_all_but_what_is_held_out(tokenizer, tmp_path, capsys):
    for name, lines in (("train", SENTENCES[:2]), ("more", [*SENTENCES, "내일 날씨가 좋네요"]), ("dev", ["오늘 또, 만나요!", SENTENCES[0]])):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    out, name = tmp_path / "lm.npz", {name: str(tmp_path / name) for name in ("train", "more", "dev", "tokens")}
    arguments = ["--text", name["train"], "--more", name["more"], "--held_out", name["dev"], "--tokens", name["tokens"], "--out", str(out)]
    assert lm.main(arguments) == 0
    said = capsys.readouterr().out
    assert f"2 sentences of other text are in {name['dev']}, and were left out" in said and "from 5 sentences" in said
    assert lm.main([*arguments, "--prune", "0.5", "--grammar", "40"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"from (\d+) sentences", said)[1] == "5" and "40 hold what the tokens cannot write" in said


def test_the_grammar_writes_the_same_each_time_and_what_is_held_out_is_left_out(tmp_path):
    sentences, known = further_sentences([], 300, [])
    assert known == 0 and len(set(sentences)) == 300
    with pytest.raises(AvsrError, match="-1 daily sentences were asked for"):
        further_sentences([], -1, [])
    (tmp_path / "text").write_text("".join(f"u{k} {sentence}\n" for k, sentence in enumerate(sentences[::3])), encoding="utf-8")
    kept, known = further_sentences([], 300, [tmp_path / "text"])
    assert known == 100 and kept == [sentence for k, sentence in enumerate(sentences) if k % 3]


def test_figures_are_learnt_as_the_recogniser_writes_them(tmp_path):
    (tmp_path / "text.txt").write_text("3층 버튼\n3층 문\n", encoding="utf-8")
    written = build_token_list(["3층 버튼 문"], "jamo", out_dir=tmp_path / "written")
    spoken = build_token_list(["삼층 버튼 문"], "jamo", out_dir=tmp_path / "spoken")
    for tokenizer, text in ((written, "3층 버튼"), (spoken, "삼층 버튼")):
        train_lm([tmp_path / "text.txt"], tokenizer, tmp_path / "x.lm")
        model = load_ngram(tmp_path / "x.lm", "x")
        assert model.score(tokenizer.encode(text)) > -4


def test_a_test_that_cannot_be_written_costs_the_perplexity_alone(tokenizer, tmp_path):
    (tmp_path / "text.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    (tmp_path / "test.txt").write_text("폭포\n", encoding="utf-8")
    said = train_lm([tmp_path / "text.txt"], tokenizer, tmp_path / "x.lm", test=tmp_path / "test.txt")
    assert "no perplexity, as these tokens can write none of its 1 sentences" in said
    with pytest.raises(AvsrError, match="an order of 0 is not 2 to 12"):
        train_lm([tmp_path / "text.txt"], tokenizer, tmp_path / "x.lm", order=0)


def test_what_cannot_be_learnt_is_a_sentence(tokenizer, tmp_path):
    (tmp_path / "english.txt").write_text("nothing to be read here\n", encoding="utf-8")
    with pytest.raises(AvsrError, match="english.txt: has no sentence that these tokens can write"):
        train_lm([tmp_path / "english.txt"], tokenizer, tmp_path / "x.lm")
    with pytest.raises(LabelError, match="none.txt"):
        train_lm([tmp_path / "none.txt"], tokenizer, tmp_path / "x.lm")
    assert not (tmp_path / "x.lm").exists()
