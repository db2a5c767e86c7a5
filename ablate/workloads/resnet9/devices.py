"""What this machine computes with."""

from __future__ import annotations

import ctypes
import os
import sys

import torch

from ablate.cores import usable_cores
from ablate.errors import UsageError, UserError
from ablate.studies.conditions import Conditions, RequestedConditions
from ablate.workloads.resnet9.cpu_features import converts_bf16_fast, multiplies_bf16_fast, processor_facts
from ablate.workloads.resnet9.kernels import compiler, library

PRECISIONS = ("auto", "bf16", "fp32")


def resolve_conditions(requested: RequestedConditions) -> Conditions:
    """Return the conditions that the requested ones are on this machine.

    Device `auto` takes CUDA, then Apple's MPS, then the CPU. Precision `auto` takes bfloat16 where the hardware is
    faster in it. `fused` defaults to whether the CPU kernels compile, and to off with `compiled`.
    Raises UsageError for a device that this machine does not have, and where there is no compiler.
    """
    device, precision, compiled, fused = requested.device, requested.precision, requested.compiled, requested.fused
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(device):
        have = ", ".join(name for name, is_present in present.items() if is_present)
        raise UsageError(f"there is no device {device} here (there is: {have})")
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision}")
    if compiled and not compiler():
        raise UsageError("--compile needs a C++ compiler (g++ or clang++) on the path: install one, or leave it out")
    if fused and (compiled or device != "cpu"):
        raise UsageError("--fused is for the CPU, without --compile: leave it out")
    if fused is None:
        fused = device == "cpu" and not compiled and why_not_fused() is None
    elif fused and (reason := why_not_fused()):
        raise UsageError(f"{reason}; or leave --fused out")
    if precision == "auto":
        precision = "bf16" if is_faster_in_bf16(device, fused=fused) else "fp32"
    return Conditions(device, precision, requested.threads or usable_cores(), compiled, fused)


def why_not_fused() -> str | None:
    """Return what stands against the fused kernels here, None where they are ready; the first call compiles them."""
    try:
        library()
    except UserError as error:
        return str(error)
    return None


def gpus() -> tuple[str, ...]:
    """Return what CUDA_VISIBLE_DEVICES calls the CUDA devices that are there."""
    count = torch.cuda.device_count()
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(given.split(",") if given else map(str, range(count)))[:count]


def is_faster_in_bf16(device: str, *, fused: bool) -> bool:
    """Return whether `device` trains faster in bfloat16 than in float32: told by what it is, the same every time.

    The fused kernels multiply in float32 either way, and read and write half as much where images are bfloat16: a
    training is 1.2 times as fast at width 16, 1.1 times at 64 (EPYC with AVX2, two threads).
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    facts = processor_facts()
    return device == "cpu" and (multiplies_bf16_fast(facts) or (fused and converts_bf16_fast(facts)))


def prepare(threads: int) -> None:
    """Let this process train with so many threads, keep the memory that it frees, and mean float32 by float32.

    On NVIDIA's GPUs PyTorch computes float32 convolutions in TF32, with ten bits behind the point, unless told.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    keep_freed_memory()


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
