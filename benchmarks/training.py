"""Training throughput: relative to the notebook's loop and to the matrix rate, and of one worker and two."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import Figure, Measurement, Worker, alternate, medians, ratios

BATCH = 400
COUNTS = {8: 4000, 16: 4000, 32: 2000, 64: 800}
"""Images per measurement by width: a few seconds each."""


def random_pixels(count: int) -> np.ndarray:
    """Return `count` images of noise."""
    return np.random.default_rng(0).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def full_recipe(
    *,
    width: int,
    count: int,
    threads: int = 1,
    batch: int = BATCH,
    clock: Callable[[], float] = time.perf_counter,
    **how: Any,
) -> Callable[[], float]:
    """Return a function that trains the notebook's full recipe for an epoch on `count` images and returns the seconds.

    `clock` counts the seconds. `how` are further conditions: `precision`, `compiled`, `fused`.
    """
    from ablate.cores import share_cores

    share_cores()
    import torch

    from ablate.studies.conditions import RequestedConditions
    from ablate.studies.job import Data, Job
    from ablate.studies.recipe import Recipe
    from ablate.workloads.resnet9 import workload as resnet9
    from ablate.workloads.resnet9.devices import prepare, resolve_conditions
    from ablate.workloads.resnet9.images import Images
    from ablate.workloads.resnet9.run import start

    prepare(threads)
    conditions = resolve_conditions(RequestedConditions("cpu", threads=threads, **how))
    half = torch.full((1, 3, 1, 1), 0.5)
    images = torch.from_numpy(random_pixels(count))
    members = torch.arange(count)
    train, few = (Images(images, members % 10, members[:size], half, half) for size in (count, 8))
    recipe = Recipe.of(resnet9.WORKLOAD, None, {"width": width, "epochs": 1, "batch_size": batch})
    plan = resnet9.training_plan(recipe, 10)

    def train_it() -> float:
        log = _Stopwatch(clock)
        start(plan, train, Job(recipe, Data("noise", ""), conditions)).run(few, log)
        return log.seconds

    return train_it


def ours(*, count: int, **how: Any) -> Measurement:
    """Return a measurement: images per second in an epoch of the notebook's full recipe."""
    epoch = full_recipe(count=count, **how)
    return lambda: count / epoch()


class _Stopwatch:
    """A log that measures the time from the first row to the last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds = 0.0
        self._started = 0.0

    def __call__(self, step: int, **_metrics: float) -> None:
        if step == 0:
            self._started = self._clock()
        else:
            self.seconds = self._clock() - self._started

    def series(self, name: str, first: int, values: list[float]) -> None:
        pass

    def progress(self, done: int, total: int) -> None:
        pass


class _Pictures:
    """A data set of PIL images, transformed one by one on access."""

    def __init__(self, count: int) -> None:
        from PIL import Image
        from torchvision import transforms

        self._pictures = [Image.fromarray(picture.transpose(1, 2, 0)) for picture in random_pixels(count)]
        self._change = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
            ]
        )

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, position: int) -> tuple[Any, int]:
        return self._change(self._pictures[position]), position % 10


def notebook(*, width: int, threads: int, count: int, workers: int = 2) -> Measurement:
    """Return a measurement: images per second of the notebook's loop, in fp32 on PIL images with `workers` for loading.

    The workers persist between epochs, so that their start, negligible for 50,000 images, is excluded.
    """
    import torch
    from torch.utils.data import DataLoader

    from tests.samples.notebook import ResNet9, fit_one_cycle

    torch.set_num_threads(threads)
    loader: DataLoader[Any] = DataLoader(
        _Pictures(count),  # type: ignore[arg-type]  # it accepts any sequence
        min(BATCH, count), shuffle=True, num_workers=workers, persistent_workers=workers > 0,
    )  # fmt: skip
    model = ResNet9(width=width)

    def measure() -> float:
        started = time.perf_counter()
        fit_one_cycle(model, loader, total_steps=len(loader))
        return count / (time.perf_counter() - started)

    return measure


def matrix_rate(*, threads: int, dtype: str = "bfloat16", device: str = "cpu") -> Measurement:
    """Return a measurement: the best rate of square matrix products, in floating-point operations per second."""
    import torch

    torch.set_num_threads(threads)
    sizes = [1024, 2048, 4096] if device == "cpu" else [4096, 8192, 16384]
    matrices = [torch.randn(size, size, device=device).to(getattr(torch, dtype)) for size in sizes]

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def measure() -> float:
        best = 0.0
        for size, matrix in zip(sizes, matrices, strict=True):
            for _ in range(4):
                wait()
                started = time.perf_counter()
                matrix @ matrix
                wait()
                best = max(best, 2 * size**3 / (time.perf_counter() - started))
        return best

    return measure


def operations_per_image(width: int) -> float:
    """Return the floating-point operations per image of a training step: convolutions and products, both passes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ablate.workloads.resnet9.model import build
    from ablate.workloads.resnet9.plan import Net

    model, images = (
        build(Net(width, classes=10, image_size=32, batch_norm=True, residual=True), seed=0),
        torch.rand(2, 3, 32, 32),
    )
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return float(counter.get_total_flops()) / len(images)


