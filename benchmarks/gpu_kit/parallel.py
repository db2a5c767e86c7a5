"""Several runs on one GPU: in processes of their own, and seeds side by side in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import torch

from ablate.workloads.resnet9.devices import prepare
from ablate.workloads.resnet9.factors import FACTORS
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.correctness import DRAWN_ON_DEVICE
from benchmarks.gpu_kit.processes import GRACE
from benchmarks.gpu_kit.stacked import SideBySide
from benchmarks.gpu_kit.trainings import Silent, noise, seconds_of, training

BATCH = 400
WAY = {"captured": True, "fused": True}
FACTORS_SIDE_BY_SIDE = tuple(name for name in FACTORS.baseline if name != DRAWN_ON_DEVICE)


def measure(bench: Bench) -> None:
    """Measure 1, 2, 4 and 8 runs at a time, then as many seeds side by side, at the notebook's width and at 16."""
    prepare(threads=1)
    widths, counts = ((4,), (1, 2)) if bench.is_rehearsal else ((64, 16), (1, 2, 4, 8))
    for width in widths:
        for count in counts:
            name = f"width {width}, {count} at a time"
            bench.attempt(name, 25, lambda width=width, count=count: processes(bench, width, count))
    for width in widths:
        bench.attempt(f"width {width}, one seed alone", 5, lambda width=width: alone(bench, width))
        for count in counts:
            for way in ("eager", "captured"):
                name = f"width {width}, {count} seeds side by side, {way}"
                bench.attempt(name, 10, lambda width=width, count=count, way=way: together(bench, width, count, way))


def processes(bench: Bench, width: int, count: int) -> dict[str, Any]:
    """Return the images per second of some processes together, each of which trains a network of its own."""
    context = get_context("fork" if bench.is_rehearsal else "spawn")
    barrier, spans = context.Barrier(count), context.SimpleQueue()
    sizes = (width, bench.size(BATCH, 8), bench.size(50, 2), bench.size(4, 1))
    workers = [context.Process(target=_train, args=(bench.device, sizes, barrier, spans)) for _ in range(count)]
    for worker in workers:
        worker.start()
    limit = time.time() + max(1.0, bench.remaining - GRACE)
    for worker in workers:
        worker.join(max(0.1, limit - time.time()))
    for worker in workers:
        worker.kill()
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"exit codes {[worker.exitcode for worker in workers]}")
    found = [spans.get() for _ in workers]
    seconds = max(end for _, end in found) - min(start for start, _ in found)
    _, batch, steps, epochs = sizes
    return {"images_per_s": count * batch * steps * epochs / seconds, "step_ms": 1000 * seconds / steps / epochs}


def _train(device: str, sizes: tuple[int, int, int, int], barrier: Any, spans: Any) -> None:
    """Train an epoch to warm up, wait for the others, train some more, and report the start and the end."""
    width, batch, steps, epochs = sizes
    prepare(threads=1)
    how = WAY if device == "cuda" else {}
    run = training(noise(steps * batch, device), width=width, batch=batch, precision="bf16", **how)
    run.train_epoch(Silent())
    barrier.wait(60)
    start = time.perf_counter()
    seconds = seconds_of(lambda: run.train_epoch(Silent()), device, epochs)
    spans.put((start, start + seconds))


def alone(bench: Bench, width: int) -> dict[str, Any]:
    """Return milliseconds of a step of one seed, the recipe of the seeds side by side."""
    how = WAY if bench.device == "cuda" else {}
    batch, steps = bench.size(BATCH, 8), bench.size(50, 2)
    images = noise(steps * batch, bench.device)
    run = training(images, width=width, batch=batch, factors=FACTORS_SIDE_BY_SIDE, precision="bf16", **how)
    return {"step_ms": _step_ms(bench, lambda: run.train_epoch(Silent()), steps)}


def together(bench: Bench, width: int, count: int, way: str) -> dict[str, Any]:
    """Return milliseconds of a step of some seeds side by side, and the same per seed."""
    batch, steps = bench.size(BATCH, 8), bench.size(50, 2)
    images = noise(steps * batch, bench.device)
    how: dict[str, Any] = {"width": width, "batch": batch, "factors": FACTORS_SIDE_BY_SIDE, "precision": "bf16"}
    trainings = [training(images, seed=seed, **how) for seed in range(count)]
    seeds = SideBySide(trainings, captured=way == "captured" and bench.device == "cuda")
    step_ms = _step_ms(bench, seeds.train_epoch, steps)
    memory = torch.cuda.max_memory_allocated() / 1e9 if bench.device == "cuda" else 0.0
    return {"step_ms": step_ms, "ms_per_seed": step_ms / count, "peak_gb": memory}


def _step_ms(bench: Bench, epoch: Callable[[], Any], steps: int) -> float:
    epoch()
    epochs = bench.size(3, 1)
    return 1000 * seconds_of(epoch, bench.device, epochs) / epochs / steps
