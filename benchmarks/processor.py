"""The vector instructions of the processor. Virtual machines give the same name to very different processors."""

from __future__ import annotations

from ablate.workloads.resnet9.cpu_features import multiplies_bf16_fast, processor_facts

WIDEST = {
    "amx_bf16": "avx512+amx",
    "avx512_bf16": "avx512+bf16",
    "avx512f": "avx512",
    "avx2": "avx2",
    "asimd": "neon",
}
"""Names of vector instructions by CPU flag, widest first."""


def vectors(facts: str) -> str:
    """Return the widest vector instructions of a processor as /proc/cpuinfo describes it.

    >>> flags = ("avx2 avx512f avx512_bf16 amx_bf16", "avx512f avx512_bf16", "avx2 avx512f", "avx avx2", "fp asimd", "")
    >>> [vectors(f"flags : fpu {names}") for names in flags]
    ['avx512+amx', 'avx512+bf16', 'avx512', 'avx2', 'neon', 'unknown']
    """
    flags = set(facts.split())
    return next((name for flag, name in WIDEST.items() if flag in flags), "unknown")


def own_vectors() -> str:
    """Return the widest vector instructions of this processor."""
    return vectors(processor_facts())


def emulates_bf16() -> bool:
    """Return whether bfloat16 is emulated on this processor, many times slower than float32."""
    return own_vectors() not in ("avx512+amx", "avx512+bf16")


def precisions() -> list[str]:
    """Return the precisions to measure the rate of products in: neither an emulated one nor a slower float32."""
    if multiplies_bf16_fast(processor_facts()):
        return ["bf16"]
    return ["fp32"] if emulates_bf16() else ["fp32", "bf16"]
