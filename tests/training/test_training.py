"""What the trainer feeds to the model: targets, pieces, augmentation, command lines."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.errors import AvsrError, LabelError
from avsr.noise.corruption import PictureCorruption, SoundCorruption
from avsr.tables import read_table, write_lines
from avsr.text.tokens import build_token_list
from avsr.training.augment import Augmentation, change_tempo, choose_piece, hide, move_and_light, tempo_frames
from avsr.training.data import frame_targets, read_align
from avsr.training.preprocessor import AVSRPreprocessor
from avsr.training.preprocessor import Recordings
from avsr.training.train import check_criterion, data_arguments, main, overridden, schedule_arguments, shape_arguments, write_shapes

NO_SOUND_FAULT = SoundCorruption(clean=1.0, noise=0.0, muted=0.0, dropouts=0.0, clipped=0.0, telephone=0.0)
NO_PICTURE_FAULT = PictureCorruption(clean=1.0, frozen=0.0, occluded=0.0, blurred=0.0, dropped=0.0)
WORDS = [(0.5, 0.7, "bin"), (0.7, 0.9, "blue"), (0.9, 1.0, "at"), (1.2, 1.5, "f")]


def test_read_align():
    assert read_align("0.5 0.7 bin 0.7 0.9 blue") == WORDS[:2]
    assert read_align("") == []
    with pytest.raises(ValueError, match="threes"):
        read_align("0.5 0.7")


def test_frame_targets_spread_a_words_tokens_over_its_time():
    assert frame_targets([(0.08, 0.32, [3, 4, 5])], 10).tolist() == [0, 0, 3, 3, 4, 4, 5, 5, 0, 0]


def test_more_tokens_than_frames_still_fit_and_stay_inside():
    target = frame_targets([(0.0, 0.08, [3, 4, 5, 6])], 4)
    assert len(target) == 4 and target[0] == 4


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_piece_is_a_run_of_words_inside_the_utterance(seed, piece, keep):
    config = Augmentation(piece=piece, keep_silence=keep)
    first, stop, words = choose_piece(WORDS, 75, np.random.default_rng(seed), config)
    start, end = first / 25, stop / 25
    texts = [text for *_, text in words]
    everything = [text for *_, text in WORDS]
    assert any(texts == everything[i : i + len(texts)] for i in range(len(everything)))
    assert len(texts) >= config.shortest_piece
    assert 0 <= start <= end <= 3.0
    assert words[0][0] >= -1e-6 and words[-1][1] <= end - start + 1e-6


def test_both_streams_of_a_piece_begin_at_the_same_time(tmp_path):
    tokenizer = build_token_list(["f"], "char", vocab_size=None, out_dir=tmp_path)
    still = {"rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "gain": (1.0, 1.0), "offset": 0.0, "gamma": (1.0, 1.0)}
    still |= {"flip": 0.0, "erase": 0.0, "time_masks": 0, "tempo": (1.0, 1.0), "margin_s": (0.0, 0.3), "keep_silence": 0.0}
    still = Augmentation(**still, sound=NO_SOUND_FAULT, picture=NO_PICTURE_FAULT)
    frames = np.repeat(np.arange(75, dtype=np.uint8), 96 * 96).reshape(75, 96, 96)
    speech = np.repeat(np.arange(75, dtype=np.float32), 640) / 100  # frame and sample tell their own place
    for seed in range(20):
        np.random.seed(seed)  # as ESPnet does for its loader processes
        data = {"text": "f", "align": "1.013 1.41 f 1.41 2.29 f", "speech": speech, "video": (frames, np.ones(75, np.float32))}
        out = AVSRPreprocessor(True, tokenizer, still)("utt", data)
        assert out["video"][0, 40, 40] == round(out["speech"][0] * 100)
        assert len(out["speech"]) == 640 * len(out["video"])


def test_shapes_go_the_way_of_their_pictures(tmp_path):
    tokenizer = build_token_list(["f"], "char", vocab_size=None, out_dir=tmp_path)
    still = {"rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "gain": (1.0, 1.0), "offset": 0.0, "gamma": (1.0, 1.0)}
    still = Augmentation(**still, erase=0.0, time_masks=0, piece=1.0, sound=NO_SOUND_FAULT, picture=NO_PICTURE_FAULT)
    frames = np.repeat(np.arange(75, dtype=np.uint8), 96 * 96).reshape(75, 96, 96)
    shape = np.repeat(np.arange(75, dtype=np.float32), 7).reshape(75, 7)  # as the frames, each row tells its own place
    for seed in range(20):
        np.random.seed(seed)
        data = {"text": "f f f", "align": "0.5 1 f 1 1.8 f 1.8 2.4 f", "video": (frames, np.ones(75, np.float32)), "shape": shape}
        out = AVSRPreprocessor(True, tokenizer, still)("utt", data)
        assert (out["video"][:, 40, 40] == out["shape"][:, 0]).all() and out["shape"].dtype == np.float32
    whole = AVSRPreprocessor(False, tokenizer, still)("utt", data)
    assert np.array_equal(whole["shape"], shape)
    with pytest.raises(LabelError, match="shape of utt: it has 74 rows for 75 pictures"):
        AVSRPreprocessor(False, tokenizer, still)("utt", data | {"shape": shape[1:]})


def test_shapes_are_read_where_they_are_wanted_and_there_are_mouths(tmp_path):
    train, dev = tmp_path / "train", tmp_path / "dev"
    for directory in (train, dev):
        for name in ("text", "wav.scp", "shape.scp"):
            write_lines(directory / name, ["a b"])
    assert not any(",shape," in word for word in data_arguments(train, dev, shapes=True))
    write_lines(train / "video.scp", ["a b"])
    write_lines(dev / "video.scp", ["a b"])
    assert f"{train / 'shape.scp'},shape,mouth_shape" in data_arguments(train, dev, shapes=True)
    assert not any(",shape," in word for word in data_arguments(train, dev))


def test_one_stream_of_two_can_be_trained_on(tmp_path):
    train, dev = tmp_path / "train", tmp_path / "dev"
    for directory in (train, dev):
        for name in ("text", "wav.scp", "video.scp", "shape.scp"):
            write_lines(directory / name, ["a b"])
    for streams, wanted in (("both", {"speech", "video", "shape"}), ("sound", {"speech"}), ("lips", {"video", "shape"})):
        words = data_arguments(train, dev, shapes=True, streams=streams)
        assert {word.split(",")[1] for word in words if "," in word} == {"text", *wanted}
    for directory in (train, dev):
        (directory / "wav.scp").unlink()
    with pytest.raises(AvsrError, match="has no sound to train on"):
        data_arguments(train, dev, streams="sound")


def test_haste_leaves_a_frame_for_each_token(tmp_path):
    tokenizer = build_token_list(["f"], "char", vocab_size=None, out_dir=tmp_path)
    picture, speech = (np.zeros((50, 96, 96), np.uint8), np.ones(50, np.float32)), np.ones(50 * 640, np.float32)
    for text, fewest in (("f" * 10, 35), ("f" * 40, 48), ("f" * 60, 50)):
        data = {"text": text, "speech": speech, "video": picture}
        np.random.seed(0)
        made = [AVSRPreprocessor(True, tokenizer, Augmentation())("utt", data) for _ in range(20)]
        lengths = [len(out["video"]) for out in made]
        assert min(lengths) >= fewest and all(abs(len(out["speech"]) - 640 * len(out["video"])) <= 640 for out in made)
        assert min(lengths) < 50 or len(text) > 41


def test_a_piece_after_the_end_of_the_sound_is_silent(tmp_path):
    tokenizer = build_token_list(["f"], "char", vocab_size=None, out_dir=tmp_path)
    picture = np.zeros((75, 96, 96), np.uint8), np.ones(75, np.float32)
    data = {"text": "f", "align": "2.0 2.4 f", "speech": np.full(16000, 0.1, np.float32), "video": picture}
    out = AVSRPreprocessor(True, tokenizer, Augmentation(margin_s=(0.0, 0.0), keep_silence=0.0))("utt", data)
    assert len(out["speech"]) >= 640


@settings(deadline=None)
@given(st.integers(2, 100), st.floats(0.7, 1.4))
def test_tempo_changes_both_streams_alike(frames, factor):
    shown = tempo_frames(frames, factor)
    sound = change_tempo(np.zeros(frames * 640, np.float32), factor)
    assert abs(len(shown) / 25 - len(sound) / 16000) < 0.08
    assert (np.diff(shown) >= 0).all() and shown[0] <= 1 and frames - 2 <= shown[-1] <= frames - 1


def test_pictures_are_moved_lit_and_hidden_without_touching_the_source():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (9, 96, 96), dtype=np.uint8)
    before = frames.copy()
    out = hide(move_and_light(frames, rng, Augmentation()), rng, Augmentation(erase=1.0))
    assert out.shape == (9, 88, 88) and out.dtype == np.uint8
    assert (frames == before).all()


def test_light_beyond_what_a_camera_tells_is_white_and_not_dark():
    bright = np.full((3, 96, 96), 250, np.uint8)
    for seed in range(20):
        assert move_and_light(bright, np.random.default_rng(seed), Augmentation(gamma=(1.0, 1.0))).min() > 150


def test_the_same_seed_gives_the_same_picture():
    frames = np.random.default_rng(0).integers(0, 256, (5, 96, 96), dtype=np.uint8)
    one, other = (move_and_light(frames, np.random.default_rng(7), Augmentation()) for _ in range(2))
    assert (one == other).all()


def test_command_line_names_what_is_there(tmp_path):
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
    train, dev = tmp_path / "train", tmp_path / "dev"
    with pytest.raises(AvsrError, match="format stage"):
        data_arguments(train, dev)
    for directory in (train, dev):
        (directory / "text").touch()
    with pytest.raises(AvsrError, match="neither wav.scp nor video.scp"):
        data_arguments(train, dev)
    for directory in (train, dev):
        (directory / "video.scp").touch()
    arguments = " ".join(data_arguments(train, dev))
    assert "video.scp,video,mouth_clip" in arguments and "speech" not in arguments


@pytest.mark.parametrize(("has", "lacks"), [("train", "dev"), ("dev", "train")])
def test_a_stream_that_only_one_split_has_is_a_sentence(tmp_path, has, lacks):
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        for file in ("text", "video.scp"):
            (tmp_path / name / file).touch()
    (tmp_path / has / "wav.scp").touch()
    with pytest.raises(AvsrError, match=f"{lacks} has no wav.scp, which .*{has} has"):
        data_arguments(tmp_path / "train", tmp_path / "dev")


def test_word_times_of_one_split_are_kept(tmp_path):
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        for file in ("text", "wav.scp"):
            (tmp_path / name / file).touch()
    (tmp_path / "train" / "align").touch()
    arguments = data_arguments(tmp_path / "train", tmp_path / "dev")
    assert sum("align,align,text" in argument for argument in arguments) == 1


def test_the_schedule_is_as_long_as_the_training():
    config = {"batch_size": 10, "max_epoch": 3, "scheduler": "onecyclelr", "batch_type": "unsorted"}
    assert schedule_arguments(config, 105) == ["--num_iters_per_epoch", "10", "--scheduler_conf", "total_steps=31"]
    assert schedule_arguments({**config, "scheduler_conf": {"total_steps": 5}}, 105) == ["--num_iters_per_epoch", "10"]
    assert schedule_arguments({"batch_type": "numel", "max_epoch": 3}, 105) == []
    for missing in ("batch_type", "max_epoch"):
        with pytest.raises(AvsrError, match=missing):
            schedule_arguments({name: value for name, value in config.items() if name != missing}, 105)


def test_the_schedule_heeds_what_is_typed():
    config = {"batch_size": 10, "max_epoch": 55, "scheduler": "onecyclelr", "batch_type": "unsorted"}
    typed = overridden(config, ["--max_epoch", "3", "--batch_size=21", "--optim_conf", "lr=0.1", "--ngpu", "2"])
    assert schedule_arguments(typed, 105) == ["--num_iters_per_epoch", "5", "--scheduler_conf", "total_steps=16"]
    assert typed["ngpu"] == 2 and "optim_conf" not in typed


@settings(max_examples=30, deadline=None)
@given(utterances=st.integers(1, 90), batch_size=st.integers(1, 20), asked=st.none() | st.integers(1, 12))
def test_the_schedule_is_as_long_as_any_number_of_batches_that_espnet_makes(utterances, batch_size, asked):
    from espnet2.iterators.sequence_iter_factory import SequenceIterFactory

    config = dict(scheduler="onecyclelr", batch_type="unsorted", batch_size=batch_size, max_epoch=9, shuffle_within_batch=True)
    config["num_iters_per_epoch"] = asked
    _, steps, _, total = schedule_arguments(config, utterances)
    count = max(1, utterances // batch_size)
    batches = [[str(u) for u in range(i * utterances // count, (i + 1) * utterances // count)] for i in range(count)]
    factory = SequenceIterFactory(
        [str(u) for u in range(utterances)], batches, num_iters_per_epoch=int(steps), shuffle=True, shuffle_within_batch=True
    )
    taken = sum(len(factory.build_iter(epoch).batch_sampler) for epoch in range(1, 10))
    assert taken < int(total.removeprefix("total_steps="))


@pytest.mark.parametrize(("streams", "shape"), [(("video.scp", "wav.scp"), "38,96,96"), (("wav.scp",), "24320")])
def test_lengths_are_written_from_durations_without_decoding(tmp_path, capsys, streams, shape):
    for split in ("train", "dev"):
        for name, line in {"text": "a 가", "utt2dur": "a 1.520", **{file: "a nowhere" for file in streams}}.items():
            write_lines(tmp_path / split / name, [line])
    write_lines(tmp_path / "c.yaml", ["batch_type: unsorted"])
    arguments = ["--config", str(tmp_path / "c.yaml"), "--data", str(tmp_path), "--tokens", str(tmp_path), "--collect_stats"]
    assert main([*arguments, "--exp", str(tmp_path / "exp")]) == 0
    for option in ("train", "valid"):
        (file,) = (tmp_path / "exp_stats" / option).iterdir()
        assert file.read_text() == f"a {shape}\n"
        assert file.name == ("video_shape" if "video.scp" in streams else "speech_shape")
    assert len(shape_arguments(tmp_path / "exp_stats")) == 4
    write_lines(tmp_path / "dev" / "utt2dur", ["b 1.0"])
    assert main([*arguments, "--exp", str(tmp_path / "exp")]) == 1
    assert "has no seconds for a" in capsys.readouterr().err


def test_clips_without_sound_are_for_the_lips_alone(tmp_path):
    for name, lines in {
        "text": ["a 가", "b 나"], "utt2dur": ["a 1.520", "b 2.000"], "video.scp": ["a v", "b v"], "wav.scp": ["a w"],
    }.items():
        write_lines(tmp_path / "data" / name, lines)
    out = tmp_path / "stats"
    write_shapes(tmp_path / "data", out)
    assert (out / "video_shape").read_text() == "a 38,96,96\n"
    write_shapes(tmp_path / "data", out, "sound")
    assert [path.name for path in out.iterdir()] == ["speech_shape"] and (out / "speech_shape").read_text() == "a 24320\n"
    write_shapes(tmp_path / "data", out, "lips")
    assert [path.name for path in out.iterdir()] == ["video_shape"] and list(read_table(out / "video_shape")) == ["a", "b"]
    write_lines(tmp_path / "data" / "wav.scp", ["c w"])
    with pytest.raises(AvsrError, match="no utterance has all of text, video.scp, wav.scp"):
        write_shapes(tmp_path / "data", out)


def test_epochs_are_kept_by_what_packing_takes():
    check_criterion({}, [])  # ESPnet's default has it
    check_criterion({"best_model_criterion": [["train", "loss", "min"], ["valid", "acc", "max"]]}, [])
    typed = ["--best_model_criterion", "valid,loss,min", "valid,acc,max"]
    check_criterion(overridden({}, typed), typed)
    for criteria in ([["valid", "loss", "min"]], None, "valid,loss,min"):
        with pytest.raises(AvsrError, match="best_model_criterion lacks .valid, acc, max."):
            check_criterion({"best_model_criterion": criteria}, [])


@pytest.mark.parametrize("align", ["2.95 3.1 f", "3.0 3.1 f", "1.0 1.0 f", "0.0 3.0 f"])
@pytest.mark.parametrize("streams", ["both", "speech", "video"])
def test_a_word_at_the_end_or_without_length_still_makes_an_example(tmp_path, align, streams):
    tokenizer = build_token_list(["f"], "char", vocab_size=None, out_dir=tmp_path)
    still = Augmentation(margin_s=(0.0, 0.0), keep_silence=0.0)
    data = {"text": "f", "align": align, "speech": np.full(47926, 0.1, np.float32)}
    data["video"] = np.zeros((75, 96, 96), np.uint8), np.ones(75, np.float32)
    if streams != "both":
        del data["video" if streams == "speech" else "speech"]
    out = AVSRPreprocessor(True, tokenizer, still)("utt", data)
    assert len(out["text"]) == 1 and len(out["align"]) >= 2
    assert streams == "video" or len(out["speech"]) >= 640
    assert streams == "speech" or len(out["video"]) == len(out["confidence"]) >= 2


def test_a_silent_recording_makes_way_for_the_next_and_stereo_is_a_sentence(tmp_path):
    paths = [str(tmp_path / name) for name in ("silent.wav", "noise.wav", "stereo.wav")]
    soundfile.write(paths[0], np.zeros(800), 16000)
    soundfile.write(paths[1], np.full(900, 0.1), 16000)
    soundfile.write(paths[2], np.full((900, 2), 0.1), 16000)
    recordings = Recordings(paths)
    assert len(recordings[0]) == len(recordings[1]) == 900
    with pytest.raises(AvsrError, match="stereo.wav.*mono"):
        recordings[2]
    with pytest.raises(AvsrError, match="every recording"):
        Recordings(paths[:1])[0]
