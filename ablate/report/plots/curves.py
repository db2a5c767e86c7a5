"""Choice and captions of the training curves."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.study_data import Histories, History

MOST_CURVES = 4
CURVES = (
    ("accuracy by epoch", ("val/accuracy", "train/accuracy")),
    ("loss by epoch", ("val/loss", "train/loss")),
    ("learning rate by epoch", ("lr",)),
)
BANDS = {"sd": "of ± 1 standard deviation over seeds", "range": "from the lowest to the highest seed"}


def chosen_curves(recorded: Sequence[str]) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Return titles and metrics: the default curves, or the first recorded metrics if none of those was recorded."""
    default = {name for _, metrics in CURVES for name in metrics}
    if default & set(recorded):
        return CURVES
    others = [name for name in recorded if name != "step"]
    return [(f"{name.rpartition('/')[2].replace('_', ' ')} by epoch", (name,)) for name in others[:MOST_CURVES]]


def curve_caption(title: str, histories: Histories, metric: str, band: str) -> str:
    """Return what lines and band show."""
    if all(len(seeds) < 2 for seeds in histories.values()):
        lines = "one seed per variant"
    elif any(_vary(seeds, metric) for seeds in histories.values()):
        lines = f"mean over seeds, with a band {BANDS[band]}"
    else:
        lines = "mean over seeds, which are identical"
    return f"{title}: {lines}. Variants with identical curves share one line."


def _vary(seeds: Sequence[History], metric: str) -> bool:
    """Return whether seeds differ at some step."""
    first: dict[float, float] = {}
    values = [(row["step"], row[metric]) for rows in seeds for row in rows if metric in row]
    return any(abs(first.setdefault(step, value) - value) > 1e-9 * abs(value) for step, value in values)
