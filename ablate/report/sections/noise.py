"""Noise: seed-to-seed variation, test-set variation, and the seeds needed for smaller differences."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, code, escape, table
from ablate.report.formats.numbers import digits_of, interval, plain, signed
from ablate.report.sections.plots import MOST_ROWS, Plots, shown
from ablate.stats.effects import TwoScopes


def noise_section(analysis: Analysis, plots: Plots) -> str:
    """How large the noise is, what it costs to lower it, and both scopes of it."""
    budget = analysis.budget
    if budget is None or math.isnan(budget.seed_sd):
        return ""
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    lines = [
        f"SD of {code(analysis.study.baseline)} over seeds: {plain(budget.seed_sd, digits)}",
        f"SD of a paired difference (median over the comparisons): {plain(budget.difference_sd, digits)}",
    ]
    if math.isfinite(budget.image_se):
        lines.append(
            f"Standard error of the reference's mean that the finite test set brings: {plain(budget.image_se, digits)}"
        )
    metric, points = analysis.study.metric, " points" if analysis.study.metric.in_points else ""
    for target, seeds in budget.seeds.items():
        needed = "more than a million seeds" if seeds is None else f"{seeds:,} seeds"
        lines.append(
            f"To detect a true difference of {metric.with_own_unit(f'{target:g}{points}')} among "
            f"{budget.comparisons} comparisons: {needed}"
        )
    parts = ["## Noise", bullets(lines), *shown(plots, "noise")]
    if analysis.scopes:
        parts += ["### Two scopes", _scopes(analysis.scopes, digits)]
    return "\n\n".join(parts)


def _scopes(scopes: Mapping[tuple[str, str], TwoScopes], digits: int) -> str:
    rows = [
        [
            code(variant),
            signed(row.delta, digits),
            plain(row.se_seed, digits),
            interval(row.seed_low, row.seed_high, digits),
            plain(row.se_total, digits),
            interval(row.total_low, row.total_high, digits),
        ]
        for (variant, _), row in list(scopes.items())[:MOST_ROWS]
    ]
    columns = [
        "variant",
        "difference",
        "SE, new seeds",
        "interval, new seeds",
        "SE, new seeds and images",
        "interval, new both",
    ]
    words = (
        "New seeds: would the difference come back if the same images were used again? New seeds and images: would it "
        "come back on another test set of this kind? The second standard error is the larger one; its interval can "
        "still be the narrower, since images add degrees of freedom that a few seeds do not have. Images and seeds are "
        "crossed, so images x seeds are not that many independent replicates."
    )
    return table(columns, rows, numeric=range(1, 6)) + "\n\n" + escape(words)
