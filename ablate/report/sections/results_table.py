"""The results table: one row per comparison, sorted by difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, code, escape, table
from ablate.report.formats.numbers import (
    DASH,
    corrected,
    detectable,
    digits_of,
    interval,
    plain,
    repetitions,
    signed,
    spread,
)
from ablate.report.main_effects import AVERAGED, FAMILY
from ablate.stats.effects import Effect
from ablate.stats.effects.types import Replicates

COLUMNS = (
    "variant", "seeds", "reference, mean ± SD", "variant, mean ± SD", "difference", "{level}", "family-wise interval",
    "p (Holm)", "p TOST (Holm)", "P(improve)", "MDE", "verdict",
)  # fmt: skip

_SEEDS = COLUMNS.index("seeds")
_AFTER_INTERVALS = COLUMNS.index("family-wise interval") + 1


def results_section(analysis: Analysis) -> str:
    """Return the section: one table per reference, and one for main effects."""
    study, parts = analysis.study, ["## Results", *effects_tables(analysis)]
    replicates = study.protocol.replicates
    unit = "points" if study.metric.in_points else study.metric.own_unit or "the metric's own unit"
    parts.append(
        escape(
            f"Difference: variant minus reference, in {unit}. SD: standard deviation over {_SPREAD[replicates]}. "
            "Family-wise interval: corrected for the number of comparisons, as p (Holm) and the verdict are; the other "
            "interval holds for one comparison alone. p: probability of a difference at least as large if there were "
            f"none. {_improve(replicates)}TOST: test that the "
            f"difference is within the margin. {added_seeds(analysis)}MDE: minimum detectable effect, the smallest "
            f"true difference that these {replicates} detect with probability .8."
        )
    )
    return "\n\n".join(parts)


def effects_tables(analysis: Analysis, role: str = "") -> list[str]:
    """Return a table per reference under its heading, and one of main effects. `role` qualifies the first column."""
    study, parts = analysis.study, list[str]()
    groups: dict[str, list[Effect]] = {}
    for effect in sorted(analysis.effects, key=lambda row: (math.isnan(row.delta), row.delta)):
        heading = AVERAGED.capitalize() if effect.family == FAMILY else f"Against {code(effect.reference)}"
        groups.setdefault(heading, []).append(effect)
    only_baseline = list(groups) == [f"Against {code(study.baseline)}"]
    for heading, effects in groups.items():
        parts += [] if only_baseline else [f"{'####' if role else '###'} {heading}"]
        parts.append(_effects_table(effects, analysis, role))
        if len(effects) > MOST_ROWS:
            parts.append(f"The {MOST_ROWS} lowest differences; all {len(effects)} are in `effects.csv`.")
    return parts


_SPREAD: dict[Replicates, str] = {
    "seeds": "the paired seeds", "runs": "all runs of a variant; the other columns are those of Welch's t-test",
    "folds": "the folds; intervals and tests allow for the overlap of their training sets",
    "data sets": "the data sets",
}  # fmt: skip


def _improve(replicates: Replicates) -> str:
    """Return what P(improve) is; nothing for unpaired runs, which do not have it."""
    if replicates == "runs":
        return ""
    return f"P(improve): share of {replicates} in which the variant is better; a tie counts half. "


def added_seeds(analysis: Analysis) -> str:
    """Return the consequence of seeds that were changed after a report; empty if they were not."""
    if not any(effect.evidence.extended for effect in analysis.effects):
        return ""
    return (
        "The seeds were changed after a report: the verdicts use the interval for added seeds, and the other intervals "
        "and p-values, which hold for a fixed number of seeds, do not apply. "
    )


def _effects_table(effects: Sequence[Effect], analysis: Analysis, role: str) -> str:
    same_level = all(math.isclose(effect.level, 0.95) for effect in effects)
    columns = [name.format(level="95 % interval" if same_level else "interval") for name in COLUMNS]
    columns[_SEEDS] = analysis.study.protocol.replicates
    columns[0] += f" ({role}: {escape(analysis.study.metric.label)})" if role else ""
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [_row(effect, digits, same_level) for effect in effects[:MOST_ROWS]]
    if any(effect.evidence.extended for effect in effects):
        columns.insert(_AFTER_INTERVALS, "95 % interval for added seeds")
        for cells, effect in zip(rows, effects, strict=False):
            cells.insert(_AFTER_INTERVALS, interval(*effect.interval, digits))
    return table(columns, rows, numeric=range(1, len(columns) - 1))


def _row(effect: Effect, digits: int, same_level: bool) -> list[str]:
    bounds = interval(effect.ci_low, effect.ci_high, digits)
    if not same_level and bounds != DASH:
        bounds += f" ({100 * effect.level:.4g} %)"
    return [
        code(effect.variant),
        repetitions(effect),
        spread(effect.baseline_mean, effect.baseline_sd, digits),
        spread(effect.variant_mean, effect.variant_sd, digits),
        signed(effect.delta, digits),
        bounds,
        interval(effect.fw_low, effect.fw_high, digits),
        escape(corrected(effect.p_holm, effect)),
        escape(corrected(effect.p_tost_holm, effect)),
        plain(effect.p_improve, 2),
        detectable(effect, digits),
        escape(effect.verdict),
    ]


def console_table(analysis: Analysis) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of the results for the terminal, as plain text: the lowest differences of many."""
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    columns = [
        "variant",
        "verdict",
        "difference",
        analysis.interval_name,
        "p (Holm)",
        analysis.study.protocol.replicates,
        "reference",
    ]
    rows = [
        [
            effect.variant,
            effect.verdict,
            signed(effect.delta, digits),
            interval(*effect.verdict_interval, digits),
            corrected(effect.p_holm, effect),
            repetitions(effect) if effect.evidence.paired.is_unpaired else str(effect.n),
            effect.reference,
        ]
        for effect in analysis.headline[:MOST_ROWS]
    ]
    return columns, rows
