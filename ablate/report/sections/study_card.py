"""The study card and the main table."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import escape, table
from ablate.report.formats.numbers import (
    digits_of,
    duration,
    enumerated,
    plain,
)
from ablate.report.sections.head import runs_line
from ablate.stats.effects import detectable_effect_size
from ablate.wording import count


def card(analysis: Analysis) -> str:
    """What was fixed before, what was run, under what, and what it cost."""
    rows = [(escape(name), escape(text)) for name, text in facts(analysis)]
    return "## Study card\n\n" + table(["", ""], rows)


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """The lines of the study card."""
    study = analysis.study
    metric, counts = study.metric, study.counts
    better = "higher" if metric.goal == "max" else "lower"
    own = f"shown in {metric.own_unit}" if metric.own_unit else "shown in its own unit"
    shown = "shown in percent, differences in percentage points" if metric.in_points else own
    lines = [("Question", study.question)] if study.question else []
    lines += [
        ("Metric", f"{metric.label} ({better} is better; {shown})"),
        (
            "Margin",
            f"{metric.with_own_unit(f'{study.margin:g}')}{_points(study.margin) if metric.in_points else ''}: "
            "the smallest difference that matters",
        ),
        ("Design", _design(analysis)),
        ("Seeds", f"{enumerated([str(seed) for seed in study.seeds], 25)} ({len(study.seeds)})"),
        ("Power of so many seeds", _power(analysis)),
        ("Runs", runs_line(counts)),
    ]
    if counts.seconds is not None:
        lines.append(("Compute", f"{duration(counts.seconds)} of training in all, failed and repeated runs included"))
    return [*lines, *((name, text) for name, text in study.facts if text)]


def _points(number: float) -> str:
    return " point" if number == 1 else " points"


def _design(analysis: Analysis) -> str:
    study = analysis.study
    arms = study.design.shape[0] or study.runs["variant"].nunique()
    families: dict[str, int] = {}
    for effect in analysis.effects:
        families[effect.family] = families.get(effect.family, 0) + 1
    words = [f"{study.design_name or 'arms against a baseline'}, {count(arms, 'arm')}"]
    words += [f"{name}: {count(number, 'comparison')}, corrected together" for name, number in families.items()]
    return "; ".join(words)


def _power(analysis: Analysis) -> str:
    """What the planned seeds detect, with the SD that was seen: STATISTICS' MDE for the family's size."""
    effects = analysis.headline
    sds = sorted(effect.evidence.sd_difference for effect in effects if math.isfinite(effect.evidence.sd_difference))
    if not effects or not sds:
        return "not known before there are two seeds"
    planned, family = (
        max(effect.n_planned for effect in effects),
        max(effect.evidence.comparisons for effect in effects),
    )
    size = detectable_effect_size(planned, 0.05 / family)
    sd = sds[len(sds) // 2]
    metric = analysis.study.metric
    digits = digits_of(metric, analysis.study.margin)
    if math.isinf(size):
        return f"{count(planned, 'seed')} cannot detect differences below 10 SD among {family} comparisons"
    return (
        f"{count(planned, 'seed')} detect a true difference of {metric.with_own_unit(plain(size * sd, digits))} or "
        "more with probability .8 "
        f"(alpha .05/{family}; median SD of the paired differences, as seen: {plain(sd, digits)})"
    )
