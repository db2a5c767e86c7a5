"""The target: whether the mean of each variant is shown to be better than it."""

from __future__ import annotations

import math
from typing import Any

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, code, escape, table
from ablate.report.formats.numbers import DASH, digits_of, plain, probability, spread
from ablate.stats.effects.number_text import p_value
from ablate.stats.effects.target import NO_VARIATION, TOO_FEW, UNSTABLE, TargetResult
from ablate.wording import count

_COLUMNS = (
    "variant, target", "runs", "mean ± SD", "95 % bound of the mean", "p (Holm, one-sided)", "more runs", "result",
)  # fmt: skip
_REASONS = {
    TOO_FEW: "too few runs for a verdict",
    NO_VARIATION: "every run has the same score, so there is no test",
    UNSTABLE: "unstable runs have no finite score and there is no floor (--floor)",
}


def target_title(analysis: Analysis) -> str:
    """Return the target in words: `Target of 93 %`; empty without one."""
    study = analysis.study
    if study.target is None:
        return ""
    number = f"{round(study.target * study.metric.scale, 10):g}"
    return f"Target of {number}{' %' if study.metric.in_points else f' {study.metric.own_unit}'.rstrip()}"


def target_sentences(analysis: Analysis) -> list[str]:
    """Return a sentence per variant, those that reach the target first."""
    ordered = sorted(analysis.targets, key=lambda result: not result.is_reached)
    return [target_sentence(result, analysis) for result in ordered[:MOST_ROWS]]


def target_sentence(result: TargetResult, analysis: Analysis) -> str:
    """Return whether a variant reaches the target, by how sure this is, and how many more runs would show it."""
    study = analysis.study
    digits = digits_of(study.metric, study.margin)
    is_max = study.metric.goal == "max"
    *prefixes, verdict = result.verdict.split(": ")
    before = f"{', '.join(prefixes).capitalize()}: " if prefixes else ""
    lost = f", {result.n_unstable} of them unstable" if result.n_unstable else ""
    runs = f"{count(result.n, 'run')}{lost}"
    if verdict in _REASONS:
        return f"{before}Variant {result.variant}: {_REASONS[verdict]} ({runs})."
    mean, side = plain(result.mean, digits), "lower" if is_max else "upper"
    tested = f"{side} 95 % bound {plain(result.bound, digits)} ({runs}, one-sided p_Holm {p_value(result.p_holm)})"
    if result.is_reached:
        return f"{before}Variant {result.variant} reaches it: mean {mean}, {tested}."
    text = f"{before}Variant {result.variant} is not shown to reach it: mean {mean}, {tested}."
    target = (study.target or 0.0) * study.metric.scale
    if study.metric.better * (result.mean - target) <= 0:
        return f"{text} Its mean is not better than the target."
    if result.more is None:
        return f"{text} The number of further runs cannot be estimated from fewer than 5 runs."
    return f"{text} If its true mean is {mean}, {result.more.words_for('more runs')} would show it with probability .8."


def target_section(analysis: Analysis) -> str:
    """Return the section; empty without a target."""
    if not analysis.targets:
        return ""
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [
        [
            code(result.variant),
            str(result.n),
            spread(result.mean, result.sd, digits),
            plain(result.bound, digits),
            escape(probability(result.p_holm)) if math.isfinite(result.p) else DASH,
            result.more.words_for("").strip() if result.more else DASH,
            escape(result.verdict),
        ]
        for result in analysis.targets[:MOST_ROWS]
    ]
    side = "from below" if analysis.study.metric.goal == "max" else "from above"
    words = (
        f"All runs of each variant against the {target_title(analysis).lower()}: one-sided t-tests that the mean is "
        f"better, with Holm's correction over the variants. Bound: one-sided, {side}, of this variant alone. More "
        "runs: the number that would show it with probability .8 if the true mean is the observed one; the range is "
        "that of the 80 % interval of the SD."
    )
    return "\n\n".join([f"## {target_title(analysis)}", table(_COLUMNS, rows, numeric=range(1, 6)), escape(words)])


def target_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the rows of target.csv."""
    target = (analysis.study.target or 0.0) * analysis.study.metric.scale
    return [
        {
            "variant": row.variant, "target": target, "n": row.n, "n_unstable": row.n_unstable, "mean": row.mean,
            "sd": row.sd, "bound": row.bound, "p": row.p, "p_holm": row.p_holm,
            "more_low": row.more.low if row.more else None, "more_high": row.more.high if row.more else None,
            "verdict": row.verdict,
        }
        for row in analysis.targets
    ]  # fmt: skip
