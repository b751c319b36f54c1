"""How x264 is kept to its word that the same pictures give the same bytes."""

from __future__ import annotations

from avsr.processor import processor_flags

# All that a processor with AVX-512 has but AVX-512 itself.
_WITHOUT_AVX512 = "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI1,BMI2,AVX2"


def steady_options() -> dict[str, str]:
    """libx264's options for PyAV, beside the caller's own.

    The x264 in PyAV 18.1 reads memory that nothing was written to when it works with AVX-512 (macroblock tree, B
    pictures): with other rubbish in it 13 of 120 made clips came out as other bytes, with AVX2 none, at the same size
    (see tests/media/test_x264.py). Naming instructions that a processor lacks would end the process, so they are named
    only beside AVX-512.
    """
    return {"x264-params": _WITHOUT_AVX512} if "avx512f" in processor_flags() else {}
