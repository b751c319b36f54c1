"""Stages 2 to 5 on a made corpus: crops, format, filter, tokens."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.datadir import Utterance, read_data_dir, write_data_dir
from avsr.corpora.prepare import prepare
from avsr.errors import AvsrError, LabelError
from avsr.stages import filter as filter_stage
from avsr.stages import format as format_stage
from avsr.stages import tokens as tokens_stage
from avsr.stages.crops import crop_splits
from avsr.stages.filter import Limits, ctc_frames, filter_split, reason_against
from avsr.stages.format import format_split, share_time
from avsr.tables import SPLITS, columns, read_table, spk2utt, write_table
from avsr.text.tokens import load_tokenizer


@pytest.fixture(scope="module")
def cropped(mini_corpus, tmp_path_factory) -> Path:
    """data/ and crops/ of the mini corpus, with one clip that is no video."""
    place = tmp_path_factory.mktemp("cropped")
    corpus = place / "corpus"
    shutil.copytree(mini_corpus, corpus)
    prepare("lipnet", corpus, place / "data", split_by="utterance", disjoint_speakers=False)
    broken = read_data_dir(place / "data" / "train")[0]
    broken.media.write_bytes(b"not media at all")
    crop_splits(place / "data", place / "crops", nj=1, mouth_only=True)
    return place


def test_from_crops_to_tokens(cropped, tmp_path, capsys):
    arguments = ["--data", cropped / "data", "--crops", cropped / "crops", "--out", tmp_path / "formatted"]
    assert format_stage.main([*map(str, arguments)]) == 0
    assert "1 left out as their crop failed" in capsys.readouterr().out
    assert filter_stage.main(["--source", str(tmp_path / "formatted"), "--out", str(tmp_path / "dump")]) == 0
    for split in SPLITS:
        made_alone = {"align", "shape.scp"}  # what these clips do not come with
        tables = {name: read_table(tmp_path / "dump" / split / name) for name in filter_stage.TABLES if name not in made_alone}
        assert len({tuple(table) for table in tables.values()}) == 1, "every table has the same utterances"
        assert list(tables["text"]) == sorted(tables["text"])
        assert all(Path(path).is_file() for name in ("video.scp", "wav.scp") for path in tables[name].values())
        assert not any((tmp_path / "dump" / split / name).exists() for name in made_alone)
    arguments = ["--text", tmp_path / "dump" / "train" / "text", "--out", tmp_path / "tokens"]
    assert tokens_stage.main([*map(str, arguments)]) == 0
    tokenizer = load_tokenizer(tmp_path / "tokens")
    assert tokenizer.decode(tokenizer.encode("가나")) == "가나"


def test_columns_go_along_with_their_utterances(cropped, tmp_path):
    data = shutil.copytree(cropped / "data" / "dev", tmp_path / "data")
    utterances = read_table(data / "text")
    write_table(data / "utt2angle", {utterance: "AC"[index % 2] for index, utterance in enumerate(utterances)})
    write_table(tmp_path / "out" / "utt2noise", {"of an": "earlier run"})
    format_split(data, cropped / "crops" / "dev", tmp_path / "formatted", speech=True)
    filter_split(tmp_path / "formatted", tmp_path / "out", Limits())
    assert columns(tmp_path / "out") == ["utt2angle"]
    kept = read_table(tmp_path / "out" / "text")
    assert read_table(tmp_path / "out" / "utt2angle") == {key: value for key, value in read_table(data / "utt2angle").items() if key in kept}
    write_table(data / "utt2angle", {})
    with pytest.raises(LabelError, match="utt2angle: has no line for"):
        format_split(data, cropped / "crops" / "dev", tmp_path / "formatted", speech=True)


def test_a_silent_corpus_has_no_sound_table(cropped, tmp_path):
    format_split(cropped / "data" / "dev", cropped / "crops" / "dev", tmp_path, speech=True)
    assert (tmp_path / "wav.scp").exists()
    (tmp_path / "shape.scp").write_text("of an earlier run\n")
    format_split(cropped / "data" / "dev", cropped / "crops" / "dev", tmp_path, speech=False)
    assert not any((tmp_path / name).exists() for name in ("wav.scp", "shape.scp")), "those of an earlier run are gone"


@pytest.fixture
def spoken(tmp_path) -> Path:
    """data/ and crops/ of three utterances: with times, with none, without sound."""
    utterances = [
        Utterance("a-1", "a", Path("1.mp4"), "Don't 1,000!", words=[(0.5, 1.0, "Don't"), (1.0, 2.0, "1,000!")]),
        Utterance("a-2", "a", Path("2.mp4"), "하나 둘"),
        Utterance("b-3", "b", Path("3.mp4"), "셋"),
    ]
    write_data_dir(tmp_path / "data", utterances)
    for name in ("video.scp", "utt2dur", "utt2face"):
        write_table(tmp_path / "crops" / name, {utterance.utt_id: "1.000" for utterance in utterances})
    write_table(tmp_path / "crops" / "wav.scp", {"a-1": "1.flac", "a-2": "2.flac"})
    return tmp_path


def test_text_and_times_are_normalised_alike(spoken):
    report = format_split(spoken / "data", spoken / "crops", spoken / "out", speech=True)
    assert (report.written, report.silent, report.untimed) == (2, 1, 0)
    assert read_table(spoken / "out" / "text") == {"a-1": "don't 1000", "a-2": "하나 둘"}
    assert read_table(spoken / "out" / "align") == {"a-1": "0.500 1.000 don't 1.000 2.000 1000", "a-2": ""}
    assert read_table(spoken / "out" / "spk2utt") == {"a": "a-1 a-2"}


def test_times_that_do_not_spell_the_text_are_left_out(spoken):
    write_table(spoken / "data" / "text", {"a-1": "something else", "a-2": "하나 둘", "b-3": "셋"})
    report = format_split(spoken / "data", spoken / "crops", spoken / "out", speech=True)
    assert report.untimed == 1 and not (spoken / "out" / "align").exists()


def test_what_has_no_sound_is_kept_for_the_lips(spoken):
    report = format_split(spoken / "data", spoken / "crops", spoken / "out", speech=True, keep_silent=True)
    assert (report.written, report.silent, report.seen_alone) == (3, 0, 1) and "1 without sound, for the lips alone" in str(report)
    assert set(read_table(spoken / "out" / "wav.scp")) == {"a-1", "a-2"}
    write_table(spoken / "out" / "utt2dur", dict.fromkeys(("a-1", "a-2", "b-3"), "3.000"))
    filter_split(spoken / "out", spoken / "kept", Limits())
    assert set(read_table(spoken / "kept" / "text")) == {"a-1", "a-2", "b-3"}
    assert set(read_table(spoken / "kept" / "wav.scp")) == {"a-1", "a-2"}


def test_nothing_left_is_a_sentence(spoken):
    write_table(spoken / "crops" / "wav.scp", {})
    with pytest.raises(AvsrError, match="no utterance with sound and a mouth clip"):
        format_split(spoken / "data", spoken / "crops", spoken / "out", speech=True)


@settings(deadline=None, max_examples=40)  # deadlines say more of the load than of the code
@given(st.floats(0, 10), st.floats(0.01, 5), st.lists(st.text("ab", min_size=1), max_size=5))
def test_parts_share_a_words_time_without_gaps(start, length, parts):
    timed = share_time(start, start + length, parts)
    assert [word for *_, word in timed] == parts
    if timed:
        assert timed[0][0] == pytest.approx(start) and timed[-1][1] == pytest.approx(start + length)
        assert all(one[1] == other[0] for one, other in zip(timed, timed[1:]))


@pytest.mark.parametrize(
    ("text", "seconds", "face", "reason"),
    [
        ("안녕", 1.0, 0.9, None),
        ("", 1.0, 0.9, "empty text"),
        ("안녕", 0.3, 0.9, "shorter than 0.4 s"),
        ("안녕", 20.1, 0.9, "longer than 20 s"),
        ("안녕", 1.0, 0.4, "mean face confidence under 0.5"),
        ("안녕하세요 여러분", 0.6, 0.9, "more tokens than frames"),
    ],
)
def test_reasons(text, seconds, face, reason):
    assert reason_against(text, seconds, face, Limits()) == reason


def test_words_past_the_end_of_a_shortened_clip_are_not_learnt_from(tmp_path):
    texts = {"a-1": "가 나", "a-2": "가 나"}
    tables = {"text": texts, "utt2spk": dict.fromkeys(texts, "a"), "video.scp": dict.fromkeys(texts, "x.mp4")}
    tables |= {"utt2dur": {"a-1": "1.000", "a-2": "0.600"}, "utt2face": dict.fromkeys(texts, "0.900")}
    tables["align"] = dict.fromkeys(texts, "0.1 0.4 가 0.7 1.05 나")
    for name, rows in tables.items():
        write_table(tmp_path / "in" / name, rows)
    assert filter_split(tmp_path / "in", tmp_path / "out", Limits()) == {"words after the end of its clip": 1}
    assert set(read_table(tmp_path / "out" / "align")) == {"a-1"}


def test_ctc_needs_a_blank_between_equal_tokens():
    assert ctc_frames("aab", "char") == 4
    assert ctc_frames("각", "jamo") == 3, "the first and the last consonant are different jamo"
    assert ctc_frames("각", "bpe") == 1


def test_what_is_left_out_is_listed_and_a_test_set_keeps_its_hard_ones(tmp_path):
    texts = {"a-1": "가 나", "a-2": "가나다라마바사아자차카타파하", "a-3": ""}
    tables = {"text": texts, "utt2spk": dict.fromkeys(texts, "a"), "video.scp": dict.fromkeys(texts, "x.mp4")}
    tables |= {"utt2dur": dict.fromkeys(texts, "1.000"), "utt2face": dict.fromkeys(texts, "0.900")}
    for name, rows in tables.items():
        write_table(tmp_path / "in" / name, rows)
    counts = filter_split(tmp_path / "in", tmp_path / "out", Limits())
    assert counts == {"more tokens than frames": 1, "empty text": 1}
    assert set(read_table(tmp_path / "out" / "text")) == {"a-1"}
    rows = [line.split("\t") for line in (tmp_path / "out" / "filtered.tsv").read_text("utf-8").splitlines()]
    assert [row[:2] for row in rows[1:]] == [["a-2", "more tokens than frames"], ["a-3", "empty text"]]
    filter_split(tmp_path / "in", tmp_path / "test", Limits(), test=True)
    assert set(read_table(tmp_path / "test" / "text")) == {"a-1", "a-2"}
    with pytest.raises(AvsrError, match="no utterance is left .*longer than 0.5 s"):
        filter_split(tmp_path / "in", tmp_path / "none", Limits(max_seconds=0.5))


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.from_regex(r"\A[a-c]-[0-9]{1,3}\Z"), st.sampled_from(["", "가", "a b"]), max_size=8))
def test_tables_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "text"
    write_table(path, rows)
    assert read_table(path) == dict(sorted(rows.items()))


def test_a_table_that_is_missing_or_says_twice_is_a_sentence(tmp_path):
    with pytest.raises(LabelError, match="text is missing: run the stages before"):
        read_table(tmp_path / "text")
    (tmp_path / "text").write_text("a 1\na 2\n")
    with pytest.raises(LabelError, match="line 2: a is there twice"):
        read_table(tmp_path / "text")


def test_speakers_and_their_utterances():
    assert spk2utt({"b-1": "b", "a-2": "a", "a-1": "a"}) == {"b": "b-1", "a": "a-1 a-2"}
