"""What is never trained on, so that the benchmark can say how the fusion does with what it has not met."""

from __future__ import annotations

from collections.abc import Iterable

from avsr.errors import AvsrError

HELD_OUT = frozenset({"low_bitrate", "packet_loss", "damaged_packets"})
"""The family of codecs and networks (`avsr.noise.codec`). Noises are held out by file, see `avsr.benchmark.materials`."""


def check_trainable(faults: Iterable[str], where: str) -> None:
    """AvsrError where a training asks for a fault that only the benchmark may make."""
    forbidden = sorted(HELD_OUT.intersection(faults))
    if forbidden:
        raise AvsrError(f"{where}: {forbidden[0]} is kept for the benchmark and never trained on; leave it out.")
