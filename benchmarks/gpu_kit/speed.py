"""The speed of the notebook's recipe in every way of computing it, and where a step's time goes."""

from __future__ import annotations

import time
from typing import Any

import torch

from ablate.workloads.resnet9.devices import prepare
from ablate.workloads.resnet9.training import evaluate
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.trainings import Silent, few, noise, seconds_per_step, training
from benchmarks.training import matrix_rate, operations_per_image

BATCH, STEPS_OF_A_RECIPE, EPOCHS = 400, 2000, 16

VARIANTS: dict[str, dict[str, Any]] = {
    "captured step, fused": {"captured": "step", "fused": True},
    "captured step": {"captured": "step"},
    "captured, fused": {"captured": True, "fused": True},
    "captured": {"captured": True},
    "fused": {"fused": True},
    "eager": {},
}


def measure(bench: Bench) -> None:
    """Measure the matrix rate, then each variant at the notebook's width and at width 16, then profile a step."""
    prepare(threads=1)
    bench.attempt("facts", 5, lambda: facts(bench))
    images = noise(bench.size(50 * BATCH, 32), bench.device)
    batch = bench.size(BATCH, 16)
    rate = matrix_rate(threads=1, device=bench.device)() if not bench.is_rehearsal else 1e12
    bench.record("bf16 matrix rate", tflops=rate / 1e12)
    width = bench.size(64, 8)
    for name in ("captured, fused", "captured step, fused"):
        how = VARIANTS[name]
        bench.attempt(f"profile, {name}", 10, lambda how=how: profile(bench, images, width, batch, **how))
    for name, how in VARIANTS.items():
        bench.attempt(f"width {width}, {name}", 5, lambda how=how: speed(bench, images, width, batch, rate, **how))
    narrow = bench.size(16, 4)
    for name in ("captured step, fused", "captured step", "captured, fused", "captured", "eager"):
        how = VARIANTS[name]
        bench.attempt(f"width {narrow}, {name}", 5, lambda how=how: speed(bench, images, narrow, batch, rate, **how))
    if not bench.is_rehearsal:  # last: it compiles for half a minute
        how = {"captured": True, "compiled": True}
        name = f"width {width}, captured, compiled"
        bench.attempt(name, 60, lambda: speed(bench, images, width, batch, rate, **how))


def facts(bench: Bench) -> dict[str, Any]:
    """Return the versions and the device."""
    name = torch.cuda.get_device_name() if bench.device == "cuda" else "cpu"
    return {"device": name, "torch": torch.__version__, "cudnn": torch.backends.cudnn.version()}


def make(bench: Bench, images: Any, width: int, batch: int, **how: Any) -> Any:
    """Return a training in bfloat16; without CUDA, nothing is captured."""
    if bench.device == "cpu":
        how = {}
    return training(images, width=width, batch=batch, precision="bf16", **how)


def speed(bench: Bench, images: Any, width: int, batch: int, rate: float, **how: Any) -> dict[str, Any]:
    """Return milliseconds of a step and of an evaluation, seconds of the recipe, and its share of the matrix rate."""
    run = make(bench, images, width, batch, **how)
    second = seconds_per_step(run, epochs=bench.size(3, 1))
    test = few(images, bench.size(10_000, 32))
    with run.autocast:
        evaluate(run.model, test)
        evaluate(run.model, test)
        started = time.perf_counter()
        evaluate(run.model, test)
        validation = time.perf_counter() - started
    share = operations_per_image(width) * batch / second / rate
    memory = torch.cuda.max_memory_allocated() / 1e9 if bench.device == "cuda" else 0.0
    return {
        "step_ms": 1000 * second,
        "evaluation_ms": 1000 * validation,
        "recipe_s": STEPS_OF_A_RECIPE * second + EPOCHS * validation,
        "share": share,
        "peak_gb": memory,
    }


def profile(bench: Bench, images: Any, width: int, batch: int, **how: Any) -> dict[str, Any]:
    """Return the kernels that take the most time of a step, in milliseconds."""
    from torch.profiler import ProfilerActivity

    run = make(bench, images, width, batch, **how)
    run.train_epoch(Silent())
    run.train = few(images, 10 * batch) if not bench.is_rehearsal else images
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if bench.device == "cuda" else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        run.train_epoch(Silent())
    steps = -(-len(run.train) // batch)
    on_gpu = bench.device == "cuda"
    rows = [
        ((e.self_device_time_total if on_gpu else e.self_cpu_time_total) / 1000 / steps, e.count / steps, e.key)
        for e in profiler.key_averages()
        if not on_gpu or e.device_type == torch.autograd.DeviceType.CUDA
    ]
    rows.sort(reverse=True)
    total = sum(row[0] for row in rows)
    with (bench.folder / "profiles.txt").open("a") as file:
        print(how, file=file)
        for milliseconds, count, name in rows[:120]:
            print(
                f"    {milliseconds:8.4f} ms {100 * milliseconds / total:5.1f} % {count:6.1f} {name[:150]}", file=file
            )
    return {"kernels_ms": total, "launches": sum(row[1] for row in rows), "top": [list(row) for row in rows[:30]]}
