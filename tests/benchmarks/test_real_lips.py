"""The real-lips test: texts that are fair to rank against, ranks, controls, and the whole with a tiny model and made clips."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.decoding.likelihood import LipFeatures
from avsr.decoding.packed import load_packed
from avsr.errors import AvsrError
from avsr.lips.folder import crop_data_dir
from avsr.lips.mouth_clip import MouthClip
from benchmarks import real_lips
from benchmarks.ranking import SentencePool, chance, corrected, derangements, hits, interval
from tests.corpora.conftest import make_clip, session, write_session  # noqa: F401  (fixtures)
from tests.decoding.conftest import packed, run  # noqa: F401  (fixtures)

TRUTHS = ["안녕하세요", "오늘 날씨가 좋네요", "내일 또 만나요", "날씨가 또 좋네요"]
CHAT = [a + b for a in "가나다라마바사" for b in ("", " 오늘", "일", " 만나요", "세요 날씨")] + ["3시!", "Okay", "…"]

syllables = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=9)


@settings(max_examples=30, deadline=None)
@given(st.sets(syllables, min_size=40, max_size=45), syllables, st.integers(0, 2**31))
def test_others_have_the_truths_length_and_are_all_different(sentences, truth, seed):
    # One of each length up to three more, so that any length can be put together.
    pool = SentencePool([*sorted(sentences), *(chr(0xAC00 + 5 * n) * k for n in range(30) for k in (1, 2, 3)), truth])
    others = pool.others(truth, 6, np.random.default_rng(seed))
    bare = [text.replace(" ", "") for text in others]
    assert all(abs(len(text) - len(truth)) <= 1 for text in bare)
    assert len({truth, *bare}) == 7
    assert others == pool.others(truth, 6, np.random.default_rng(seed))


def test_the_pool_is_of_normalised_hangul_alone_and_counts_the_rest():
    pool = SentencePool(["12시 땡!", "하루가 또 가네요.", "하루가또 가네요", "ㅋㅋ", "왜?"])
    assert (pool.size, pool.left_out) == (2, 3)
    assert pool.others("또 가네", 1, np.random.default_rng(1), slack=3) in (["왜"], ["하루가 또 가네요"])
    with pytest.raises(AvsrError, match="no 3 texts of about 7"):
        pool.others("나는 또 가네요 응", 3, np.random.default_rng(1))
    with pytest.raises(AvsrError, match="not of Hangul"):
        pool.others("3시", 1, np.random.default_rng(1))
    with pytest.raises(AvsrError, match="no sentence to rank against"):
        SentencePool(["OK", "12"])


def test_ranks_by_hand():
    first, reciprocal = hits(np.array([[3.0, 1, 2], [1, 3, 2], [2, 2, 1], [-np.inf, -np.inf, -np.inf]]))
    assert first == pytest.approx([1, 0, 1 / 2, 1 / 3])
    assert reciprocal == pytest.approx([1, 1 / 3, 3 / 4, 11 / 18])
    assert chance(20) == pytest.approx((0.05, 0.17989), abs=1e-5)
    with pytest.raises(ValueError, match="no number"):
        hits(np.array([[np.nan, 1.0]]))


def test_what_tells_nothing_is_at_chance():
    rng = np.random.default_rng(2)
    first, reciprocal = hits(rng.standard_normal((5_000, 20)))
    assert (first.mean(), reciprocal.mean()) == pytest.approx(chance(20), abs=0.015)
    low, high = interval(first, seed=1, resamples=500)
    assert low < 0.05 < high


def test_the_correction_takes_away_what_a_text_has_anyway_and_no_more():
    rng = np.random.default_rng(3)
    said = np.zeros((6, 6, 20))
    said[np.arange(6), np.arange(6), 0] = 1.0  # only its own clip says the truth
    liked = rng.standard_normal((6, 20)) * 50
    liked[:, 0] -= 100
    own = np.arange(6)
    assert hits((said + liked)[own, own])[0].mean() == 0
    better = corrected(said + liked)
    assert hits(better[own, own])[0].mean() == 1
    # What is shown does not matter: on average the corrected ranks of other clips are chance's.
    noise = np.array([corrected(rng.standard_normal((6, 6, 20)) + liked) for _ in range(200)])
    assert hits(noise[:, own, own])[0].mean() == pytest.approx(0.05, abs=0.015)
    assert hits(noise[:, own, (own + 1) % 6])[0].mean() == pytest.approx(0.05, abs=0.015)
    said[:, 2, 3] = -np.inf
    assert np.isneginf(corrected(said)[:, 2, 3]).all() and np.isfinite(corrected(said)).sum() == said.size - 6
    with pytest.raises(AvsrError, match="too few to correct"):
        corrected(np.zeros((2, 2, 3)))


def test_a_derangement_leaves_nothing_in_its_place():
    orders = derangements(5, 200, np.random.default_rng(1))
    assert (np.sort(orders) == np.arange(5)).all() and (orders != np.arange(5)).all()
    with pytest.raises(AvsrError, match="one clip alone"):
        derangements(1, 3, np.random.default_rng(1))


def test_a_clip_that_says_its_transcript_is_ranked_first(packed, monkeypatch):  # noqa: F811
    model = load_packed(packed)
    pool, rng = SentencePool(CHAT), np.random.default_rng(1)
    items, features = [], {}
    for place, truth in enumerate(TRUTHS):
        tokens = [step for token in model.tokenizer.encode(truth) for step in (token, 0)]
        clip = MouthClip(np.full((len(tokens), 96, 96), place, np.uint8), np.ones(len(tokens), np.float32))
        log_probs = torch.full((len(tokens), len(model.tokenizer)), -8.0)
        log_probs[range(len(tokens)), tokens] = -0.1
        features[place] = LipFeatures(torch.zeros(len(tokens), model.model.config.size), log_probs)
        items.append(real_lips.Item(f"u{place}", clip, [truth, *pool.others(truth, 7, rng)]))
    monkeypatch.setattr(real_lips, "lip_features", lambda _, clip: features[int(clip.frames[0, 0, 0])])
    scores = real_lips.score(model, items, "planted")
    assert {x.shape for x in scores.values()} == {(4, 4, 8)}
    row = real_lips.figures(scores["ctc"], [], seed=1)
    assert row["model"].top1 == row["model"].mrr == 1 and row["model"].top1_interval == (1, 1)
    # Ten syllables' path says the shorter texts no better than others.
    assert row["shuffled"].mrr < 0.9 and "random" not in row


@pytest.fixture
def corpus(tmp_path, session, write_session, make_clip, monkeypatch):  # noqa: F811
    """Options for `main`: four clips of a session, and sentences to rank against; the pictures are mouths already."""
    sentences = []
    for place, truth in enumerate(TRUTHS):
        start = 2.0 * place
        sentences.append({"ID": place + 1, "topic": "t", "sentence_text": truth, "start_time": start, "end_time": start + 1.2})
    session["Sentence_info"] = sentences
    label = write_session(session, tmp_path / "corpus")
    for place in range(len(TRUTHS)):
        make_clip(label.parent / "clips" / f"sentence_{place + 1:02d}.mp4", seconds=1.2)
    (tmp_path / "chat.txt").write_text("\n".join(CHAT), encoding="utf-8")
    monkeypatch.setattr(real_lips, "crop_data_dir", functools.partial(crop_data_dir, mouth_only=True))
    where = {"--data": label.parent, "--text": tmp_path / "chat.txt", "--work": tmp_path / "work"}
    return [str(part) for pair in where.items() for part in pair] + ["--others", "4", "--random_models", "2"]


def test_the_whole(corpus, packed, tmp_path, capsys, monkeypatch):  # noqa: F811
    arguments = [*corpus, "--model", str(packed), "--json", str(tmp_path / "a.json")]
    real_lips.main(arguments)
    said = capsys.readouterr().out
    assert "4 clips" in said and "chance 20.0 % and 0.457" in said
    assert "have no" not in said and "hold what the model has no token for (<unk>)" in said
    result = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert len(result["model_sha256"]) == 64 and result["seed"] == 1 and len(result["clips"]) == 4
    names = ["joint", "ctc", "ctc_unspaced", "attention"]
    assert list(result["scores"]) == [name + kind for name in names for kind in ("", ", corrected")]
    for row in result["scores"].values():
        assert row.keys() == {"model", "random", "shuffled", "p"} and 0 < row["p"] <= 1
        for figure in (row["model"], row["random"], row["shuffled"]):
            low, high = figure["mrr_interval"]
            assert 0 <= low <= figure["mrr"] <= high <= 1

    def never(*_: object) -> None:
        raise AssertionError("what is kept is scored again")

    monkeypatch.setattr(real_lips, "score", never)
    real_lips.main([*arguments[:-1], str(tmp_path / "b.json")])
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_a_bad_request_is_told_in_a_sentence(corpus, packed, tmp_path):  # noqa: F811
    with pytest.raises(SystemExit, match="--others must be 1 or more"):
        real_lips.main([*corpus, "--others", "0"])
    with pytest.raises(SystemExit, match="absent.zip"):
        real_lips.main([*corpus, "--model", str(tmp_path / "absent.zip")])
    (tmp_path / "chat.txt").write_text("OK\n12\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no sentence to rank against"):
        real_lips.main([*corpus, "--model", str(packed)])
    with pytest.raises(SystemExit, match="no such folder"):
        real_lips.main([*corpus, "--data", str(tmp_path / "nowhere"), "--model", str(packed)])
