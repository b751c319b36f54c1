"""A training step in bfloat16 against one in float32, as `use_amp` chooses on a CPU: milliseconds, on one thread.

    python -m benchmarks.training_step [--config recipes/mini_ko/avsr1/conf/train.yaml]
    python -m benchmarks.training_step --olkavs     # against the architecture of OLKAVS's baseline, seconds of video a second
    python -m benchmarks.training_step --compile    # with torch.compile against without, which takes minutes first
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from avsr.runtime import one_thread
from avsr.errors import AvsrError
from avsr.files import read_yaml
from avsr.lips.mouth_clip import FPS
from avsr.lips.mouth_shape import CHANNELS
from avsr.model.audio_encoder import SAMPLES_PER_FRAME
from avsr.model.avsr_model import AVSRModel, ModelConfig
from avsr.training.task import make_config
from avsr.processor import multiplies_bfloat16
from benchmarks.measure import medians, print_machine

VOCABULARY = 60
_CONFIG = Path(__file__).parents[1] / "recipes/mini_ko/avsr1/conf/train.yaml"


def made_batch(size: int, longest: int, crop: int) -> dict[str, torch.Tensor]:
    """Noise in the shapes of training: clips of a third of `longest` frames and up, a token for every three frames."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.linspace(max(1, longest // 3), longest, size).long()
    tokens = (lengths // 3).clamp(min=1)
    return {
        "text": torch.randint(1, VOCABULARY - 1, (size, int(tokens.max())), generator=generator),
        "text_lengths": tokens,
        "speech": 0.1 * torch.randn(size, longest * SAMPLES_PER_FRAME, generator=generator),
        "speech_lengths": lengths * SAMPLES_PER_FRAME,
        "video": 255 * torch.rand(size, longest, crop, crop, generator=generator),
        "video_lengths": lengths,
        "confidence": torch.ones(size, longest),
        "align": torch.randint(0, VOCABULARY - 1, (size, longest), generator=generator),
        "shape": torch.randn(size, longest, len(CHANNELS), generator=generator),
        "shape_lengths": lengths,
    }


def olkavs(config: ModelConfig) -> ModelConfig:
    """The architecture that OLKAVS's authors trained, at the sizes of `config`: vectors, decoder and pictures are its own.

    A 3-D convolution and a ResNet-18 that look at all 88x88 pixels, a Conformer of 12 blocks behind them and one for the sound (4
    heads, 8 times the vectors' size between), their vectors side by side through a perceptron, as in Ma, Petridis and Pantic (2021).
    """
    conformer = {"num_blocks": 12, "attention_heads": 4, "linear_units": 8 * config.size, "macaron_style": True, "use_cnn_module": True}
    lips = {"encoder": "resnet_conformer", "crop_size": config.lip_conf.get("crop_size", 88), "encoder_conf": conformer}
    audio = {"encoder": "conformer", "channels": 64, "encoder_conf": conformer}
    return replace(config, fusion="concatenation", fusion_conf={}, lip_conf=lips, audio_conf=audio, shape_weight=0.0)


def step_of(model: AVSRModel, batch: dict[str, torch.Tensor], lower: bool) -> None:
    """Forward and backward."""
    with torch.autocast("cpu", torch.bfloat16, enabled=lower):
        loss = model(**batch)[0]
    loss.sum().backward()
    model.zero_grad()


def against_olkavs(config: ModelConfig, batch: dict[str, torch.Tensor], seconds: float, runs: int) -> str:
    """Both architectures by turns, in what `use_amp` chooses here."""
    lower = multiplies_bfloat16()
    models = {"ours": AVSRModel(VOCABULARY, replace(config, shape_weight=0.0)).train(), "OLKAVS's": AVSRModel(VOCABULARY, olkavs(config)).train()}
    weights = {name: sum(value.numel() for value in model.parameters()) / 1e6 for name, model in models.items()}
    times = medians({name: lambda model=model: step_of(model, batch, lower) for name, model in models.items()}, runs)
    other = times["OLKAVS's"]
    told = ", ".join(f"{name} ({weights[name]:.1f} M weights) {seconds / times[name]:.1f} s of video a second" for name in models)
    return f"{told}: {other / times['ours']:.2f} times as many (bar 1.5)"


def against_compiled(model: AVSRModel, batch: dict[str, torch.Tensor], runs: int) -> str:
    """The lip encoder's convolutions, where a step is most of its time, translated by torch.compile for clips of any length, against as they are."""
    lower, other = multiplies_bfloat16(), copy.deepcopy(model)
    encoder = other.lip_encoder
    for place, convolution in enumerate(encoder.convolutions):
        encoder.convolutions[place] = torch.compile(convolution, dynamic=True)
    encoder.normalise = torch.compile(encoder.normalise, dynamic=True)
    begun = time.perf_counter()
    step_of(other, batch, lower)
    took = time.perf_counter() - begun
    times = medians({"plain": lambda: step_of(model, batch, lower), "compiled": lambda: step_of(other, batch, lower)}, runs)
    plain, compiled = (1000 * times[name] for name in ("plain", "compiled"))
    return f"compiled {compiled:.0f} ms, as it is {plain:.0f} ms: {plain / compiled:.2f} times as fast; the first step took {took:.0f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=_CONFIG, help="training YAML (default: mini_ko's)")
    parser.add_argument("--batch", type=int, default=16, help="utterances (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=80, help="of the longest; the shortest has a third (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="turns that count (default: %(default)s)")
    parser.add_argument("--olkavs", action="store_true", help="against the architecture of OLKAVS's baseline")
    parser.add_argument("--compile", action="store_true", help="with torch.compile against without")
    options = parser.parse_args(arguments)
    torch.manual_seed(1)
    try:
        config = make_config(ModelConfig, read_yaml(options.config).get("model_conf") or {}, f"{options.config}: model_conf")
    except AvsrError as error:
        sys.exit(str(error))
    batch = made_batch(options.batch, options.frames, config.lip_conf.get("crop_size", 88))
    print_machine(options.runs)
    spoken = f"{options.config.name}, {options.batch} utterances of {options.frames // 3} to {options.frames} frames:"
    with one_thread():
        if options.olkavs:
            print(spoken)
            print(against_olkavs(config, batch, float(batch["video_lengths"].sum()) / FPS, options.runs))
            return
        model = AVSRModel(VOCABULARY, config).train()
        if options.compile:
            print(spoken)
            print(against_compiled(model, batch, options.runs))
            return
        lowered = {"bfloat16": True, "float32": False}
        times = medians({name: lambda lower=lower: step_of(model, batch, lower) for name, lower in lowered.items()}, options.runs)
    lower, whole = (1000 * times[name] for name in ("bfloat16", "float32"))
    print(spoken)
    has = "has" if multiplies_bfloat16() else "lacks"
    print(f"bfloat16 {lower:.0f} ms, float32 {whole:.0f} ms: {whole / lower:.2f} times as fast; the processor {has} bfloat16")


if __name__ == "__main__":
    main()
