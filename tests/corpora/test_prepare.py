"""From a corpus on disk to data directories, by the function and by the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from avsr.corpora.datadir import read_data_dir
from avsr.corpora.prepare import main, prepare
from avsr.errors import LabelError


@pytest.fixture
def corpus(tmp_path, make_clip):
    """Four speakers of four clips each; two clips of a speaker say the same."""
    for speaker in ("s1", "s2", "s3", "s4"):
        for name in ("말", "말2", "쌀", "추상화"):
            make_clip(tmp_path / f"corpus/video/{speaker}/{name}.mp4", 1.0)
            label = tmp_path / f"corpus/align/{speaker}/{name}.align"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("\n".join(["sil", *name, "sil"]), encoding="utf-8")
    return tmp_path / "corpus"


def _read(out) -> dict[str, list]:
    return {split: read_data_dir(out / split) for split in ("train", "dev", "test")}


def test_by_speaker(tmp_path, corpus):
    report = prepare("lipnet", corpus, tmp_path / "out", dev_fraction=0.25, test_fraction=0.25)
    splits = _read(tmp_path / "out")
    assert report.counts == {"train": 8, "dev": 4, "test": 4} and report.failures == []
    speakers = [{utterance.speaker for utterance in part} for part in splits.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 4
    assert (tmp_path / "out/failed.tsv").read_text() == ""


def test_by_sentence_with_overlapping_speakers(tmp_path, corpus):
    options = {"split_by": "utterance", "dev_fraction": 0.3, "test_fraction": 0.3}
    with pytest.raises(LabelError, match="speaker s1 is in both"):
        prepare("lipnet", corpus, tmp_path / "out", **options)
    prepare("lipnet", corpus, tmp_path / "out", disjoint_speakers=False, **options)
    texts = [{utterance.text for utterance in part} for part in _read(tmp_path / "out").values()]
    assert sorted(text for part in texts for text in part) == ["말", "쌀", "추상화"]


def _lists(folder, test: str, dev: str) -> list[str]:
    (folder / "test.list").write_text(test, encoding="utf-8")
    (folder / "dev.list").write_text(dev, encoding="utf-8")
    return ["--test-list", str(folder / "test.list"), "--dev-list", str(folder / "dev.list")]


def test_lists_that_split_a_sentence_are_refused(tmp_path, corpus, capsys):
    arguments = ["--corpus", "lipnet", "--source", str(corpus), "--out", str(tmp_path / "out")]
    arguments.append("--overlapping-speakers")
    assert main([*arguments, *_lists(tmp_path, "말2\n", "쌀\n")]) == 1
    message = capsys.readouterr().err
    assert "s1-말 in train and s1-말2 in test are the same sentence" in message and message.count("\n") == 1
    assert not (tmp_path / "out/train").exists()
    assert main([*arguments, *_lists(tmp_path, "말\n말2\n", "쌀\n")]) == 0
    assert "train 4, dev 4, test 8" in capsys.readouterr().out


def test_broken_labels_are_listed_and_the_rest_prepared(tmp_path, corpus, capsys):
    (corpus / "align/s2/쌀.align").write_text("0 9 8\n1 2\n", encoding="utf-8")
    arguments = ["--corpus", "lipnet", "--source", str(corpus), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--dev-fraction", "0.25", "--test-fraction", "0.25"]) == 0
    (line,) = (tmp_path / "out/failed.tsv").read_text(encoding="utf-8").splitlines()
    name, path, reason = line.split("\t")
    assert (name, path) == ("쌀", str(corpus / "align/s2/쌀.align")) and f"{path}, line 2: " in reason
    assert "1 not usable, see" in capsys.readouterr().err
    assert sum(map(len, _read(tmp_path / "out").values())) == 15


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"corpus": "lrs3"}, "unknown corpus 'lrs3'"),
        ({"test_list": "test.list"}, "go together"),
        ({"split_by": "age"}, "cannot split by 'age'"),
        ({"test_fraction": 0.0}, "no utterance for test"),
    ],
)
def test_wrong_options(tmp_path, corpus, options, says):
    options = {"corpus": "lipnet", "source": corpus, "out": tmp_path / "out"} | options
    with pytest.raises(LabelError, match=says):
        prepare(**options)


def test_the_other_corpora(tmp_path, session, write_session, make_clip):
    for number in range(3):
        folder = tmp_path / f"aihub/{number}"
        write_session(session | {"speaker_info": session["speaker_info"] | {"speaker_ID": f"C90{number}"}}, folder)
        make_clip(folder / "lip_T_1_M_03_C900_A_001.mp4", 8.0)
    assert prepare("aihub538", tmp_path / "aihub", tmp_path / "a").counts == {"train": 2, "dev": 2, "test": 2}
    first = read_data_dir(tmp_path / "a/train")[0]
    assert (first.start, first.end, first.text) == (1.0, 3.0, "나무가 자란다.")
    rows = "".join(f"{number}/lip_T_1_M_03_C900_A_001.mp4\tp{number}\t네\n" for number in range(3))
    (tmp_path / "aihub/t.tsv").write_text("path\tspeaker\ttext\n" + rows, encoding="utf-8")
    assert prepare("plain", tmp_path / "aihub/t.tsv", tmp_path / "p").counts == {"train": 1, "dev": 1, "test": 1}


def test_the_module_runs_and_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from avsr.corpora.prepare import main\n"
        "assert not {'torch', 'cv2', 'av', 'mediapipe'} & set(sys.modules), 'heavy import'\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["--corpus", "lipnet", "--source", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        f"{tmp_path / 'none'}: there is no such folder; check the path of the corpus."
    ]
