"""Clips of a made corpus filmed once more: those that were not compressed, once, the same bits each time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.datadir import read_data_dir
from avsr.corpora.talking_heads import make, utterance
from avsr.corpora.talking_heads.camera import Film
from avsr.corpora.talking_heads.corpus import Order
from avsr.corpora.talking_heads.make import make_corpus
from avsr.corpora.talking_heads.refilm import main, refilm
from avsr.corpora.talking_heads.utterance import RECORDS, Job, make_utterance
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import load_mouth_clip
from avsr.stages.combine import combine
from avsr.tables import read_table
from tests.corpora.talking_heads.test_make import fake_say


def drawn(item, order, speech):
    """A bar that opens and closes, with grain that compression loses."""
    rng, count = np.random.default_rng(len(item.text)), round(speech.duration * 25)
    frames = rng.integers(90, 150, (count, 96, 96), dtype=np.uint8)
    for place, frame in enumerate(frames):
        frame[44 - round(8 * np.sin(place / 4)) : 54, 20:76] = 20
    return frames, 25, np.linspace(0, 7, 7 * count).reshape(-1, 7)


def made(job: Job, order: Order, out: Path) -> str | None:
    """Runs in a worker: `make_utterance` itself, with a stand-in for voice and face."""
    utterance.say, utterance.draw = fake_say, drawn
    return make_utterance(job, order, out)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "make_utterance", made)
        make_corpus(Order(utterances=24, seed=3), folder, nj=1)
    return folder


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6))
def test_a_second_film_is_coarser_and_compressed(seed):
    rng = np.random.default_rng(seed)
    film = Film.random(rng)
    if film.quality is not None:
        with pytest.raises(ValueError, match="not compressed again"):
            film.again(rng)
        return
    again = film.again(rng)
    assert again.shrink >= max(1.5, film.shrink) and 21 <= again.quality <= 32
    assert again.gain == again.gamma == 1 and again.blur == again.smear == again.lift == again.flicker == 0
    assert not (film.sharpen and again.sharpen)


def test_what_was_not_compressed_is_filmed_again_and_can_be_added(corpus, tmp_path):
    count = refilm(corpus, tmp_path / "again", nj=1)
    first, second = ({row.utt_id: row for row in read_data_dir(folder / "train")} for folder in (corpus, tmp_path / "again"))
    assert 0 < count == len(second) < len(first) and set(second) < set(first)
    grain, moves = [], []
    for name, row in second.items():
        assert row.text == first[name].text and row.speaker == first[name].speaker and row.words == first[name].words
        old, new = load_mouth_clip(first[name].media), load_mouth_clip(row.media)
        assert new.frames.shape == old.frames.shape and np.array_equal(new.confidence, old.confidence)
        grain.append([np.abs(np.diff(clip.frames[:, :24].astype(int), axis=2)).mean() for clip in (old, new)])
        opened = [clip.frames[:, 34:52, 30:66].mean(axis=(1, 2)) for clip in (old, new)]
        moves.append(np.corrcoef(*opened)[0, 1])
    assert all(after < before for before, after in grain) and np.median(moves) > 0.8, (grain, moves)
    assert read_table(tmp_path / "again" / "train" / "shape.scp").items() <= read_table(corpus / "train" / "shape.scp").items()
    manifests = [json.loads((folder / "manifest.json").read_bytes()) for folder in (corpus, tmp_path / "again")]
    told, files = manifests[1]["splits"]["train"], manifests[1]["files"]
    assert told["utterances"] == count and told["seconds"] == pytest.approx(sum(map(float, read_table(tmp_path / "again" / "train" / "utt2dur").values())), abs=0.06)
    assert set(told["voices"]) <= set(manifests[0]["splits"]["train"]["voices"]) and sum(name.endswith(".mp4") for name in files) == count
    assert manifests[1]["again"]["of"] == manifests[0]["hash"] != manifests[1]["hash"] and not any(".order" in name for name in files)
    report = combine(corpus, [tmp_path / "again"], tmp_path / "both")
    assert report.utterances == len(first) + count and "shape.scp" not in report.dropped


def test_it_goes_on_where_it_was_and_makes_the_same_bits(corpus, tmp_path, capsys):
    refilm(corpus, tmp_path / "a", nj=1)
    first, clips = json.loads((tmp_path / "a" / "manifest.json").read_bytes())["hash"], sorted((tmp_path / "a" / "mouth").glob("*.mp4"))
    bits, kept = {path.name: path.read_bytes() for path in clips}, clips[0].stat().st_mtime_ns
    clips[1].with_suffix(".json").unlink()
    clips[1].unlink()
    assert main(["--corpus", str(corpus), "--out", str(tmp_path / "a"), "--nj", "1"]) == 0
    assert f"{len(clips)} clips filmed again" in capsys.readouterr().out
    assert json.loads((tmp_path / "a" / "manifest.json").read_bytes())["hash"] == first
    assert {path.name: path.read_bytes() for path in clips} == bits and clips[0].stat().st_mtime_ns == kept
    with pytest.raises(AvsrError, match="another order"):
        refilm(corpus, tmp_path / "a", seed=2, nj=1)
    anew = tmp_path / "anew"
    shutil.copytree(corpus, anew)
    (anew / "manifest.json").write_text('{"hash": "of other options"}')
    with pytest.raises(AvsrError, match="another order"):
        refilm(anew, tmp_path / "a", nj=1)


def test_what_is_no_made_corpus_is_said_so(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AvsrError, match="no finished corpus of mouth clips"):
        refilm(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(AvsrError, match="did not make"):
        refilm(corpus, corpus)
    unknown = tmp_path / "unknown"
    shutil.copytree(corpus, unknown)
    (unknown / "manifest.json").write_text("[1]")
    with pytest.raises(AvsrError, match="manifest.json: is no manifest of avsr synth"):
        refilm(unknown, tmp_path / "other", nj=1)
    damaged = tmp_path / "damaged"
    shutil.copytree(corpus, damaged)
    for record in (damaged / RECORDS).glob("*.json"):
        record.write_text("[]")
    with pytest.raises(AvsrError, match="run avsr synth with the same options again"):
        refilm(damaged, tmp_path / "out", nj=1)
