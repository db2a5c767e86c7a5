"""Noise: variation between seeds and test images, and the seeds needed for smaller differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, bullets, code, escape, table
from ablate.report.formats.numbers import digits_of, interval, plain, signed
from ablate.report.plots.render import Plot
from ablate.report.sections.plots import plots_in
from ablate.stats.effects import TwoScopes
from ablate.wording import count


def noise_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """Return the section, or nothing if the noise is unknown."""
    budget, study = analysis.budget, analysis.study
    if budget is None or math.isnan(budget.seed_sd):
        return ""
    digits = digits_of(study.metric, study.margin)
    lines = [
        f"SD of {code(study.baseline)} over seeds: {plain(budget.seed_sd, digits)}",
        f"SD of a paired difference (median of the comparisons): {plain(budget.difference_sd, digits)}",
    ]
    if math.isfinite(budget.image_se):
        lines.append(f"SE of the mean of {code(study.baseline)} over test images: {plain(budget.image_se, digits)}")
    known = {target: seeds for target, seeds in budget.seeds.items() if seeds is not None}
    if not known:
        lines.append("The number of seeds for smaller differences cannot be estimated from fewer than 5 seeds")
    for target, seeds in known.items():
        lines.append(
            f"To detect a true difference of {study.metric.with_unit(f'{target:g}')} among "
            f"{count(budget.comparisons, 'comparison')}: {seeds.words}"
        )
    parts = ["## Noise", bullets(lines), *plots_in(plots, "noise")]
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
        "95 % interval, new seeds",
        "SE, new seeds and images",
        "95 % interval, new seeds and images",
    ]
    words = (
        "New seeds: the uncertainty of a repetition with other seeds on the same test images. New seeds and images: "
        "that of a repetition on another test set of the same kind; its interval contains that of new seeds. Images "
        "and seeds are crossed, so images x seeds are not that many independent replicates."
    )
    return table(columns, rows, numeric=range(1, 6)) + "\n\n" + escape(words)
