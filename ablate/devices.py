"""What this machine computes with."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from ablate.errors import UsageError
from ablate.machine import usable_cores
from ablate.workload import Conditions

PRECISIONS = ("auto", "bf16", "fp32")
_CPU_FACTS = Path("/proc/cpuinfo")


def resolve(device: str = "auto", precision: str = "auto", threads: int | None = None) -> Conditions:
    """Return the conditions that the words stand for on this machine.

    `auto` takes CUDA, then Apple's MPS, then the CPU, and bfloat16 where the hardware multiplies it.
    Raises UsageError for a device that is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(device):
        have = ", ".join(name for name, is_present in present.items() if is_present)
        raise UsageError(f"there is no device {device} here (there is: {have})")
    if precision == "auto":
        precision = "bf16" if multiplies_bf16(device) else "fp32"
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision}")
    return Conditions(device, precision, threads or usable_cores())


def gpus() -> int:
    """Return how many CUDA devices there are."""
    return torch.cuda.device_count()


def multiplies_bf16(device: str) -> bool:
    """Return whether the hardware has bfloat16 matrix instructions, so that it pays to use them."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu" and _CPU_FACTS.exists():
        facts = _CPU_FACTS.read_text()
        return "avx512_bf16" in facts or "amx_bf16" in facts
    return False


def keep_freed_memory() -> None:
    """Let this process keep what it frees: every training step asks for the same blocks again.

    glibc hands large blocks back at once and gets them anew page by page, a tenth of the time of a step. Nothing is
    computed otherwise; where there is no glibc, nothing happens.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, map_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
        libc.mallopt(map_threshold, 2**30)
        libc.mallopt(trim_threshold, 2**31 - 1)
