"""The benchmark: its table of conditions, its mixtures, and a whole run on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.benchmark.conditions import Corruption, read_conditions
from avsr.benchmark.corrupt import corrupt_picture, corrupt_sound, rng_for
from avsr.benchmark.materials import Materials
from avsr.benchmark.report import benchmark
from avsr.benchmark.statistics import Resampling, count
from avsr.decoding.packed import read_meta, write_with_meta
from avsr.errors import AvsrError
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.media.audio import write_audio
from avsr.noise.pcm import hash_pcm
from avsr.tables import write_table
from tests.decoding.conftest import SENTENCES, packed, run  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
seed: 3
conditions:
  white: {sound: {noise: white, snr_db: [0, -10]}}
  crowd: {sound: {noise: babble, talkers: 6, snr_db: -5}}
  street: {sound: {noise: recorded, recording: street, snr_db: 0}}
  muted: {sound: {fault: muted}}
  wrong: {sound: {fault: wrong}}
  gone: {picture: {fault: dropped, fraction: 1.0}}
  another face: {picture: {fault: swapped}}
"""


@pytest.fixture(scope="module")
def test_set(tmp_path_factory) -> Path:
    """Three utterances by three speakers, as the format stage writes them."""
    folder = tmp_path_factory.mktemp("test_set")
    rng = np.random.default_rng(0)
    tables: dict[str, dict[str, str]] = {name: {} for name in ("text", "utt2spk", "wav.scp", "video.scp")}
    for number, text in enumerate(SENTENCES):
        utt, frames = f"s{number}-{number}", 12 + 3 * number
        samples = (0.2 * rng.standard_normal(640 * frames)).astype(np.float32)
        write_audio(folder / f"{utt}.flac", samples)
        mouth = rng.integers(0, 256, (frames, 96, 96), dtype=np.uint8)
        save_mouth_clip(MouthClip(mouth, np.ones(frames, np.float32)), folder / f"{utt}.mp4")
        row = {"text": text, "utt2spk": f"s{number}", "wav.scp": str(folder / f"{utt}.flac")}
        for name, value in (row | {"video.scp": str(folder / f"{utt}.mp4")}).items():
            tables[name][utt] = value
    for name, rows in tables.items():
        write_table(folder / name, rows)
    return folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Path:
    """A recording shorter than an utterance."""
    folder = tmp_path_factory.mktemp("noise")
    write_audio(folder / "street.flac", (0.1 * np.random.default_rng(1).standard_normal(3000)).astype(np.float32))
    return folder


def table(tmp_path: Path, text: str = SMALL) -> Path:
    path = tmp_path / "conditions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_table_that_comes_along_is_whole():
    conditions = read_conditions(ROOT / "conf" / "benchmark_noisy.yaml")
    kinds = {cell.sound.kind for cell in conditions.cells} | {cell.picture.kind for cell in conditions.cells}
    wanted = "babble white recorded muted dropouts clipped telephone low_bitrate packet_loss damaged_packets wrong dying"
    assert kinds >= {*wanted.split(), *"frozen occluded blurred shrunk dropped swapped shifted".split()}
    levels = [cell.snr_db for cell in conditions.cells if cell.condition == "babble"]
    assert levels == [20, 15, 10, 5, 0, -5, -10] and conditions.cells[0].name == "clean"
    assert len({cell.name for cell in conditions.cells}) == len(conditions.cells)


@pytest.mark.parametrize(
    "line, message",
    [
        ("x: {sound: {noise: pink, snr_db: 0}}", "condition x, sound: noise pink is unknown"),
        ("x: {sound: {noise: white}}", "white needs snr_db"),
        ("x: {sound: {noise: white, snr_db: loud}}", "snr_db is 'loud'"),
        ("x: {sound: {fault: mute}}", "fault mute is unknown"),
        ("x: {sound: {fault: dropouts}}", "dropouts needs fraction"),
        ("x: {sound: {fault: muted, much: 1}}", "muted takes no much"),
        ("x: {picture: {fault: muted}}", "picture can have frozen"),
        ("x: {light: {fault: muted}}", "give sound, picture, both or neither"),
        ("x: {sound: {fault: dropouts, fraction: []}}", "empty list"),
        ("x: {sound: {noise: babble, talkers: [1, 2], snr_db: [1, 2]}}", "both lists"),
        ("x: {sound: {noise: white, snr_db: [1, 1]}}", "two cells named x 1 dB"),
        ("x: 5", "give sound, picture"),
        ("x: {sound: {noise: white, snr_db: .nan}}", "snr_db is nan; give a number"),
        ("x: {sound: {noise: white, snr_db: 99}}", "give -60 to 60"),
        ("x: {sound: {noise: babble, talkers: 2.5, snr_db: 0}}", "talkers is 2.5; give a whole number"),
        ("x: {picture: {fault: frozen, fraction: 1.5}}", "fraction is 1.5; give 0 to 1"),
    ],
)
def test_a_wrong_condition_is_a_sentence(tmp_path, line, message):
    with pytest.raises(AvsrError, match=message):
        read_conditions(table(tmp_path, f"conditions:\n  {line}\n"))


