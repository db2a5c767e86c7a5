"""The study card: metric, margin, design, seeds, power, runs, cost and conditions."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import escape, table
from ablate.report.formats.numbers import digits_of, duration, enumerated, plain
from ablate.report.sections.head import runs_line
from ablate.stats.effects import Effect, detectable_effect_size
from ablate.stats.effects.types import ALL_PAIRS, ALPHA
from ablate.wording import count, ranges


def study_card(analysis: Analysis) -> str:
    """Return the section as a table of two columns."""
    rows = [(escape(name), escape(text)) for name, text in card_lines(analysis)]
    return "## Study card\n\n" + table(["", ""], rows)


def card_lines(analysis: Analysis) -> list[tuple[str, str]]:
    """Return the lines of the card: name and text."""
    study, metric = analysis.study, analysis.study.metric
    better = "higher" if metric.goal == "max" else "lower"
    unit = "in percent, differences in percentage points" if metric.in_points else metric.own_unit or "in its own unit"
    lines = [("Question", study.question)] if study.question else []
    lines += [
        ("Metric", f"{metric.label} ({better} is better; {unit})"),
        ("Margin", f"{metric.with_unit(f'{study.margin:g}')}, the smallest difference that matters"),
        ("Design", _design(analysis)),
        ("Seeds", f"{enumerated(ranges(study.seeds, ' to '), 25)} ({len(study.seeds)})"),
        ("Power", _power(analysis)),
        ("Runs", runs_line(study.counts)),
    ]
    if study.counts.seconds is not None:
        lines.append(("Compute", f"{duration(study.counts.seconds)} of training, failed and repeated runs included"))
    return [*lines, *((name, text) for name, text in study.facts if text)]


def _design(analysis: Analysis) -> str:
    study = analysis.study
    variants = max(study.design.shape[0], study.runs["variant"].nunique())  # a table may name no factors
    families: dict[str, list[Effect]] = {}
    for effect in analysis.effects:
        families.setdefault(effect.family, []).append(effect)
    words = [f"{study.design_name or 'variants against a baseline'}, {count(variants, 'variant')}"]
    for name, effects in families.items():
        counted = effects[0].evidence.comparisons
        with_baseline = f", with those against the baseline {counted}" if ALL_PAIRS in name else ""
        words.append(f"{name}: {count(len(effects), 'comparison')}{with_baseline} in one Holm family")
    return "; ".join(words)


def _power(analysis: Analysis) -> str:
    """Return the minimum detectable effect of the planned seeds, for the SD of these runs and the largest family."""
    effects, metric = analysis.headline, analysis.study.metric
    if not analysis.study.has_paired_seeds:
        return "see the minimum detectable effect (MDE) of each comparison under Results"
    sds = sorted(effect.evidence.sd_difference for effect in effects if math.isfinite(effect.evidence.sd_difference))
    if not sds:
        return "unknown below two seeds"
    planned = max(effect.n_planned for effect in effects)
    family = max(effect.evidence.comparisons for effect in effects)
    size, sd = detectable_effect_size(planned, ALPHA / family), sds[len(sds) // 2]
    seeds, digits = count(planned, "seed"), digits_of(metric, analysis.study.margin)
    if math.isinf(size):
        return f"{seeds} cannot detect differences below 10 SD among {count(family, 'comparison')}"
    return (
        f"{seeds} detect a true difference of {metric.with_own_unit(plain(size * sd, digits))} or more with "
        f"probability .8 (alpha .05/{family}; median SD of the paired differences: {plain(sd, digits)})"
    )
