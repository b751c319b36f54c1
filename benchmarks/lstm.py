"""Our LSTM over padded sequences against torch's over packed ones: milliseconds forward and backward, on one thread.

    python -m benchmarks.lstm [--units 144] [--batch 10] [--frames 74]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from avsr.runtime import one_thread
from avsr.model.padded_lstm import PaddedLSTM
from benchmarks.measure import medians, print_machine


def step(lstm: nn.LSTM, x: torch.Tensor, lengths: torch.Tensor) -> None:
    """One training step's work on (B, T, units)."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    pad_packed_sequence(lstm(packed)[0], batch_first=True)[0].sum().backward()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=144, help="in and out (default: %(default)s, as recipes/mini_ko)")
    parser.add_argument("--batch", type=int, default=10, help="sequences (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=74, help="of the longest; the shortest has half (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=9, help="turns that count (default: %(default)s)")
    options = parser.parse_args(arguments)
    generator = torch.Generator().manual_seed(1)
    lengths = torch.linspace(options.frames, (options.frames + 1) // 2, options.batch).long()
    x = torch.randn(options.batch, options.frames, options.units, generator=generator)
    kinds = {"padded": PaddedLSTM, "torch's packed": nn.LSTM}
    made = {name: kind(options.units, options.units, 2, batch_first=True, bidirectional=True) for name, kind in kinds.items()}
    print_machine(options.runs)
    with one_thread():
        times = medians({name: lambda lstm=lstm: step(lstm, x, lengths) for name, lstm in made.items()}, options.runs)
    ours, theirs = (1000 * times[name] for name in kinds)
    print(f"two layers, both ways, {options.units} units, {options.batch} sequences of {lengths[-1]} to {options.frames}:")
    print(f"padded {ours:.0f} ms, torch's packed {theirs:.0f} ms: {theirs / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
