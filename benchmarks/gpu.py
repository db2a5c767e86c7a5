"""Benchmarks on a GPU (none elsewhere): the notebook's recipe, studies of it, and the effect of speed on accuracy."""

from __future__ import annotations

from benchmarks import accuracy, studies
from benchmarks.measure import Figure, Measurement, Worker, alternate, medians, ratios
from benchmarks.training import full_recipe, matrix_rate, operations_per_image

IMAGES, EPOCHS, WIDTH = 50_000, 16, 64


def has_gpu() -> bool:
    """Return whether CUDA has a GPU."""
    import torch

    return torch.cuda.is_available()


def recipe(*, compiled: bool) -> Measurement:
    """Return a measurement: the seconds of the whole recipe."""
    return full_recipe(width=WIDTH, threads=1, count=IMAGES, epochs=EPOCHS, device="cuda", compiled=compiled)


def notebook(goal: float, share_goal: float, rounds: int) -> list[Figure]:
    """Time the notebook's recipe at its own scale, its share of the matrix rate, and the gain from compilation."""
    import torch

    if not has_gpu():
        return []
    with Worker(recipe, compiled=False) as plain, Worker(recipe, compiled=True) as compiled:
        pairs = alternate(plain, compiled, rounds)
    with Worker(matrix_rate, threads=1, device="cuda") as rate:
        best = max(rate() for _ in range(3))
    work = operations_per_image(WIDTH) * IMAGES * EPOCHS
    seconds = tuple(here for here, _ in pairs)
    shares = tuple(100 * work / second / best for second in seconds)
    what = f"{torch.cuda.get_device_name()}, {EPOCHS} epochs, width {WIDTH}"
    return [
        Figure("the notebook's recipe", "nothing", "s", goal, seconds, what, False),
        Figure(
            "  its share of the bf16 rate", "matrix products", "%", share_goal, shares, f"{best / 1e12:.0f} TFLOP/s"
        ),
        Figure("  speed compiled", "the Triton kernels", "x", 1.0, ratios(pairs), medians(pairs, "s")),
    ]


def whole_studies(goal: float, jobs_goal: float) -> list[Figure]:
    """Time a whole leave-one-out study, and several runs at a time."""
    if not has_gpu():
        return []
    with studies.prepared("--device", "cuda") as sweep:
        return [studies.leave_one_out(sweep, goal), studies.several_at_a_time(sweep, jobs_goal)]


def parity(seeds: int) -> list[Figure]:
    """Compare the accuracy of bfloat16, eager and compiled, with that of eager float32."""
    return accuracy.on_cuda(seeds) if has_gpu() else []