def test_five_and_five_point_nought_are_one_corruption(tmp_path):
    text = "conditions:\n  a: {sound: {noise: white, snr_db: 5}}\n  b: {sound: {noise: white, snr_db: 5.0}}\n"
    _, one, other = read_conditions(table(tmp_path, text)).cells
    assert one.sound == other.sound and one.sound.key == other.sound.key and one.sound.source == other.sound.source


def test_a_mixture_depends_on_nothing_but_its_names(test_set, noise):
    """Not on what was mixed before, not on the limit; and one utterance has one piece of noise at every level."""
    whole, some = Materials(test_set, noise), Materials(test_set, noise, limit=1)
    utt = some.utterances[0]
    for kind, values in (("babble", {"talkers": 6, "snr_db": 5.0}), ("recorded", {"recording": "street", "snr_db": 5.0}), ("wrong", {})):
        what = Corruption(kind, tuple(sorted(values.items())))
        one = hash_pcm(corrupt_sound(utt, what, 3, some))
        corrupt_sound(utt, Corruption("white", (("snr_db", 0.0),)), 3, whole)
        assert one == hash_pcm(corrupt_sound(utt, what, 3, whole)) and one != hash_pcm(whole.sound(utt))
        assert kind == "wrong" or one != hash_pcm(corrupt_sound(utt, what, 4, whole))
    loud, soft = (Corruption("white", (("snr_db", level),)) for level in (0.0, 20.0))
    assert loud.source == soft.source and loud.key != soft.key
    rests = [corrupt_sound(utt, what, 3, whole).astype(float) - whole.sound(utt) for what in (loud, soft)]
    assert np.corrcoef(*rests)[0, 1] > 0.99


def test_another_persons_face_is_another_persons(test_set):
    materials = Materials(test_set)
    utt = materials.utterances[0]
    clip = corrupt_picture(utt, Corruption("swapped"), 3, materials)
    assert len(clip.frames) == len(materials.mouth(utt).frames)
    assert not np.array_equal(clip.frames, materials.mouth(utt).frames)


