"""The study card and the main table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.counting import count
from ablate.effects import Effect, detectable_effect_size
from ablate.report.analysis import Analysis
from ablate.report.answer import runs_line
from ablate.report.averages import FAMILY
from ablate.report.markup import code, escape, table
from ablate.report.numbers import (
    DASH,
    detectable,
    digits_of,
    duration,
    interval,
    listed,
    plain,
    probability,
    signed,
    spread,
)

MOST_ROWS = 60
COLUMNS = (
    "variant", "seeds", "reference, mean ± SD", "variant, mean ± SD", "difference", "{level}", "family-wise",
    "p (Holm)", "p TOST (Holm)", "P(improve)", "MDE", "verdict",
)  # fmt: skip


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


def main_tables(found: Analysis) -> str:
    """The main table, sorted by difference; a table each where arms have different references."""
    parts = ["## Results"]
    groups: dict[tuple[str, str], list[Effect]] = {}
    for effect in sorted(found.effects, key=lambda row: (math.isnan(row.delta), row.delta)):
        averaged = effect.family == FAMILY
        key = ("average over the other components", "") if averaged else ("against", effect.reference)
        groups.setdefault(key, []).append(effect)
    for (words, reference), effects in groups.items():
        if len(groups) > 1 or reference not in ("", found.material.baseline):
            parts.append(f"### {words.capitalize()} {code(reference) if reference else ''}".rstrip())
        parts.append(effects_table(effects, found))
        if len(effects) > MOST_ROWS:
            parts.append(f"The {MOST_ROWS} rows with the lowest difference; all {len(effects)} are in `effects.csv`.")
    metric = found.material.metric
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


def effects_table(effects: Sequence[Effect], found: Analysis) -> str:
    """Rows of the main table as Markdown."""
    same_level = all(math.isclose(effect.level, 0.95) for effect in effects)
    columns = [name.format(level="95 % interval" if same_level else "interval") for name in COLUMNS]
    digits = digits_of(found.material.metric, found.material.margin)
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


def console_rows(found: Analysis) -> tuple[list[str], list[list[str]]]:
    """The main table as plain cells, for the terminal."""
    digits = digits_of(found.material.metric, found.material.margin)
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
        for effect in found.headline
    ]
    return columns, rows
