"""Scores in a table that tells how to get them again, and the story that a packed model carries."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from avsr.errors import AvsrError, LabelError
from avsr.media.audio import read_audio, write_audio
from avsr.stages import score
from avsr.stages.pack import describe_model, heard_noises
from avsr.stages.results import data_hash, read_results, training_line
from avsr.tables import SPLITS, write_table


@pytest.fixture
def run(tmp_path) -> Path:
    """What stages 1 to 11 leave: two test utterances, decoded by lips and by sound; a stamp of the training."""
    for split in SPLITS:
        folder = tmp_path / "dump" / split
        texts = {"a-1": "가 나", "a-2": "다 라"}
        write_table(folder / "text", texts)
        write_table(tmp_path / "data" / split / "text", texts | {"a-3": "마"})
        write_table(folder / "utt2dur", dict.fromkeys(texts, "1.500"))
        write_table(folder / "spk2utt", {"a": "a-1 a-2"})
        (folder / "clip.mp4").write_bytes(b"x" * 100)
        write_table(folder / "video.scp", dict.fromkeys(texts, str(folder / "clip.mp4")))
        (folder / "filtered.tsv").write_text("utt\treason\n")
    for mode, second in (("lip", "다라"), ("audio", "")):
        decoded = tmp_path / "exp" / f"decode_{mode}" / "test"
        write_table(decoded / "text", {"a-1": "가 나", "a-2": second})
    (tmp_path / "exp" / "decode_lip" / "test" / "confidence").write_text("a-1 0.9 1.0\na-2 0.3\n")
    summary = {"audio_weight": 0.0, "rtf": 0.25, "options": {"beam_size": 4}, "machine": "a node of a cluster"}
    (tmp_path / "exp" / "decode_lip" / "test" / "decode.json").write_text(json.dumps(summary))
    trained = tmp_path / "exp" / "avsr"
    trained.mkdir()
    data = [[f"dump/train/{name}", kind, "text"] for name, kind in (("text", "text"), ("video.scp", "video"))]
    config = {"seed": 7, "max_epoch": 60, "ngpu": 0, "train_data_path_and_name_and_type": data}
    (trained / "config.yaml").write_text(json.dumps(config))
    note = {"seconds": 3000.0, "machine": "a machine", "commit": "abc", "ended": "2026-01-01 00:00 UTC"}
    (trained / ".done").write_text(json.dumps(note))
    os.symlink("58epoch.pth", trained / "latest.pth")
    (tmp_path / "train.yaml").write_text("max_epoch: 100\n")
    (tmp_path / "decode.yaml").write_text("beam_size: 4\n")
    return tmp_path


def score_it(run: Path, *options: str, command: str = "./run.sh --recipe x") -> int:
    files = ["--exp", run / "exp", "--data", run / "data", "--dump", run / "dump", "--train_config", run / "train.yaml"]
    return score.main([*map(str, files), "--recipe", "x", "--modes", "lip audio", "--command", command, *options])


def test_results(run, capsys):
    published = run / "RESULTS.md"
    command = "./run.sh --recipe x --data /home/someone/secret/corpus --exp=/tmp/there ../data"
    assert score_it(run, "--publish", str(published), command=command) == 0
    text = (run / "exp" / "RESULTS.md").read_text("utf-8")
    assert published.read_text("utf-8") == text
    lip = next(line for line in text.splitlines() if line.startswith("| lip only"))
    cells = [cell.strip() for cell in lip.strip("|").split("|")]
    assert cells[1] == "50.0 (0.0 to 100.0)", "two of four words: one utterance right, one wrong"
    assert cells[2].startswith("0.0 (") and cells[3].startswith("0.0 ("), "only a space is missing"
    assert cells[4:] == ["0.0 (0.0 to 0.0)", "13.3", "0.00", "0.25"], "one word surely right, one as good as sure, one unsure and wrong"
    assert "| audio only | 50.0" in text and "| 58 epochs, 50 minutes of wall time |" in text
    assert "max_epoch: 60" in text, "what training used, whatever the file says now"
    assert "| test | 2 | 0.00 | 1 | 1 | 0 |" in text, "of three utterances one has no crop"
    for told in ("a machine", "| decoded and scored on | a node of a cluster; ", "| seed | 7 |", "beam_size 4", data_hash(run / "dump")):
        assert told in text
    assert "/home" not in text and "`./run.sh --recipe x --data .../corpus --exp=.../there ../data`" in text
    errors = (run / "exp" / "decode_audio" / "test" / "errors.tsv").read_text("utf-8").splitlines()
    assert errors[1] == "a-2\t2\t2\t다 라\t", "the worst first"
    assert "| lip only" in capsys.readouterr().out


def test_columns_of_the_corpus_have_a_table_each(run):
    folder = run / "dump" / "test"
    write_table(folder / "utt2spk", {"a-1": "a", "a-2": "a"})
    write_table(folder / "utt2angle", {"a-1": "A", "a-2": "C"})
    write_table(folder / "utt2sex", {"a-1": "F", "a-2": "F"})
    assert score_it(run) == 0
    text = (run / "exp" / "RESULTS.md").read_text("utf-8")
    assert "By angle:\n\n| angle | utterances | speakers | lip only | audio only |" in text
    assert "| A | 1 | 1 | 0.0 (0.0 to 0.0) | 0.0 (0.0 to 0.0) |" in text
    assert "| C | 1 | 1 | 0.0 (0.0 to 0.0) | 100.0 (100.0 to 100.0) |" in text
    assert "| F | 2 | 1 | 0.0 (0.0 to 0.0) | 50.0 (0.0 to 100.0) |" in text
    assert read_results(run / "exp" / "RESULTS.md").figures["test"]["audio"]["cer"] == (50.0, 0.0, 100.0)
    (folder / "utt2angle").write_text("a-1 A\n")
    write_table(folder / "utt2name", {f"a-{number}": f"n{number}" for number in range(1, 40)})
    score_it(run)
    assert "By name" not in (run / "exp" / "RESULTS.md").read_text("utf-8"), "a value an utterance is no group"


def test_several_test_sets_have_a_table_each(run, capsys):
    import shutil

    for folder in ("dump", "data"):
        shutil.copytree(run / folder / "test", run / folder / "test_seen")
    for mode in ("lip", "audio"):
        shutil.copytree(run / "exp" / f"decode_{mode}" / "test", run / "exp" / f"decode_{mode}" / "test_seen")
    for split, texts, speaker in (("train", {"b-1": "가 나"}, "b"), ("test", None, "a"), ("test_seen", None, "b")):
        if texts:
            write_table(run / "dump" / split / "text", texts)
        utterances = texts or {"a-1": "", "a-2": ""}
        write_table(run / "dump" / split / "utt2spk", dict.fromkeys(utterances, speaker))
    alone = data_hash(run / "dump")
    assert score_it(run, "--splits", "train", "dev", "test", "test_seen") == 0
    text = (run / "exp" / "RESULTS.md").read_text("utf-8")
    assert text.count("| lip only | 50.0") == 2
    assert "`test`: 2 utterances; 1 speakers, of which none trained on; 2 sentences, of which 1 trained on." in text
    assert "`test_seen`: 2 utterances; 1 speakers, of which 1 trained on;" in text
    assert "| test_seen | 2 |" in text and alone not in text, "the hash is of all that was used"
    assert (run / "exp" / "decode_lip" / "test_seen" / "errors.tsv").exists()
    assert "`test_seen`" in capsys.readouterr().out


def test_an_utterance_that_was_not_decoded_stops_it(run):
    write_table(run / "exp" / "decode_lip" / "test" / "text", {"a-1": "가 나"})
    with pytest.raises(LabelError, match="a-2"):
        score_it(run)
    assert not (run / "exp" / "RESULTS.md").exists()


def test_a_training_outside_run_sh_says_so(run):
    (run / "exp" / "avsr" / "latest.pth").unlink()
    line = training_line(run / "exp" / "avsr", {})
    assert line == "number of epochs not recorded, wall time not recorded (trained outside run.sh)"


def test_the_data_hash_is_of_the_data_and_not_of_its_place(run, tmp_path_factory):
    before = data_hash(run / "dump")
    moved = tmp_path_factory.mktemp("moved") / "dump"
    (run / "dump").rename(moved)
    for split in SPLITS:
        write_table(moved / split / "video.scp", dict.fromkeys(("a-1", "a-2"), str(moved / split / "clip.mp4")))
    assert data_hash(moved) == before
    (moved / "test" / "clip.mp4").write_bytes(b"y" * 101)
    assert data_hash(moved) != before


def test_the_story_of_a_model(run):
    meta = describe_model(run / "exp" / "avsr", run / "dump", "x", run / "decode.yaml")
    assert meta["what"].startswith("Speech recognition from lips") and meta["decode"] == {"beam_size": 4}
    assert (meta["seed"], meta["commit"], meta["training_seconds"]) == (7, "abc", 3000.0)
    assert meta["streams"] == ["lips"]
    (run / "exp" / "avsr" / "config.yaml").write_text("seed: 7\n")
    with pytest.raises(AvsrError, match="names neither speech nor video"):
        describe_model(run / "exp" / "avsr", run / "dump", "x", run / "decode.yaml")
    with pytest.raises(AvsrError, match="config.yaml: there is no such file"):
        describe_model(run / "nowhere", run / "dump", "x", run / "decode.yaml")


def test_what_was_heard_in_training_is_told_of_recordings_and_not_of_the_corpus(tmp_path):
    """So that the benchmark can refuse them; wherever the training was, for its path may be another machine's."""
    from avsr.noise.pcm import hash_pcm, to_pcm

    rng = np.random.default_rng(0)
    samples = {name: (0.1 * rng.standard_normal(800)).astype(np.float32) for name in ("street", "rain")}
    for name, values in samples.items():
        write_audio(tmp_path / f"{name}.flac", values)
    write_table(tmp_path / "noise.scp", {name: str(tmp_path / f"{name}.flac") for name in samples})
    told = heard_noises(str(tmp_path / "noise.scp"))
    # 16-bit files: what is hashed is what is read.
    assert told == sorted(hash_pcm(to_pcm(read_audio(tmp_path / f"{name}.flac")[0])) for name in samples)
    assert heard_noises(None) == heard_noises("/elsewhere/dump/x/train/wav.scp") == []