def test_a_whole_run_and_a_new_condition_costs_only_itself(packed, test_set, noise, tmp_path):  # noqa: F811
    out, conditions = tmp_path / "out", table(tmp_path)
    options = {"nj": 1, "noise": noise, "baselines": [f"same={packed}:audio"]}
    said = benchmark(packed, test_set, conditions, out, **options)
    assert "9 cells of 3 utterances" in said
    results = json.loads((out / "results.json").read_text("utf-8"))
    cells = {(cell["condition"], cell["snr_db"]): cell for cell in results["cells"]}
    assert set(cells) == {
        ("clean", None), ("white", 0), ("white", -10), ("crowd", -5), ("street", 0), ("muted", None), ("wrong", None), ("gone", None),
        ("another face", None),
    }  # fmt: skip
    for cell in cells.values():
        assert cell["cer"]["same"] == cell["cer"]["audio"], "a baseline is read as any model is"
        assert cell["cer"]["oracle"] <= cell["cer"]["fixed"] and cell["cer"]["oracle_utterance"] <= cell["cer"]["oracle"]
        low, high = cell["interval"]["av"]
        assert low <= cell["cer"]["av"] <= high
    assert cells["muted", None]["weight"]["av"] == 0 and cells["muted", None]["cer"]["av"] == cells["muted", None]["cer"]["lip"]
    assert cells["gone", None]["weight"]["av"] == 1 and cells["gone", None]["cer"]["av"] == cells["gone", None]["cer"]["audio"]
    manifest = (out / "manifest.tsv").read_text("utf-8")
    assert manifest.count("\n") == 1 + 3 * (7 + 3), "every mixture and every clip once"
    assert all((out / name).stat().st_size > 5000 for name in ("av_minus_better.png", "cer_over_snr.png", "weight_over_snr.png"))
    written = (out / "RESULTS.md").read_text("utf-8")
    assert "| another face |" in written and "| promise | found | |" in written
    means = json.loads((out / "results.json").read_text("utf-8"))["means"]
    (every,) = (kind for kind in means if kind.startswith("all cells"))
    assert means[every]["av"] == pytest.approx(np.mean([cell["cer"]["av"] for cell in cells.values()]), abs=2e-3)
    numbers = [int(kind.rpartition("(")[2].rstrip(")")) for kind in means]
    assert numbers[0] == sum(numbers[1:]) == len(cells), "each cell is of one kind"
    assert f"| {every} | {means[every]['audio']:.1f} |" in written

    kept = {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.npz")}
    conditions.write_text(SMALL + "  late: {sound: {fault: shifted, ms: 80}}\n", encoding="utf-8")
    assert "10 cells" in benchmark(packed, test_set, conditions, out, **options)
    now = {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.npz")}
    assert kept.items() <= now.items() and len(now) == len(kept) + 2  # a stream for the model and for the baseline
    again = json.loads((out / "results.json").read_text("utf-8"))
    assert again["cells"][:9] == results["cells"]


def test_a_recording_that_comes_later_costs_only_itself(packed, test_set, noise, tmp_path):  # noqa: F811
    out, conditions = tmp_path / "out", table(tmp_path)
    benchmark(packed, test_set, conditions, out, nj=1)
    kept = set((out / "cache").rglob("*.npz"))
    benchmark(packed, test_set, conditions, out, nj=1, noise=noise)
    assert len(set((out / "cache").rglob("*.npz")) - kept) == 1


def test_what_others_say_is_part_of_the_key(packed, test_set, tmp_path):  # noqa: F811
    """They are mixed in, even those beyond the limit."""
    import shutil

    data = shutil.copytree(test_set, tmp_path / "data")
    for name in ("wav.scp", "video.scp"):
        (data / name).write_text((data / name).read_text().replace(str(test_set), str(data)))
    before = Materials(data, limit=1).hash()
    assert before == Materials(test_set, limit=1).hash(), "where it lies plays no part"
    write_audio(data / "s2-2.flac", np.ones(9000, np.float32) / 2)
    assert Materials(data, limit=1).hash() != before


def test_a_damaged_store_is_a_sentence(packed, test_set, tmp_path):  # noqa: F811
    text = "conditions:\n  muted: {sound: {fault: muted}}\n"
    options = {"nj": 1}
    benchmark(packed, test_set, table(tmp_path, text), tmp_path / "out", **options)
    for cell in (tmp_path / "out" / "cache").rglob("*.json"):
        if cell.name != "frames.json":
            cell.unlink()
    for store in (tmp_path / "out" / "cache").rglob("sound-*.npz"):
        store.write_bytes(store.read_bytes()[:1000])
    with pytest.raises(AvsrError, match="remove it and run the same command again"):
        benchmark(packed, test_set, table(tmp_path, text), tmp_path / "out", **options)


def test_promises_are_about_strength_and_not_about_names(tmp_path):
    from avsr.benchmark import figures

    def row(sound="clean", picture="clean", **told):
        return {"corrupted": {"sound": sound, "picture": picture}, "told": {"sound": told, "picture": told}}

    assert figures._destroyed_sound(row("muted")) and not figures._destroyed_sound(row("muted", fraction=0.3))
    assert figures._destroyed_picture(row(picture="dropped", fraction=1.0))
    assert not figures._destroyed_picture(row(picture="frozen", fraction=0.2))
    perfect = {"x": {"cer": {"av": 0.0, "lip": 0.0}}, "y": {"cer": {"av": 0.5, "lip": 0.0}}}
    found = figures._alike("sound destroyed", perfect, ["x", "y"], "lip")
    assert found["kept"] is False and found["broken_by"] == ["y"] and "0.5 against 0.0" in found["found"]
    same = [{"cer": {"fixed": 1.0, "oracle": 1.0, "av": 1.0}}]
    assert figures._shares(same)["kept"] is None


def test_the_command_is_written_without_the_persons_home():
    from avsr.stages.machine import typed_command

    said = typed_command(["avsr", "benchmark", "--data", "/home/kim/데이터/test", "--baseline", "a=/srv/x y/m.zip:lip", "--out", "r"])
    assert "kim" not in said and "srv" not in said and "test" in said and "m.zip:lip" in said


def test_the_models_own_search(packed, test_set, tmp_path):  # noqa: F811
    text = "conditions:\n  muted: {sound: {fault: muted}}\n"
    benchmark(packed, test_set, table(tmp_path, text), tmp_path / "out", nj=1, greedy=False, limit=2)
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    muted = results["cells"][1]
    assert muted["cer"]["av"] == muted["cer"]["lip"] and "oracle" not in muted["cer"] and results["facts"]["utterances"] == 2


def test_recordings_that_are_not_at_hand_are_left_out_and_said(packed, test_set, tmp_path, capfd):  # noqa: F811
    text = "conditions:\n  street: {sound: {noise: recorded, recording: street, snr_db: [0, 5]}}\n"
    benchmark(packed, test_set, table(tmp_path, text), tmp_path / "out", nj=1)
    assert "left out, for the recording street is not at hand (--noise DIR): 2 cells" in capfd.readouterr().err
    assert "the recording street is not at hand (--noise DIR): street 0 dB, street 5 dB." in (tmp_path / "out" / "RESULTS.md").read_text("utf-8")


def test_one_speaker_has_no_other_face(packed, test_set, tmp_path, capfd):  # noqa: F811
    import shutil

    data = shutil.copytree(test_set, tmp_path / "data")
    write_table(data / "utt2spk", dict.fromkeys((f"s{n}-{n}" for n in range(3)), "s1"))
    text = "conditions:\n  muted: {sound: {fault: muted}}\n  face: {picture: {fault: swapped}}\n"
    assert "2 cells" in benchmark(packed, data, table(tmp_path, text), tmp_path / "out", nj=1)
    assert "no other person's face: 1 cells, face the first" in capfd.readouterr().err


def test_noise_that_the_model_was_trained_on_is_refused(packed, test_set, noise, tmp_path):  # noqa: F811
    heard = tmp_path / "heard.zip"
    sha = Materials(test_set, noise).hashes(["street"])["street"]
    write_with_meta(packed, heard, read_meta(packed) | {"noises": [sha]})
    with pytest.raises(AvsrError, match="was trained on the recording street"):
        benchmark(heard, test_set, table(tmp_path), tmp_path / "out", nj=1, noise=noise)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: (data / "text").write_text(""), "has no utterance"),
        (lambda data: (data / "wav.scp").write_text(""), "no line for s0-0|is empty"),
        (lambda data: write_audio(data / "s0-0.flac", np.zeros(8000, np.float32)), "the speech is silent"),
    ],
)
def test_a_test_set_that_cannot_be_used_is_a_sentence(packed, test_set, tmp_path, change, message):  # noqa: F811
    import shutil

    data = shutil.copytree(test_set, tmp_path / "data")
    for name in ("wav.scp", "video.scp"):
        (data / name).write_text((data / name).read_text().replace(str(test_set), str(data)))
    change(data)
    with pytest.raises(AvsrError, match=message):
        benchmark(packed, data, table(tmp_path, "conditions:\n  white: {sound: {noise: white, snr_db: 0}}\n"), tmp_path / "out", nj=1)


