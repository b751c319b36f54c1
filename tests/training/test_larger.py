"""conf/train_*.yaml: each larger model builds, learns, is packed and recognises; its sizes made small, all else as it stands."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from avsr.decoding.packed import pack
from avsr.decoding.recognizer import Recognizer
from avsr.language.train import train_lm
from avsr.lips.mouth_clip import MouthClip
from avsr.text.tokens import build_token_list, load_tokenizer
from avsr.training.task import AVSRTask
from tests.decoding.conftest import DECODE

CONFIGS = sorted((Path(__file__).parents[2] / "conf").glob("train_*.yaml"))
HOWS = ("좋네요", "흐리네요", "맑아요", "춥네요")
SENTENCES = [f"{day} 날씨가 {how}" for day in ("오늘", "내일", "어제") for how in HOWS] * 4
SMALL = {
    "size": 32, "num_blocks": 1, "attention_heads": 2, "linear_units": 16, "cgmlp_linear_units": 16, "cgmlp_conv_kernel": 5,
    "cnn_module_kernel": 5, "merge_conv_kernel": 5, "hidden_size": 16, "whisper_model": "tiny",
}  # fmt: skip


def smaller(conf):
    """The same fields, of small sizes."""
    if not isinstance(conf, dict):
        return conf
    made = {name: SMALL[name] if name in SMALL else smaller(value) for name, value in conf.items()}
    if isinstance(conf.get("channels"), list):
        made["channels"] = [4, 4, 8]
    elif "channels" in conf:
        made["channels"] = 4
    return made


@pytest.fixture(scope="module")
def bpe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bpe")
    build_token_list(SENTENCES, "bpe", vocab_size=40, out_dir=folder)
    return folder


@pytest.fixture
def tiny_whisper(monkeypatch) -> None:
    """A network like Whisper's with random weights: the published ones are a download."""
    whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed (AVSR_EXTRAS=whisper tools/install.sh)")
    size = whisper.model.ModelDimensions(80, 1500, 16, 2, 1, 10, 8, 16, 2, 1)
    monkeypatch.setattr(whisper, "load_model", lambda *_, **__: whisper.model.Whisper(size))


def batch(vocabulary: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([20, 12])
    return {
        "text": torch.randint(2, vocabulary - 1, (2, 3), generator=generator),
        "text_lengths": torch.tensor([3, 3]),
        "speech": torch.randn(2, 20 * 640, generator=generator) * 0.1,
        "speech_lengths": lengths * 640,
        "video": torch.randint(0, 256, (2, 20, 88, 88), generator=generator, dtype=torch.uint8),
        "video_lengths": lengths,
        "confidence": torch.ones(2, 20),
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_builds_learns_is_packed_and_recognises(path, bpe, tmp_path, request):
    config = yaml.safe_load(path.read_text("utf-8"))
    if config["model_conf"]["audio_conf"]["encoder"] == "whisper":
        request.getfixturevalue("tiny_whisper")
    conf = smaller(config["model_conf"])
    args = argparse.Namespace(token_dir=str(bpe), model_conf=conf, augment_conf=config["augment_conf"], freeze_param=[])
    torch.manual_seed(1)
    model = AVSRTask.build_model(args).train()
    vocabulary = model.eos + 1
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(2):
        loss = model(**batch(vocabulary))[0]
        optimizer.zero_grad()
        loss.sum().backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
        for part in (model.lip_encoder, model.audio_encoder, model.decoder):
            assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()

    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"model_conf": conf}), encoding="utf-8")
    torch.save(model.state_dict(), tmp_path / "w.pth")
    (tmp_path / "text").write_text("".join(f"{n} {s}\n" for n, s in enumerate(SENTENCES)), "utf-8")
    train_lm([tmp_path / "text"], load_tokenizer(bpe), tmp_path / "lm.npz", kind="neural", epochs=1)
    pack(tmp_path / "config.yaml", tmp_path / "w.pth", bpe, tmp_path / "m.zip", {"decode": DECODE}, lm=tmp_path / "lm.npz")
    recognizer = Recognizer.load(tmp_path / "m.zip")
    frames = np.random.default_rng(1).integers(0, 256, (25, 96, 96), dtype=np.uint8)
    samples = np.random.default_rng(2).normal(0, 0.1, 16000).astype(np.float32)
    for mode in ("av", "audio", "lip"):
        assert isinstance(recognizer.recognise(samples, MouthClip(frames, np.ones(25, np.float32)), mode).text, str)


@pytest.mark.parametrize("path", [p for p in CONFIGS if "whisper" not in p.stem], ids=lambda path: path.stem)
def test_what_a_picture_shows_does_not_depend_on_the_other_clips(path, bpe):
    conf = smaller(yaml.safe_load(path.read_text("utf-8"))["model_conf"])
    args = argparse.Namespace(token_dir=str(bpe), model_conf=conf, augment_conf={})
    encoder = AVSRTask.build_model(args).eval().lip_encoder
    both = batch(40)
    with torch.no_grad():  # ESPnet's Conformer behind it looks over an utterance's edge by itself
        together = encoder.look(both["video"], both["video_lengths"])
        alone = [encoder.look(both["video"][i : i + 1, :n], torch.tensor([n]))[0] for i, n in enumerate((20, 12))]
    assert torch.allclose(together[0], alone[0], atol=1e-4) and torch.allclose(together[1, :12], alone[1], atol=1e-4)


def test_without_whisper_it_is_a_sentence(bpe, monkeypatch):
    import sys

    from avsr.errors import AvsrError

    monkeypatch.setitem(sys.modules, "whisper", None)
    conf = {"size": 32, "audio_conf": {"encoder": "whisper"}, "decoder_conf": {"num_blocks": 1, "attention_heads": 2}}
    with pytest.raises(AvsrError, match=r"^audio_conf.encoder is 'whisper', which needs openai-whisper: .*AVSR_EXTRAS=whisper"):
        AVSRTask.build_model(argparse.Namespace(token_dir=str(bpe), model_conf=conf, augment_conf={}))