def test_visemes_are_counted_in_korean_alone_and_older_results_are_read(run):
    (run / "exp" / "decode_lip" / "test" / "confidence").unlink()
    for text, shown in (("가 나", "0.0 (0.0 to 0.0)"), ("bin blue", "")):
        for folder in ("data/test", "dump/test", "exp/decode_lip/test", "exp/decode_audio/test"):
            write_table(run / folder / "text", {"a-1": text, "a-2": text})
        assert score_it(run) == 0
        results = run / "exp" / "RESULTS.md"
        (lip,) = (line for line in results.read_text("utf-8").splitlines() if line.startswith("| lip only"))
        assert [cell.strip() for cell in lip.strip("|").split("|")][4] == shown
    lines = results.read_text("utf-8").splitlines()
    older = ["|".join(line.split("|")[:5] + line.split("|")[6:]) if line.startswith("| lip") else line for line in lines]
    (run / "older.md").write_text("\n".join(older), encoding="utf-8")
    assert read_results(run / "older.md").figures == read_results(results).figures


def test_what_lips_are_taken_for_is_counted_and_drawn(run, capsys):
    write_table(run / "exp" / "decode_lip" / "test" / "text", {"a-1": "가 라", "a-2": "다 바"})
    with pytest.raises(AvsrError, match="1 numbers for the 2 words of a-2"):
        score_it(run)
    (run / "exp" / "decode_lip" / "test" / "confidence").unlink()
    assert score_it(run) == 0
    folder = run / "exp" / "decode_lip" / "test"
    assert "test, lips: 1 of 2 sounds that were taken for others look like them" in capsys.readouterr().out
    assert "ㄴ\tㄹ\t1" in (folder / "confusions.tsv").read_text("utf-8").splitlines()
    assert (folder / "confusions.png").stat().st_size > 5000
    assert not (run / "exp" / "decode_audio" / "test" / "confusions.tsv").exists()


def test_the_shares_of_what_was_read_add_up_to_one():
    from avsr.stages.confusions import matrix

    counts = {("ㄱ", "ㄱ"): 2, ("ㄱ", "ㄴ"): 1, ("ㄱ", ""): 1, ("ㄴ", "ㄱ"): 1, ("", "ㄴ"): 5}
    found = matrix(counts, ["ㄱ", "ㄴ", "ㄷ"])
    assert found.tolist() == [[0.5, 0.25, 0, 0.25], [1, 0, 0, 0], [0, 0, 0, 0]]
