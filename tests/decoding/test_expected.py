"""A language model and expected names change what is read where they should, and say what is wrong with them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avsr.decoding.expected import expect, read_phrases
from avsr.decoding.packed import load_packed, pack, read_tokenizer
from avsr.decoding.recognizer import Recognizer, packed_options
from avsr.decoding.search import DecodeOptions, Language, search
from avsr.errors import AvsrError, ModelError
from avsr.language.train import train_lm
from avsr.lips.mouth_clip import MouthClip
from tests.decoding.conftest import DECODE, SENTENCES

NOTHING = {"lm": None, "lm_weight": None, "bias": None}


@pytest.fixture
def language(packed, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(SENTENCES * 3) + "\n", encoding="utf-8")
    train_lm([text], read_tokenizer(packed), tmp_path / "x.lm")
    return tmp_path / "x.lm"


def test_a_language_model_is_packed_and_used(run, packed, language, video, face, tmp_path):
    pack(*run, tmp_path / "with.zip", {"decode": DECODE | {"lm_weight": 10.0}}, lm=language)
    plain, knowing = Recognizer.load(packed), Recognizer.load(tmp_path / "with.zip")
    assert knowing.language.lm is not None and plain.language.lm is None
    said = [knowing.packed.tokenizer.encode(model.transcribe(video, "lip").text) for model in (plain, knowing)]
    perplexities = [math.exp(-knowing.language.lm.score(tokens) / (len(tokens) + 1)) for tokens in said]
    assert perplexities[1] < 5 < 10 < perplexities[0], "with such a weight a random model says what the language says"


def test_what_is_given_stands_in_the_place_of_what_was_packed(packed, language, tmp_path):
    model = load_packed(packed)
    options = packed_options(model.meta, packed)
    assert expect(model, options, **NOTHING)[1].lm is None
    options, known = expect(model, options, **NOTHING | {"lm": language, "lm_weight": 0.7})
    assert options.lm_weight == 0.7 and known.lm is not None and len(known.spaces) == 1
    with pytest.raises(AvsrError, match="this model came with none: give --lm FILE too"):
        expect(model, options, **NOTHING | {"lm_weight": 0.7})
    with pytest.raises(AvsrError, match="best token of each frame, which asks no language"):
        expect(model, DecodeOptions(beam_size=1, ctc_weight=1.0), **NOTHING | {"lm": language, "lm_weight": 0.2})
    with pytest.raises(AvsrError, match="lm_weight is 11.0; give 0 to 10"):
        expect(model, options, **NOTHING | {"lm": language, "lm_weight": 11.0})


def test_a_model_of_other_tokens_is_refused(run, packed, tmp_path):
    from avsr.text.tokens import build_token_list

    other = build_token_list(["가나다라"], "jamo", out_dir=tmp_path / "tokens")
    (tmp_path / "text.txt").write_text("가나다\n", encoding="utf-8")
    train_lm([tmp_path / "text.txt"], other, tmp_path / "other.lm")
    with pytest.raises(ModelError, match="other.lm: is of other tokens than the model"):
        expect(load_packed(packed), DecodeOptions(), **NOTHING | {"lm": tmp_path / "other.lm"})
    with pytest.raises(ModelError, match="other.lm: is of other tokens than the model"):
        pack(*run, tmp_path / "x.zip", {}, lm=tmp_path / "other.lm")


def test_a_list_of_names(packed, tmp_path):
    tokenizer, names = read_tokenizer(packed), tmp_path / "names.txt"
    names.write_text("오늘\n\n 내일 또 \n오늘\n", encoding="utf-8")
    assert [tokenizer.decode(phrase) for phrase in read_phrases(names, tokenizer)] == ["오늘", "내일 또"]
    names.write_text("오늘\nKBS\n", encoding="utf-8")
    with pytest.raises(AvsrError, match="names.txt, line 2: the model has no letters for 'kbs'; write it as it is said"):
        read_phrases(names, tokenizer)
    names.write_text("!\n", encoding="utf-8")
    with pytest.raises(AvsrError, match="names.txt: holds no word"):
        read_phrases(names, tokenizer)


def test_a_neural_language_model_is_asked_too(packed, tmp_path):
    model = load_packed(packed)
    text = tmp_path / "t.txt"
    text.write_text("반갑습니다 반갑습니다\n오늘 날씨가\n" * 30, encoding="utf-8")
    train_lm([text], model.tokenizer, tmp_path / "n.lm", kind="neural", epochs=3)
    options, language = expect(model, packed_options(model.meta, packed), lm=tmp_path / "n.lm", lm_weight=3.0, bias=None)
    clip = MouthClip(np.random.default_rng(1).integers(0, 255, (30, 96, 96), dtype=np.uint8), np.ones(30, np.float32))
    fused = Recognizer(model, options)._encode(None, clip).fused
    # Their tokens, not their texts: what a model of random weights says may be letters that make no syllable.
    plain, asked = (
        list(search(model.model.decoder, fused.memory[0], fused.log_probs[0], options, one)[0].tokens) for one in (Language(), language)
    )
    score = language.lm.score
    assert asked != plain and score(asked) / (len(asked) + 1) > score(plain) / (len(plain) + 1)
