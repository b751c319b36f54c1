"""What the processor can do, as Linux tells it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=8)
def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The names of its instruction sets, such as "avx2" and "avx512f"; none where the file cannot be read."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":") for line in lines)
    return next((frozenset(value.split()) for name, _, value in named if name.strip() in ("flags", "Features")), frozenset())


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16 (AVX-512, AMX or Arm); without them it is slower than float32."""
    return not processor_flags().isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})
