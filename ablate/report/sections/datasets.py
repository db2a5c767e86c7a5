"""Several data sets: effects over all of them, in sentences and as a table, and average ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ablate.report.analysis import Analysis
from ablate.report.dataset_analysis import ranks_of
from ablate.report.formats.markdown_text import MOST_ROWS, code, escape, table
from ablate.report.formats.numbers import digits_of, interval, plain, probability, signed
from ablate.report.plots.render import Plot
from ablate.report.sections.plots import plots_in
from ablate.stats.effects import Verdict, sentence
from ablate.stats.effects.datasets import FEW_DATASETS, PooledEffect
from ablate.stats.effects.number_text import p_value
from ablate.wording import count, listed

TITLE = "Over the data sets"
_COLUMNS = (
    "variant, all data sets", "data sets", "mean difference", "95 % interval", "family-wise interval", "p (Holm)",
    "p TOST (Holm)", "prediction for a new data set", "largest p", "verdict",
)  # fmt: skip
_WORDS = (
    "Mean difference: the unweighted mean of the mean differences on the data sets. Its interval has k - 1 degrees of "
    "freedom for k data sets, however many seeds each has: it applies to data sets like these. Prediction: 95 % "
    "interval of the difference on a new data set. Largest p: that of the data sets, uncorrected; below .05 there is a "
    "difference on every one (intersection-union test). Holm's correction is over the variants."
)


def pooled_sentence(pooled: PooledEffect, analysis: Analysis) -> str:
    """Return the verdict over the data sets, the prediction for a new one, and what holds on every one."""
    effect, study = pooled.effect, analysis.study
    digits = digits_of(study.metric, study.margin)
    number = count(len(pooled.datasets), "data set")
    parts = [sentence(effect, study.metric, f"averaged over {number}" if pooled.datasets else "")]
    if pooled.missing:
        parts.append(f"Not compared on {listed(pooled.missing)}, where the variant or the baseline has no runs.")
    if math.isfinite(pooled.prediction[0]) and effect.evidence.rule is not Verdict.TOO_FEW:
        parts.append(f"A new data set: {interval(*pooled.prediction, digits)} (95 % prediction interval).")
    if pooled.sign_on_every:
        side = "higher" if pooled.sign_on_every > 0 else "lower"
        parts.append(f"It is {side} on every data set (largest p {p_value(pooled.p_every)}).")
    elif len(pooled.datasets) > 1:
        parts.append("A difference of one sign on every data set is not shown.")
    return " ".join(parts)


def pooled_sentences(analysis: Analysis) -> list[str]:
    """Return a sentence per variant; empty for a study with one data set."""
    return [pooled_sentence(pooled, analysis) for pooled in analysis.pooled[:MOST_ROWS]]


def verdict_of(pooled: PooledEffect) -> str:
    """Return the verdict over the data sets."""
    return pooled.effect.verdict.replace(Verdict.TOO_FEW, "too few data sets")


def datasets_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """Return the section; empty for a study with one data set."""
    if not analysis.pooled:
        return ""
    parts = [
        "## Over the data sets",
        _table(analysis, ""),
        escape(_WORDS),
        *_ranks(analysis),
        *plots_in(plots, "ranks"),
    ]
    for other in analysis.secondary:
        parts += [f"### {code(other.study.metric.name)} over the data sets, secondary", _table(other, "secondary")]
    return "\n\n".join(parts)


def _table(analysis: Analysis, role: str) -> str:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [
        [
            code(pooled.effect.variant),
            str(len(pooled.datasets)),
            signed(pooled.effect.delta, digits),
            interval(pooled.effect.ci_low, pooled.effect.ci_high, digits),
            interval(pooled.effect.fw_low, pooled.effect.fw_high, digits),
            escape(probability(pooled.effect.p_holm)),
            escape(probability(pooled.effect.p_tost_holm)),
            interval(*pooled.prediction, digits),
            escape(probability(pooled.p_every)),
            escape(verdict_of(pooled)),
        ]
        for pooled in analysis.pooled[:MOST_ROWS]
    ]
    columns = list(_COLUMNS)
    columns[0] += f" ({role}: {escape(analysis.study.metric.label)})" if role else ""
    return table(columns, rows, numeric=range(1, len(columns) - 1))


def _ranks(analysis: Analysis) -> list[str]:
    """Return the tests of ranks, which need ten data sets, as a sensitivity analysis."""
    parts = []
    signed_ranks = [
        f"{pooled.effect.variant} p {p_value(pooled.p_wilcoxon)}"
        for pooled in analysis.pooled[:MOST_ROWS]
        if math.isfinite(pooled.p_wilcoxon)
    ]
    if signed_ranks:
        parts.append(
            f"Wilcoxon's signed ranks against {analysis.study.baseline}, uncorrected: {', '.join(signed_ranks)}."
        )
    ranks = ranks_of(analysis.study)
    if ranks is not None:
        words = ", ".join(f"{name} {plain(rank, 2)}" for name, rank in list(ranks.ranks.items())[:MOST_ROWS])
        parts.append(
            f"Average ranks over {ranks.n} data sets, 1 is the best: {words}. Friedman's test: p "
            f"{p_value(ranks.p_friedman)}. Two variants differ if their ranks differ by more than "
            f"{plain(ranks.critical_difference, 2)} (Nemenyi's test at level .05; Demsar, 2006)."
        )
    elif not signed_ranks:
        parts.append(f"Tests of ranks need at least {FEW_DATASETS} data sets.")
    return [escape(" ".join(parts))]


_POOLED_COLUMNS = (
    "variant", "reference", "n", "delta", "ci_low", "ci_high", "fw_low", "fw_high", "p", "p_holm", "margin", "p_tost",
    "p_tost_holm", "mde",
)  # fmt: skip


def pooled_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the rows of datasets.csv, those of secondary metrics included."""
    rows = []
    for one, role in [(analysis, "primary"), *((other, "secondary") for other in analysis.secondary)]:
        for pooled in one.pooled:
            effect = pooled.effect
            rows.append(
                {name: getattr(effect, name) for name in _POOLED_COLUMNS}
                | {
                    "sd": effect.evidence.sd_difference,
                    "prediction_low": pooled.prediction[0],
                    "prediction_high": pooled.prediction[1],
                    "p_every": pooled.p_every,
                    "p_wilcoxon": pooled.p_wilcoxon,
                    "missing": ", ".join(pooled.missing),
                    "verdict": verdict_of(pooled),
                    "metric": one.study.metric.name,
                    "role": role,
                }
            )
    return rows
