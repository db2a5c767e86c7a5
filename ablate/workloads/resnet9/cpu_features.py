"""Features of the processor: vector length, and speed of bfloat16."""

from __future__ import annotations

from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")


def processor_facts() -> str:
    """Return the contents of /proc/cpuinfo on Linux, and an empty string on other systems."""
    return _PROCESSORS.read_text(encoding="utf-8") if _PROCESSORS.exists() else ""


def multiplies_bf16_fast(facts: str) -> bool:
    """Return whether a processor, described by /proc/cpuinfo, multiplies bfloat16 faster than float32.

    Processors with an instruction for it do, except Intel's without AMX, which reach half of the float32 rate (90 and
    170 GFLOP/s per core on a Xeon at 2.3 GHz, oneDNN 3.12): a training step takes 1.4 times as long.

    >>> amd, intel = "vendor_id: AuthenticAMD flags: avx512_bf16", "vendor_id: GenuineIntel flags: avx512_bf16"
    >>> [multiplies_bf16_fast(facts) for facts in (amd, intel, f"{intel} amx_bf16", "flags: avx2")]
    [True, False, True, False]
    """
    return "amx_bf16" in facts or ("avx512_bf16" in facts and "GenuineIntel" not in facts)


def has_bf16_matrix_instructions(facts: str) -> bool:
    """Return whether a processor has matrix instructions for bfloat16 (Intel's AMX, Arm's).

    Instructions for pairs of products (AMD's) do not count: they gain less than Winograd convolution in float32.

    >>> [has_bf16_matrix_instructions(f"flags : {flag}") for flag in ("amx_bf16", "bf16", "avx512_bf16", "avx2")]
    [True, True, False, False]
    """
    return not {"amx_bf16", "bf16"}.isdisjoint(facts.split())


def floats_per_vector(facts: str) -> int:
    """Return the number of float32 values in a vector register.

    >>> [floats_per_vector(f"flags : {flags}") for flags in ("avx avx2 avx512f", "avx avx2", "fp asimd")]
    [16, 8, 4]
    """
    return next((values for flag, values in (("avx512f", 16), ("avx2", 8)) if flag in facts.split()), 4)


def converts_bf16_fast(facts: str) -> bool:
    """Return whether a processor converts bfloat16 to float32 and back fast enough to compute in float32: with AVX2.

    >>> [converts_bf16_fast(f"flags : {flags}") for flags in ("fpu avx avx2 avx512f", "fpu avx", "fp asimd")]
    [True, False, False]
    """
    return "avx2" in facts.split()
