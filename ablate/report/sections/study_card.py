"""The study card and the main table."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import escape, table
from ablate.report.formats.numbers import (
    digits_of,
    duration,
    listed,
    plain,
)
from ablate.report.sections.answer import runs_line
from ablate.stats.effects import detectable_effect_size
from ablate.wording import count


def card(found: Analysis) -> str:
    """What was fixed before, what was run, under what, and what it cost."""
    rows = [(escape(name), escape(text)) for name, text in facts(found)]
    return "## Study card\n\n" + table(["", ""], rows)


def facts(found: Analysis) -> list[tuple[str, str]]:
    """The lines of the study card."""
    material = found.material
    metric, account = material.metric, material.account
    better = "higher" if metric.goal == "max" else "lower"
    own = f"shown in {metric.own_unit}" if metric.own_unit else "shown in its own unit"
    shown = "shown in percent, differences in percentage points" if metric.in_points else own
    lines = [("Question", material.question)] if material.question else []
    lines += [
        ("Metric", f"{metric.words} ({better} is better; {shown})"),
        (
            "Margin",
            f"{metric.with_own_unit(f'{material.margin:g}')}{_points(material.margin) if metric.in_points else ''}: "
            "the smallest difference that matters",
        ),
        ("Design", _design(found)),
        ("Seeds", f"{listed([str(seed) for seed in material.seeds], 25)} ({len(material.seeds)})"),
        ("Power of so many seeds", _power(found)),
        ("Runs", runs_line(account)),
    ]
    if account.seconds is not None:
        lines.append(("Compute", f"{duration(account.seconds)} of training in all, failed and repeated runs included"))
    return [*lines, *((name, text) for name, text in material.facts if text)]


def _points(number: float) -> str:
    return " point" if number == 1 else " points"


def _design(found: Analysis) -> str:
    material = found.material
    arms = material.design.shape[0] or material.runs["variant"].nunique()
    families: dict[str, int] = {}
    for effect in found.effects:
        families[effect.family] = families.get(effect.family, 0) + 1
    words = [f"{material.design_name or 'arms against a baseline'}, {count(arms, 'arm')}"]
    words += [f"{name}: {count(number, 'comparison')}, corrected together" for name, number in families.items()]
    return "; ".join(words)


def _power(found: Analysis) -> str:
    """What the planned seeds detect, with the SD that was seen: STATISTICS' MDE for the family's size."""
    effects = found.headline
    sds = sorted(effect.evidence.sd_difference for effect in effects if math.isfinite(effect.evidence.sd_difference))
    if not effects or not sds:
        return "not known before there are two seeds"
    planned, family = (
        max(effect.n_planned for effect in effects),
        max(effect.evidence.comparisons for effect in effects),
    )
    size = detectable_effect_size(planned, 0.05 / family)
    sd = sds[len(sds) // 2]
    metric = found.material.metric
    digits = digits_of(metric, found.material.margin)
    if math.isinf(size):
        return f"{count(planned, 'seed')} cannot detect differences below 10 SD among {family} comparisons"
    return (
        f"{count(planned, 'seed')} detect a true difference of {metric.with_own_unit(plain(size * sd, digits))} or "
        "more with probability .8 "
        f"(alpha .05/{family}; median SD of the paired differences, as seen: {plain(sd, digits)})"
    )
