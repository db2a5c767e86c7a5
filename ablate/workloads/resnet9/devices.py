"""The device and precision of a training on this machine, and the preparation of the process."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from ablate import console
from ablate.cores import usable_cores
from ablate.errors import UsageError, UserError
from ablate.studies.conditions import Conditions, RequestedConditions
from ablate.wording import unknown
from ablate.workloads.resnet9.cpu_features import converts_bf16_fast, multiplies_bf16_fast, processor_facts
from ablate.workloads.resnet9.kernels.compile import UnsafeCacheError, compiler, library

PRECISIONS = ("auto", "bf16", "fp32")
_DEVICES = Path("/dev")


def resolve_conditions(requested: RequestedConditions) -> Conditions:
    """Return the conditions that the requested ones are on this machine.

    Device `auto` is CUDA, then Apple's MPS, then the CPU. Precision `auto` is bfloat16 where the hardware is faster in
    it. `fused` defaults to whether the device has kernels (compiled ones on the CPU, Triton on a GPU), and to false
    with `compiled`. A CUDA device of another machine (`is_remote`) is not checked and uses bfloat16. Raises UsageError
    for a device that is not available, and without a compiler.
    """
    device, precision, compiled, fused = requested.device, requested.precision, requested.compiled, requested.fused
    available = (device,) if requested.is_remote or device == "cpu" else available_devices()
    if device == "auto":
        device = available[0]
    if device not in available:
        raise UsageError(f"Device {device!r} is not available. Available: {', '.join(available)}")
    if precision not in PRECISIONS:
        raise UsageError(unknown("precision", precision, PRECISIONS))
    if compiled and not compiler():
        raise UsageError("--compile needs a C++ compiler (g++ or clang++) on the PATH: install one, or omit --compile")
    if fused and compiled:
        raise UsageError("--fused and --compile exclude each other: omit one")
    if fused is None:
        fused = not compiled and kernel_error(device) is None
    elif fused and (error := kernel_error(device)):
        raise UsageError(f"{error}. Omit --fused to train without the kernels")
    if precision == "auto":
        is_fast = (device == "cuda" and requested.is_remote) or is_faster_in_bf16(device, fused=fused)
        precision = "bf16" if is_fast else "fp32"
    return Conditions(device, precision, requested.threads or usable_cores(), compiled, fused)


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the fastest first. Without the driver of a GPU, torch is not imported."""
    if not may_have_gpu():
        return ("cpu",)
    import torch

    is_available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, is_present in is_available.items() if is_present)


def may_have_gpu() -> bool:
    """Return whether torch could find a GPU: on Linux, those of NVIDIA, AMD and WSL have device files."""
    drivers = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")
    return sys.platform != "linux" or "torch" in sys.modules or any(any(_DEVICES.glob(name)) for name in drivers)


def kernel_error(device: str = "cpu") -> str | None:
    """Return the error that prevents the use of the kernels of a device, or None. The first call compiles the CPU's."""
    if device == "cuda":
        return None if find_spec("triton") else "Triton is not installed"
    if device != "cpu":
        return f"No kernels exist for the device {device!r}"
    try:
        library()
    except UserError as error:
        if isinstance(error, UnsafeCacheError):
            console.warn_once(str(error))
        return str(error)
    return None


def gpus() -> tuple[str, ...]:
    """Return the CUDA devices of this machine, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(visible.split(",") if visible else map(str, range(count)))[:count]


def device_name(conditions: Conditions) -> str | None:
    """Return the name of the CUDA device that this process uses, or None without one."""
    if conditions.device != "cuda":
        return None
    import torch

    return torch.cuda.get_device_name()


def is_faster_in_bf16(device: str, *, fused: bool) -> bool:
    """Return whether `device` trains faster in bfloat16 than in float32, from its features, without measuring.

    The compiled CPU kernels multiply in float32 in both cases, but read and write half as many bytes if images are
    bfloat16: training is 1.2 times as fast at width 16, and 1.1 times at width 64 (EPYC with AVX2, two threads).
    """
    if device == "cuda":
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    facts = processor_facts()
    return device == "cpu" and (multiplies_bf16_fast(facts) or (fused and converts_bf16_fast(facts)))


def prepare(threads: int) -> None:
    """Prepare this process for training: number of threads, full float32 precision, and reuse of freed memory.

    By default, PyTorch computes float32 convolutions on NVIDIA GPUs in TF32, with a mantissa of ten bits.
    """
    import torch

    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Keep freed memory in the process: every training step allocates the same blocks again.

    By default, glibc returns large blocks to the system at once and gets them back page by page, which takes a tenth
    of the time of a step. Without glibc, this function does nothing.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, map_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
        libc.mallopt(map_threshold, 2**30)
        libc.mallopt(trim_threshold, 2**31 - 1)
