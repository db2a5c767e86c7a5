"""The table of results for a paper: mean, difference with the interval that decides, verdict, and the best in bold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis
from ablate.report.best_arms import arm_means, best_arms
from ablate.report.formats.markdown_text import bold, code, escape, table
from ablate.report.formats.numbers import DASH, digits_of, interval, repetitions, signed, spread
from ablate.report.main_effects import AVERAGED, FAMILY
from ablate.stats.effects import Effect


@dataclass(frozen=True)
class PaperRow:
    """One arm, as text without markup. `is_best` marks the best mean and those that cannot be distinguished from it."""

    name: str
    n: str
    mean: str
    difference: str
    interval: str
    verdict: str
    is_best: bool = False


@dataclass(frozen=True)
class PaperTable:
    """The rows by heading (empty if there is one group), and the sentences of the caption.

    Attributes:
        groups: Heading and rows.
        interval_name: Name of the interval.
        caption: The metric, the numbers, the margin and the bold print, in sentences.
        scale: The scale at which the results hold.
    """

    groups: Sequence[tuple[str, Sequence[PaperRow]]]
    interval_name: str
    caption: str
    scale: str


def paper_table(analysis: Analysis) -> PaperTable:
    """Return the table of a study, sorted by difference, with the baseline first."""
    study = analysis.study
    best = best_arms(analysis)
    groups = dict[str, list[PaperRow]]()
    for effect in sorted(analysis.effects, key=lambda row: (math.isnan(row.delta), row.delta)):
        heading = f"{AVERAGED}:" if effect.family == FAMILY else f"against {effect.reference}:"
        groups.setdefault(heading, []).append(_row(effect, analysis, best))
    if baseline := _baseline_row(analysis, best):
        own = f"against {study.baseline}:"
        groups = {own: [baseline, *groups.pop(own)], **groups}
    shown = [(heading if len(groups) > 1 else "", rows) for heading, rows in groups.items()]
    return PaperTable(shown, analysis.interval_name, " ".join(_sentences(analysis, best)), study.scale)


def _row(effect: Effect, analysis: Analysis, best: Sequence[str]) -> PaperRow:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    is_arm = effect.family != FAMILY and effect.reference == analysis.study.baseline
    return PaperRow(
        name=effect.variant,
        n=repetitions(effect) if effect.evidence.paired.is_unpaired else str(effect.n),
        mean=spread(effect.variant_mean, effect.variant_sd, digits),
        difference=signed(effect.delta, digits) if effect.n else DASH,
        interval=interval(*effect.verdict_interval, digits),
        verdict=effect.verdict,
        is_best=is_arm and effect.variant in best,
    )


def _baseline_row(analysis: Analysis, best: Sequence[str]) -> PaperRow | None:
    name = analysis.study.baseline
    known = arm_means(analysis).get(name)
    if known is None:
        return None
    n, mean, sd = known
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    return PaperRow(name, str(n), spread(mean, sd, digits), "", "", "reference", name in best)


def _sentences(analysis: Analysis, best: Sequence[str]) -> Iterator[str]:
    study = analysis.study
    unit = "percentage points" if study.metric.in_points else study.metric.own_unit or "the metric's unit"
    better = "lower" if study.metric.goal == "min" else "higher"
    over = f"mean ± SD over {study.protocol.replicates}"
    yield f"{study.name}: {study.metric.label} ({unit}, {better} is better), {over}."
    yield f"Differences from the reference with the {analysis.interval_name}, which decides the verdict."
    yield f"Margin: {study.margin:g}."
    if best:
        others = "" if len(best) == 1 else " and the arms that do not differ from it by the tests of the verdicts"
        yield f"Bold: the best mean{others}."
    if analysis.main_effects:
        yield f"Main effects are {AVERAGED}."
    if sentence := account_for(analysis).sentence:
        yield sentence


def markdown_table(analysis: Analysis) -> str:
    """Return the table as Markdown that shows the verdict without scrolling, with its caption."""
    found = paper_table(analysis)
    columns = ["variant", "verdict", "mean ± SD", "difference", found.interval_name, analysis.study.protocol.replicates]
    parts = []
    for heading, rows in found.groups:
        cells = [
            [
                code(row.name), escape(row.verdict), bold(row.mean) if row.is_best else escape(row.mean),
                row.difference, row.interval, row.n,
            ]
            for row in rows
        ]  # fmt: skip
        parts += [escape(heading)] if heading else []
        parts.append(table(columns, cells, numeric=(2, 3, 4, 5)))
    return "\n\n".join([*parts, f"*{escape(found.caption)} {escape(found.scale)}.*"]) + "\n"
