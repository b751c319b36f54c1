"""A training step in bfloat16 against one in float32, as `use_amp` chooses on a CPU: milliseconds, on one thread.

    python -m benchmarks.training_step [--config recipes/mini_ko/avsr1/conf/train.yaml]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from avsr.runtime import one_thread
from avsr.errors import AvsrError
from avsr.files import read_yaml
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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=_CONFIG, help="training YAML (default: mini_ko's)")
    parser.add_argument("--batch", type=int, default=16, help="utterances (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=80, help="of the longest; the shortest has a third (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="turns that count (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.manual_seed(1)
    try:
        config = make_config(ModelConfig, read_yaml(options.config).get("model_conf") or {}, f"{options.config}: model_conf")
    except AvsrError as error:
        sys.exit(str(error))
    model = AVSRModel(VOCABULARY, config).train()
    batch = made_batch(options.batch, options.frames, model.lip_encoder.crop_size)

    def step(lower: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            loss = model(**batch)[0]
        loss.sum().backward()
        model.zero_grad()

    print_machine(options.runs)
    with one_thread():
        times = medians({"bfloat16": lambda: step(True), "float32": lambda: step(False)}, options.runs)
    lower, whole = (1000 * times[name] for name in ("bfloat16", "float32"))
    print(f"{options.config.name}, {options.batch} utterances of {options.frames // 3} to {options.frames} frames:")
    has = "has" if multiplies_bfloat16() else "lacks"
    print(f"bfloat16 {lower:.0f} ms, float32 {whole:.0f} ms: {whole / lower:.2f} times as fast; the processor {has} bfloat16")


if __name__ == "__main__":
    main()