def throughput(width: int, goal: float, rounds: int, threads: int) -> Figure:
    """Compare our throughput with that of the notebook's loop."""
    arguments = {"width": width, "threads": threads, "count": COUNTS[width]}
    with Worker(ours, **arguments) as here, Worker(notebook, **arguments) as there:
        pairs = alternate(here, there, rounds)
    return Figure(
        f"training, width {width}", "the notebook's loop", "x", goal, ratios(pairs), medians(pairs, "images/s")
    )


def share_of_rate(width: int, goal: float, rounds: int, threads: int, precision: str) -> Figure:
    """Compare the operations per second of training with those of matrix products, in one precision."""
    arguments = {"width": width, "threads": threads, "count": COUNTS[width], "precision": precision}
    operations, dtype = operations_per_image(width), {"bf16": "bfloat16", "fp32": "float32"}[precision]
    with Worker(ours, **arguments) as here, Worker(matrix_rate, threads=threads, dtype=dtype) as there:
        pairs = [(images * operations / 1e9, rate / 1e9) for images, rate in alternate(here, there, rounds)]
    shares = tuple(100 * share for share in ratios(pairs))
    name = f"share of {precision} rate, width {width}"
    return Figure(name, "matrix products", "%", goal, shares, medians(pairs, "GFLOP/s"))


def choice_of_precision(width: int, goal: float, rounds: int, threads: int) -> Figure:
    """Compare the precision that `auto` chooses on this machine with the other one."""
    from ablate.studies.conditions import RequestedConditions
    from ablate.workloads.resnet9.devices import resolve_conditions

    chosen = resolve_conditions(RequestedConditions("cpu")).precision
    other = next(name for name in ("bf16", "fp32") if name != chosen)
    arguments = {"width": width, "threads": threads, "count": COUNTS[width]}
    with Worker(ours, **arguments, precision=chosen) as here, Worker(ours, **arguments, precision=other) as there:
        pairs = alternate(here, there, rounds)
    name = f"precision auto ({chosen}), width {width}"
    return Figure(name, other, "x", goal, ratios(pairs), medians(pairs, "images/s"))


def fusing(width: int, goal: float, rounds: int) -> Figure:
    """Compare the CPU kernels with PyTorch's operators, with one thread."""
    arguments = {"width": width, "threads": 1, "count": COUNTS[width]}
    with Worker(ours, **arguments, fused=True) as here, Worker(ours, **arguments, fused=False) as there:
        pairs = alternate(here, there, rounds)
    return Figure(f"fused, width {width}", "not fused", "x", goal, ratios(pairs), medians(pairs, "images/s"))


def two_workers(width: int, goal: float, rounds: int) -> Figure:
    """Compare two workers with one thread each with one worker with two threads."""
    count = COUNTS[width]
    with (
        Worker(ours, width=width, threads=1, count=count) as first,
        Worker(ours, width=width, threads=1, count=count) as second,
        Worker(ours, width=width, threads=2, count=count) as alone,
    ):

        def together() -> float:
            first.start()
            second.start()
            return first.result() + second.result()

        pairs = alternate(together, alone, rounds)
    return Figure(
        f"two workers, width {width}", "one of two threads", "x", goal, ratios(pairs), medians(pairs, "images/s")
    )