def test_a_model_is_not_read_from_what_it_never_learnt(packed, test_set, tmp_path):  # noqa: F811
    write_with_meta(packed, tmp_path / "eyes.zip", read_meta(packed) | {"streams": ["lips"]})
    for model, baselines, sentence in (
        (tmp_path / "eyes.zip", [], "the model was trained on lips alone; give it as a baseline, NAME=eyes.zip:lip"),
        (packed, [f"eyes={tmp_path / 'eyes.zip'}"], "baseline eyes was trained on lips alone; measure it as eyes.zip:lip"),
    ):
        with pytest.raises(AvsrError, match=sentence):
            benchmark(model, test_set, table(tmp_path), tmp_path / "out", baselines=baselines)


@pytest.mark.parametrize("text", ["same", "av=x.zip", "=x.zip", "a b=x.zip", "x=", "model=x.zip", "oracle_utterance=x.zip"])
def test_a_baseline_that_is_none_is_a_sentence(packed, test_set, tmp_path, text):  # noqa: F811
    with pytest.raises(AvsrError, match="give NAME=MODEL.zip"):
        benchmark(packed, test_set, table(tmp_path), tmp_path / "out", baselines=[text])


def test_rates_and_paired_intervals():
    counted = count(["가나 다라", "마바"], {"good": ["가나 다라", "마바"], "bad": ["가나 다", "마마"]})
    assert counted.rate("good") == 0 and counted.rate("bad") == pytest.approx(100 * 2 / 6)
    resampling = Resampling(2, 0)
    assert resampling.interval(counted.row("good"), counted.lengths) == (0, 0)
    assert resampling.interval(counted.row("bad") - counted.row("bad"), counted.lengths) == (0, 0)
    assert resampling.p_value(counted.row("good") - counted.row("bad"), counted.lengths) < 0.01


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_random_numbers_depend_on_every_name(seed, utt, source):
    draws = [rng_for(*names).integers(2**62) for names in ((seed, utt, source), (seed, utt, source), (seed + 1, utt, source))]
    assert draws[0] == draws[1] != draws[2] and draws[0] != rng_for(seed, utt + "x", source).integers(2**62)
