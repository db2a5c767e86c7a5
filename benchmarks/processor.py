"""What this machine's processor multiplies with: virtual machines give quite different ones the same name."""

from __future__ import annotations

from ablate.workloads.resnet9.cpu_features import multiplies_bf16_fast, processor_facts

WIDEST = {
    "amx_bf16": "avx512+amx",
    "avx512_bf16": "avx512+bf16",
    "avx512f": "avx512",
    "avx2": "avx2",
    "asimd": "neon",
}
"""What vector instructions are called, by the flag that tells of them; the first that is there counts."""


def vectors(facts: str) -> str:
    """Return the widest vector instructions of a processor as /proc/cpuinfo describes it.

    >>> flags = ("avx2 avx512f avx512_bf16 amx_bf16", "avx512f avx512_bf16", "avx2 avx512f", "avx avx2", "fp asimd", "")
    >>> [vectors(f"flags : fpu {names}") for names in flags]
    ['avx512+amx', 'avx512+bf16', 'avx512', 'avx2', 'neon', 'unknown']
    """
    flags = set(facts.split())
    return next((name for flag, name in WIDEST.items() if flag in flags), "unknown")


def own_vectors() -> str:
    """Return the widest vector instructions here."""
    return vectors(processor_facts())


def emulates_bf16() -> bool:
    """Return whether bfloat16 is made of other instructions here, which takes many times as long as float32."""
    return own_vectors() not in ("avx512+amx", "avx512+bf16")


def precisions() -> list[str]:
    """Return the precisions whose rate of products says something: not that of a slower float32, nor if emulated."""
    if multiplies_bf16_fast(processor_facts()):
        return ["bf16"]
    return ["fp32"] if emulates_bf16() else ["fp32", "bf16"]
