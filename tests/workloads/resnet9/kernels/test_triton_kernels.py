"""The Triton kernels without a GPU: interpreted on the CPU, and compiled for a GPU that is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

pytest.importorskip("triton")


@pytest.mark.slow
def test_in_the_interpreter() -> None:
    checks = Path(__file__).with_name("triton_in_interpreter.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--noconftest", str(checks)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


IMAGES, SUMS, SIZE, NUMBER = "*bf16", "*fp32", "i32", "fp32"
TILE = {"ROWS": 16, "CHANNELS": 16}
TYPES = {
    **dict.fromkeys(("images", "gradient", "output"), IMAGES),
    **dict.fromkeys(("parts", "terms", "totals", "weight", "bias", "offset"), SUMS),
    **dict.fromkeys(("running_mean", "running_variance"), SUMS),
    **dict.fromkeys(("momentum", "epsilon"), NUMBER),
}
"""Types of the kernels' arguments; all others are sizes."""

KERNELS = [
    ("statistics", TILE),
    ("finish_statistics", {"PARTS": 128, "CHANNELS": 8}),
    *((name, {"SIDE": side, **TILE}) for name in ("apply", "reduce_gradients", "apply_gradients") for side in (1, 2)),
    ("columns", {"INPUTS": 3, "COLUMNS": 32, "ROWS": 16}),
]


@pytest.mark.parametrize(("name", "constants"), KERNELS, ids=str)
def test_kernels_compile_for_a_gpu(
    name: str, constants: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from ablate.workloads.resnet9.kernels import triton_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    types = {
        argument: "constexpr" if argument in constants else TYPES.get(argument, SIZE) for argument in kernel.arg_names
    }
    values = {(kernel.arg_names.index(constant),): value for constant, value in constants.items()}
    source = ASTSource(kernel, signature=types, constexprs=values)
    made = compile_kernel(source, target=GPUTarget("cuda", 90, 32))
    assert f".visible .entry {name}(" in made.asm["ptx"]
    assert ".target sm_90" in made.asm["ptx"]
