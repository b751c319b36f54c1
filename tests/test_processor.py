"""What the processor can do is read from the kernel's own words."""

from avsr.processor import processor_flags


def test_flags_are_those_of_the_first_core(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    assert processor_flags(cpuinfo) == frozenset()
    other = tmp_path / "other"
    other.write_text("model name : avx9\nflags\t\t: fpu avx2 avx512_bf16\n\nflags\t\t: fpu\n")
    assert processor_flags(other) == {"fpu", "avx2", "avx512_bf16"}
    arm = tmp_path / "arm"
    arm.write_text("BogoMIPS : 50.00\nFeatures : fp asimd bf16\n")
    assert "bf16" in processor_flags(arm)
