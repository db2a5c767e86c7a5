"""The results table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import code, escape, table
from ablate.report.formats.numbers import (
    DASH,
    detectable,
    digits_of,
    interval,
    plain,
    probability,
    signed,
    spread,
)
from ablate.report.main_effects import FAMILY
from ablate.report.sections.plots import MOST_ROWS
from ablate.stats.effects import Effect

COLUMNS = (
    "variant", "seeds", "reference, mean ± SD", "variant, mean ± SD", "difference", "{level}", "family-wise",
    "p (Holm)", "p TOST (Holm)", "P(improve)", "MDE", "verdict",
)  # fmt: skip


def main_tables(analysis: Analysis) -> str:
    """The main table, sorted by difference; a table each where arms have different references."""
    parts = ["## Results"]
    groups: dict[tuple[str, str], list[Effect]] = {}
    for effect in sorted(analysis.effects, key=lambda row: (math.isnan(row.delta), row.delta)):
        averaged = effect.family == FAMILY
        key = ("average over the other components", "") if averaged else ("against", effect.reference)
        groups.setdefault(key, []).append(effect)
    for (words, reference), effects in groups.items():
        if len(groups) > 1 or reference not in ("", analysis.study.baseline):
            parts.append(f"### {words.capitalize()} {code(reference) if reference else ''}".rstrip())
        parts.append(effects_table(effects, analysis))
        if len(effects) > MOST_ROWS:
            parts.append(f"The {MOST_ROWS} rows with the lowest difference; all {len(effects)} are in `effects.csv`.")
    metric = analysis.study.metric
    unit = "points" if metric.in_points else metric.own_unit or "the metric's own unit"
    parts.append(
        escape(
            f"Differences are variant minus reference in {unit}; SD is the standard deviation over the paired seeds. "
            "P(improve): share of seeds in which the variant is better, a tie as half of one. TOST: the test that the "
            "difference lies within the margin. MDE: the smallest true difference that so many seeds find with "
            "probability .8."
        )
    )
    return "\n\n".join(parts)


def effects_table(effects: Sequence[Effect], analysis: Analysis) -> str:
    """Rows of the main table as Markdown."""
    same_level = all(math.isclose(effect.level, 0.95) for effect in effects)
    columns = [name.format(level="95 % interval" if same_level else "interval") for name in COLUMNS]
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [_row(effect, digits, same_level) for effect in effects[:MOST_ROWS]]
    return table(columns, rows, numeric=range(1, len(columns) - 1))


def _row(effect: Effect, digits: int, same_level: bool) -> list[str]:
    bounds = interval(effect.ci_low, effect.ci_high, digits)
    if not same_level and bounds != DASH:
        bounds += f" ({100 * effect.level:.4g} %)"
    missing = effect.n_planned - effect.n
    return [
        code(effect.variant),
        f"{effect.n} of {effect.n_planned}" if missing > 0 else str(effect.n),
        spread(effect.baseline_mean, effect.baseline_sd, digits),
        spread(effect.variant_mean, effect.variant_sd, digits),
        signed(effect.delta, digits),
        bounds,
        interval(effect.fw_low, effect.fw_high, digits),
        escape(probability(effect.p_holm)),
        escape(probability(effect.p_tost_holm)),
        plain(effect.p_improve, 2),
        detectable(effect, digits),
        escape(effect.verdict),
    ]


def console_rows(analysis: Analysis) -> tuple[list[str], list[list[str]]]:
    """The main table as plain cells, for the terminal."""
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    columns = ["variant", "reference", "seeds", "difference", "interval", "p (Holm)", "verdict"]
    rows = [
        [
            effect.variant,
            effect.reference,
            str(effect.n),
            signed(effect.delta, digits),
            interval(effect.ci_low, effect.ci_high, digits),
            probability(effect.p_holm),
            effect.verdict,
        ]
        for effect in analysis.headline
    ]
    return columns, rows
