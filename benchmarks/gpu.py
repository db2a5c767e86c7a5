"""The notebook's recipe on a GPU, at its own scale: its wall time, its share of the matrix rate, compiled or not."""

from __future__ import annotations

from benchmarks.measure import Figure, Measurement, Worker, alternate, medians, ratios
from benchmarks.training import full_recipe, matrix_rate, operations_an_image

IMAGES, EPOCHS, WIDTH = 50_000, 16, 64


def recipe(*, compiled: bool) -> Measurement:
    """Return a measurement: the seconds of the whole recipe, after one that warms up."""
    return full_recipe(width=WIDTH, threads=1, count=IMAGES, epochs=EPOCHS, device="cuda", compiled=compiled)


def figures(goal: float, share_goal: float, rounds: int) -> list[Figure]:
    """Measure where there is a GPU; nothing elsewhere."""
    import torch

    if not torch.cuda.is_available():
        return []
    with Worker(recipe, compiled=False) as plain, Worker(recipe, compiled=True) as compiled:
        pairs = alternate(plain, compiled, rounds)
    with Worker(matrix_rate, threads=1, device="cuda") as rate:
        best = max(rate() for _ in range(3))
    work = operations_an_image(WIDTH) * IMAGES * EPOCHS
    seconds = tuple(here for here, _ in pairs)
    shares = tuple(100 * work / second / best for second in seconds)
    what = f"{torch.cuda.get_device_name()}, {EPOCHS} epochs, width {WIDTH}"
    return [
        Figure("the notebook's recipe", "nothing", "s", goal, seconds, what, False),
        Figure(
            "  its share of the bf16 rate", "matrix products", "%", share_goal, shares, f"{best / 1e12:.0f} TFLOP/s"
        ),
        Figure("  speed compiled", "eager", "x", 1.0, ratios(pairs), medians(pairs, "s")),
    ]
