"""Sections for students: what components are for, the generalisation gap, changes by class, images as trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from ablate.report.analysis import Analysis
from ablate.report.effect_rows import comparison_names
from ablate.report.formats.markdown_text import MOST_ROWS, bold, bullets, code, escape, table
from ablate.report.formats.numbers import DASH, signed, spread
from ablate.report.study_data import Histories, History
from ablate.wording import in_words

MOST_CLASSES = 12
"""Columns of the table of classes; of more classes, those that change most are shown."""

_GAPS = (("train/accuracy", "val/accuracy", 100.0), ("train/loss", "val/loss", 1.0))
"""Metrics of training and validation, the first of which is shown if it was recorded, with its scale."""


def purposes_section(analysis: Analysis) -> str:
    """Return what the components of the study are for; empty if this is unknown."""
    known = analysis.study.purposes
    if not known:
        return ""
    lines = [f"{bold(in_words(name))}: {escape(text)}" for name, text in known.items()]
    return "\n\n".join(["## Components", "What each component is for, according to the literature:", bullets(lines)])


def gap_section(analysis: Analysis) -> str:
    """Return training next to validation at the last epoch, by variant; empty if either was not recorded."""
    histories = analysis.study.curves()
    for train, val, scale in _GAPS:
        rows = list(_gap_rows(_in_order(analysis, histories), train, val, scale))
        if rows:
            break
    else:
        return ""
    name = val.partition("/")[2] + (" (%)" if scale > 1 else "")
    columns = ["variant", f"training {name}", f"validation {name}", "gap"]
    words = (
        "Generalisation gap: training minus validation at the last epoch, mean ± SD over seeds. A large gap is a sign "
        "of overfitting: the training data are fitted better than new data of the same kind. The training score is "
        "measured during training, with any augmentation and dropout of the variant, which lower it. So part of a gap "
        "that opens without them comes from a higher training score, not from overfitting."
    )
    return "\n\n".join(["## Generalisation", escape(words), table(columns, rows[:MOST_ROWS], numeric=(1, 2, 3))])


def _in_order(analysis: Analysis, histories: Histories) -> Histories:
    order = [analysis.study.baseline, *(effect.variant for effect in analysis.compared), *histories]
    return {name: histories[name] for name in dict.fromkeys(order) if name in histories}


def _gap_rows(histories: Histories, train: str, val: str, scale: float) -> Iterator[list[str]]:
    for variant, seeds in histories.items():
        ends = [end for history in seeds if (end := _last(history, train, val))]
        if ends:
            pairs = [(scale * end[train], scale * end[val]) for end in ends]
            columns = [*zip(*pairs, strict=True), [one - other for one, other in pairs]]
            yield [code(variant), *(spread(fmean(column), _sd(column), 2) for column in columns)]


def _last(history: History, *names: str) -> Mapping[str, float] | None:
    """Return the last epoch that has finite values of the metrics."""
    rows = (row for row in reversed(history) if all(math.isfinite(row.get(name, math.nan)) for name in names))
    return next(rows, None)


def _sd(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else math.nan


def classes_section(analysis: Analysis) -> str:
    """Return the change of accuracy by class; empty unless runs and this machine have what it takes."""
    correct, known = analysis.study.correct(), None
    if correct and analysis.compared:
        known = analysis.study.labels()
    if known is None:
        return ""
    classes, labels = known
    changes = {}
    compared = analysis.compared[:MOST_ROWS]
    for name, effect in zip(comparison_names(compared), compared, strict=True):
        one, other = correct.get(effect.variant, {}), correct.get(effect.reference, {})
        seeds = [seed for seed in one if seed in other and len(one[seed]) == len(other[seed]) == len(labels)]
        if seeds:
            changes[name] = _by_class([(one[seed], other[seed]) for seed in seeds], labels, len(classes))
    if not changes:
        return ""
    shown = _most_changed(list(changes.values()), len(classes))
    rows = [[code(name), *(_cell(by_class[place]) for place in shown)] for name, by_class in changes.items()]
    words = (
        "Change in accuracy within each class of the test images, in percentage points: variant minus reference, "
        "mean over seeds. Bold: further from zero than two standard errors. These are many comparisons without "
        "correction, so they are only hints about the images that a component helps with."
    )
    if len(shown) < len(classes):
        words += f" The {len(shown)} of {len(classes)} classes that change most."
    columns = ["variant", *(escape(classes[place]) for place in shown)]
    parts = ["## Classes", escape(words), table(columns, rows, numeric=range(1, len(columns)))]
    return "\n\n".join(parts)


def _by_class(pairs: Sequence[tuple[Any, Any]], labels: Any, classes: int) -> list[list[float]]:
    """Return the differences of the seeds in points, by class; without any for a class without images."""
    changes = [(one.astype(float) - other.astype(float)) * 100 for one, other in pairs]
    chosen = [labels == place for place in range(classes)]
    return [[float(change[images].mean()) for change in changes] if images.any() else [] for images in chosen]


def _most_changed(changes: Sequence[Sequence[Sequence[float]]], classes: int) -> list[int]:
    sizes = [max((abs(fmean(one[place])) for one in changes if one[place]), default=0.0) for place in range(classes)]
    return sorted(sorted(range(classes), key=lambda place: -sizes[place])[:MOST_CLASSES])


def _cell(values: Sequence[float]) -> str:
    if not values:
        return DASH
    mean, text = fmean(values), signed(fmean(values), 1)
    clear = len(values) > 2 and abs(mean) > 2 * stdev(values) / math.sqrt(len(values))
    return f"**{text}**" if clear else text
