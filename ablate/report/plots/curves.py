"""Which training curves a report shows, and the words below them."""

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
    """The usual curves, or where none of their metrics was recorded, those of the first others."""
    usual = {name for _, metrics in CURVES for name in metrics}
    if usual & set(recorded):
        return CURVES
    others = [name for name in recorded if name != "step"]
    return [(f"{name.rpartition('/')[2].replace('_', ' ')} by epoch", (name,)) for name in others[:MOST_CURVES]]


def curve_caption(title: str, histories: Histories, metric: str, band: str) -> str:
    """What the lines are, and what the band is where there is one to be seen."""
    if all(len(seeds) < 2 for seeds in histories.values()):
        lines = "one seed an arm"
    elif any(_vary(seeds, metric) for seeds in histories.values()):
        lines = f"the mean over seeds in a band {BANDS[band]}"
    else:
        lines = "the mean over seeds, which do not differ"
    return f"{title}: {lines}. Arms with the very same curve are drawn once."


def _vary(seeds: Sequence[History], metric: str) -> bool:
    """Whether two seeds have different values at one step."""
    first: dict[float, float] = {}
    values = [(row["step"], row[metric]) for rows in seeds for row in rows if metric in row]
    return any(abs(first.setdefault(step, value) - value) > 1e-9 * abs(value) for step, value in values)
