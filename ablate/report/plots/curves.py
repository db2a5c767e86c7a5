"""Plots of the training: curves by variant, and training images."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from ablate.report.analysis import Analysis
from ablate.report.plots.render import Plot
from ablate.report.study_data import Histories, History
from ablate.stats.effects.types import EQUAL

MOST_CURVES = 4
CURVES = (
    ("accuracy by epoch", ("val/accuracy", "train/accuracy")),
    ("loss by epoch", ("val/loss", "train/loss")),
    ("learning rate by epoch", ("lr",)),
)
BANDS = {"sd": "of ± 1 standard deviation over seeds", "range": "from the lowest to the highest seed"}


def training_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the curves of accuracy, loss and learning rate, of validation if it was recorded."""
    histories = _ordered(analysis, analysis.study.curves())
    rows = [row for seeds in histories.values() for history in seeds for row in history]
    recorded = dict.fromkeys(name for row in rows for name, value in row.items() if math.isfinite(value))
    for number, (words, metrics) in enumerate(chosen_curves(list(recorded)), start=1):
        metric = next((name for name in metrics if name in recorded), None)
        if metric is None:
            continue
        own = {
            variant: [[{"step": row["step"], metric: row[metric]} for row in one if metric in row] for one in seeds]
            for variant, seeds in histories.items()
        }
        kind = {"val": "validation ", "train": "training "}.get(metric.partition("/")[0], "")
        title = f"{kind}{words}".capitalize()
        band = "range" if "loss" in metric else "sd"  # mean minus SD may be negative, which a log scale cannot show
        caption = curve_caption(title, own, metric, band)
        arguments = {"histories": own, "metric": metric, "reference": analysis.study.baseline, "band": band}
        is_default = len(metrics) > 1 or metric == "lr"
        file = f"curves-{metric.replace('/', '-')}.png" if is_default else curves_file(number, metric)
        yield Plot("curves", file, title, caption, "training_curves", arguments)


def curves_file(number: int, metric: str) -> str:
    """Return the file name of the plot of a metric, whose name may contain any characters."""
    name = re.sub(r"[^a-z0-9]+", "-", metric.lower()).strip("-")
    return f"curves-{number}-{name}"[:70].rstrip("-") + ".png"


def batch_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the training images that a run of the baseline has recorded."""
    picture = analysis.study.batch()
    if picture is not None:
        caption = "Training images of the baseline, and the same images as the network saw them in its first step."
        yield Plot("batch", "batch.png", "Training images before and after augmentation", caption, "existing",
                   {"picture": picture})  # fmt: skip


def _ordered(analysis: Analysis, histories: Histories) -> Histories:
    """Return the curves in the order of the results, references first."""
    order = [analysis.study.baseline, *(name for row in analysis.headline for name in (row.reference, row.variant))]
    return {name: histories[name] for name in dict.fromkeys([*order, *histories]) if name in histories}


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
    return any(abs(first.setdefault(step, value) - value) > EQUAL * abs(value) for step, value in values)
