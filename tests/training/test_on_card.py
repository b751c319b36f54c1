"""Lips trained with all pictures held where the model is: the same pictures, the same losses, and a training that goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from espnet.nets.pytorch_backend.transformer.add_sos_eos import add_sos_eos
from hypothesis import given, settings
from hypothesis import strategies as st

from avsr.corpora.datadir import Utterance, write_data_dir
from avsr.errors import AvsrError, LabelError
from avsr.files import read_yaml
from avsr.lips.mouth_clip import MouthClip, save_mouth_clip
from avsr.lips.mouth_shape import save_mouth_shape
from avsr.model.avsr_model import IGNORE, AVSRModel, ModelConfig, between_marks
from avsr.noise.corruption import PictureCorruption
from avsr.tables import write_lines, write_table
from avsr.text.tokens import build_token_list
from avsr.training.augment import Augmentation, hide, move_and_light
from avsr.training.held import HeldClips, Views, draw_view, hold_clips, lay_together
from avsr.training.on_card import STATE, WEIGHTS, Plan, by_clip, lip_losses, main, seen

LIPS = {"channels": [2, 2], "hidden": 4, "layers": 1, "pool": 3, "change": True}
SOUND = {"encoder": "transformer", "channels": 2, "encoder_conf": {"num_blocks": 1, "attention_heads": 2, "linear_units": 4}}
DECODER = {"num_blocks": 1, "attention_heads": 2, "linear_units": 4, "use_flash_attn": False}
SMALL = {"size": 8, "lip_conf": LIPS, "audio_conf": SOUND, "decoder_conf": DECODER, "shape_weight": 1.0}
CLEAR = PictureCorruption(clean=1.0, frozen=0.0, occluded=0.0, blurred=0.0, dropped=0.0)
WORDS = [(0.1, 0.5, "가나"), (0.5, 0.9, "다"), (1.0, 1.3, "나")]


def _tokenizer(folder):
    return build_token_list(["가나 다 나"], "jamo", out_dir=folder)


def _clips(count=3, frames=40, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count * frames, 12, 12), dtype=np.uint8)
    edges = frames * np.arange(count + 1)
    shapes = rng.normal(size=(count * frames, 7)).astype(np.float16)
    return HeldClips([f"u{i}" for i in range(count)], ["가나 다 나"] * count, [WORDS] * count, edges, coarse.repeat(8, 1).repeat(8, 2), shapes)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_what_is_seen_is_what_augmentation_would_have_made(tmp_path_factory, seed):
    tokenizer, clips = _tokenizer(tmp_path_factory.mktemp("tokens")), _clips()
    config = Augmentation(piece=0.0, keep_silence=1.0, tempo=(1.0, 1.0), erase=1.0, picture=CLEAR)
    view = draw_view(clips, 1, np.random.default_rng(seed), config, tokenizer)
    got = seen(torch.from_numpy(clips.frames), lay_together([view]), config.crop_size).numpy()
    rng = np.random.default_rng(seed)
    rng.random(3)  # whether a piece is cut, and the silence before and after
    rng.uniform()  # tempo
    rng.choice(5, p=[1, 0, 0, 0, 0])  # fault
    wanted = hide(move_and_light(clips.frames[40:80], rng, config), rng, config)
    assert np.abs(got - wanted).mean() < 1.0 and np.median(np.abs(got - wanted)) < 0.6


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 4]))
def test_pictures_that_are_made_small_at_once_are_those_that_the_encoder_makes_small(tmp_path_factory, seed, pool):
    tokenizer, clips = _tokenizer(tmp_path_factory.mktemp("tokens")), _clips()
    clips.frames[:] = np.cumsum(clips.frames[:, :, ::-1].astype(np.uint32), 2) // np.arange(1, 97, dtype=np.uint32)  # soft, and no side like the other
    config = Augmentation(piece=0.0, erase=1.0, picture=CLEAR)
    batch = lay_together([draw_view(clips, number, np.random.default_rng([seed, number]), config, tokenizer) for number in range(2)])
    small = seen(torch.from_numpy(clips.frames), batch, config.crop_size, pool)
    wanted = torch.nn.functional.avg_pool2d(seen(torch.from_numpy(clips.frames), batch, config.crop_size), pool)
    apart = (small - wanted).abs()
    # The edge of what is blanked lies within a pixel: in 400 seeds that makes 0.011, 0.030 and 0.052 of the deviation at the most.
    assert small.shape == wanted.shape and apart.median() < 0.5 and apart.mean() < 0.004 * pool**2 * wanted.std()


@pytest.mark.parametrize("room", [0, 140])
def test_the_losses_are_those_of_the_whole_model_without_sound(tmp_path, room):
    tokenizer, clips = _tokenizer(tmp_path), _clips()
    torch.manual_seed(1)
    model = AVSRModel(len(tokenizer), ModelConfig(**SMALL)).eval()
    batch = next(iter(Views(clips, tokenizer, Augmentation(picture=CLEAR), seed=[1], room=130)))
    pictures, lengths = seen(torch.from_numpy(clips.frames), batch, 88).round(), batch["lengths"]
    shapes = torch.from_numpy(clips.shapes)[batch["rows"]].float()
    with torch.no_grad():
        got = lip_losses(model, model.lip_encoder.reduce(pictures), batch, shapes, room)
        video = {"video": by_clip(pictures, lengths).byte(), "video_lengths": lengths, "confidence": torch.ones(len(lengths), int(lengths.max()))}
        shape = {"shape": by_clip(shapes, lengths), "shape_lengths": lengths}
        loss, stats, _ = model(batch["text"], batch["text_lengths"], align=batch["align"], align_lengths=lengths, **video, **shape)
    assert len(lengths) > 1
    assert float(got["loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(got["ctc"]) == pytest.approx(float(stats["ctc_lip"]), rel=1e-5)
    assert float(got["attention"]) == pytest.approx(float(stats["attention"]), rel=1e-5)


@given(st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=6), min_size=1, max_size=5))
def test_marks_are_set_as_espnet_sets_them(texts):
    lengths = torch.tensor([len(text) for text in texts])
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True, padding_value=IGNORE)
    for got, wanted in zip(between_marks(padded, lengths, 9, 9), add_sos_eos(padded, 9, 9, IGNORE), strict=True):
        assert torch.equal(got, wanted)


def test_an_epoch_has_each_clip_once_and_a_batch_no_more_than_its_room(tmp_path):
    tokenizer, clips = _tokenizer(tmp_path), _clips(count=11)
    config = Augmentation(picture=PictureCorruption(clean=0.2, frozen=0.4, occluded=0.0, blurred=0.0, dropped=0.4))
    for seed in ([1], [2, 5]):
        batches = iter(Views(clips, tokenizer, config, seed=seed, room=120))
        shown, again = [], iter(Views(clips, tokenizer, config, seed=seed, room=120))
        while len(shown) < 22:
            batch = next(batches)
            other = next(again)
            assert all(torch.equal(batch[name], other[name]) for name in batch)
            lengths = batch["lengths"].tolist()
            assert sum(lengths) + len(lengths) <= 120
            firsts = np.cumsum([0, *lengths[:-1]])
            shown += (batch["rows"][firsts] // 40).tolist()
            assert all(len(set((rows // 40).tolist())) == 1 for rows in batch["rows"].split(lengths))
        assert sorted(shown[:11]) == sorted(shown[11:22]) == list(range(11))


def _data(folder, count=4, frames=20):
    rng = np.random.default_rng(3)
    for split in ("train", "dev"):
        rows, tables = [], {"video.scp": {}, "shape.scp": {}, "utt2dur": {}, "text": {}}
        for number in range(count):
            name, path = f"s-{split}{number}", folder / "clips" / f"{split}{number}.mp4"
            picture = np.kron(rng.integers(60, 200, (12, 12), dtype=np.uint8), np.ones((8, 8), np.uint8))
            save_mouth_clip(MouthClip(np.repeat(picture[None], frames, 0), np.ones(frames, np.float32)), path)
            save_mouth_shape(rng.normal(size=(frames, 7)), path.with_suffix(".npy"))
            rows.append(Utterance(name, "s", path, "가 나", words=[(0.1, 0.3, "가"), (0.3, 0.7, "나")]))
            tables["video.scp"][name], tables["shape.scp"][name] = str(path), str(path.with_suffix(".npy"))
            tables["utt2dur"][name] = f"{frames / 25:.3f}"
        write_data_dir(folder / split, rows)
        for table in ("video.scp", "shape.scp", "utt2dur"):
            write_table(folder / split / table, tables[table])
    return folder


def _config(folder):
    import yaml

    lines = yaml.safe_dump({"model_conf": SMALL, "optim_conf": {"lr": 0.01}, "augment_conf": {"erase": 0.1}, "grad_clip": 5.0})
    write_lines(folder / "train.yaml", lines.splitlines())
    return folder / "train.yaml"


def test_a_training_ends_goes_on_and_begins_with_what_another_learnt(tmp_path, capfd):
    data, config = _data(tmp_path / "data"), _config(tmp_path)
    _tokenizer(tmp_path / "tokens")
    order = ["--config", str(config), "--data", str(data), "--tokens", str(tmp_path / "tokens"), "--nj", "1", "--room", "50"]
    exp = tmp_path / "exp"
    assert main([*order, "--exp", str(exp), "--epochs", "3"]) == 0
    first = torch.load(exp / STATE, weights_only=True)
    assert first["clips"] >= 12 and (exp / WEIGHTS).exists()
    said = capfd.readouterr().err
    assert "epoch 3.00 of 3" in said and "occluded and blurred pictures are not drawn here" in said
    assert main([*order, "--exp", str(exp), "--epochs", "5"]) == 0  # as one that was cut off after three
    second = torch.load(exp / STATE, weights_only=True)
    assert second["clips"] >= 20 and second["steps"] > first["steps"] and "12 seen already" in capfd.readouterr().err
    key = "lip_encoder.lstm.weight_ih_l0"
    assert not torch.equal(first["model"][key], second["model"][key])
    assert main([*order, "--exp", str(tmp_path / "more"), "--epochs", "1", "--init", str(exp / WEIGHTS), "--freeze", "decoder"]) == 0
    third = torch.load(tmp_path / "more" / WEIGHTS, weights_only=True)
    for name, weights in torch.load(exp / WEIGHTS, weights_only=True).items():
        stays = name.startswith(("decoder.", "audio_", "fusion.")) and not name.endswith("num_batches_tracked")
        assert torch.equal(third[name], weights) or not stays, name
    assert not torch.equal(third[key], second["model"][key])
    with pytest.raises(AvsrError, match="--epochs 0.0: give 0.001 to 100000"):
        main([*order, "--exp", str(tmp_path / "x"), "--epochs", "0"])
    with pytest.raises(AvsrError, match="no such part"):
        main([*order, "--exp", str(tmp_path / "x"), "--epochs", "1", "--freeze", "decode"])
    larger = read_yaml(config) | {"model_conf": SMALL | {"size": 16}}
    import yaml

    write_lines(tmp_path / "larger.yaml", yaml.safe_dump(larger).splitlines())
    with pytest.raises(AvsrError, match="of this model's size"):
        main(["--config", str(tmp_path / "larger.yaml"), *order[2:], "--exp", str(tmp_path / "x"), "--epochs", "1", "--init", str(exp / WEIGHTS)])


def test_what_the_tables_say_of_a_clip_must_be_so(tmp_path):
    data = _data(tmp_path, count=2)
    clips = hold_clips(data / "train", side=48)
    assert clips.frames.shape == (40, 48, 48) and clips.shapes.shape == (40, 7) and clips.words[0][1] == (0.3, 0.7, "나")
    write_table(data / "train" / "utt2dur", {"s-train0": "0.800", "s-train1": "0.840"})
    with pytest.raises(LabelError, match="train1 has 20 pictures"):
        hold_clips(data / "train")


def test_the_rate_rises_and_falls_to_nothing():
    plan = Plan(epochs=2, lr=0.01)
    rates = [plan.rate(done) for done in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(0.01, rel=0.02) and 0 < rates[0] < 0.001 and rates[-1] == pytest.approx(0, abs=1e-9)
    assert np.argmax(rates) <= 4 and all(a >= b for a, b in zip(rates[5:], rates[6:]))

