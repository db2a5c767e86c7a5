"""The verdicts: a narrow table with the interval that decides, and how each verdict is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, bold, bullets, code, escape, table
from ablate.report.formats.numbers import digits_of, interval, signed
from ablate.report.main_effects import AVERAGED, FAMILY
from ablate.stats.effects import Effect, Verdict
from ablate.stats.effects.types import ALPHA
from ablate.wording import count

_RULES = (
    (Verdict.LOSS, "the interval is on the side of worse scores, and wholly beyond the margin"),
    (Verdict.GAIN, "the interval is on the side of better scores, and wholly beyond the margin"),
    (Verdict.NEGLIGIBLE, "there is a difference (p < .05), and it is within the margin (equivalence test, p < .05)"),
    (Verdict.NO_EFFECT, "the difference is within the margin (equivalence test, p < .05)"),
    (Verdict.UNRESOLVED, "there is a difference (p < .05), but it may be within the margin or beyond it"),
    (Verdict.INCONCLUSIVE, "the runs are compatible with no difference and with one that matters"),
    (Verdict.UNRELIABLE, "more of its runs diverge than those of the reference (Boschloo's exact test, p < .05)"),
)
"""The rule of each verdict, in the order in which they are tried."""

_PREFIXES = (
    ("preliminary", "3 or 4 seeds only"),
    ("exploratory", "nothing shows that the comparison was planned before its runs"),
    ("optimistic", "settings were chosen on the test set"),
    ("unpaired", "runs are not paired by seed: Welch's t-test of all runs"),
    ("screening", "the effect may be that of a pair of other components"),
)


def verdicts_section(analysis: Analysis) -> str:
    """Return the section: one table per reference, and one for main effects."""
    groups: dict[str, list[Effect]] = {}
    for effect in sorted(analysis.effects, key=lambda row: (math.isnan(row.delta), row.delta)):
        heading = bold(AVERAGED.capitalize()) if effect.family == FAMILY else f"Against {code(effect.reference)}:"
        groups.setdefault(heading, []).append(effect)
    parts = ["## Verdicts", escape(_interval_words(analysis))]
    only_baseline = list(groups) == [f"Against {code(analysis.study.baseline)}:"]
    for heading, effects in groups.items():
        parts += [] if only_baseline else [heading]
        parts.append(_table(effects, analysis))
        if len(effects) > MOST_ROWS:
            parts.append(f"The {MOST_ROWS} lowest differences; all {len(effects)} are in `effects.csv`.")
    rules = _rules(analysis.effects)
    return "\n\n".join([*parts, *([bullets(rules)] if rules else [])])


def _interval_words(analysis: Analysis) -> str:
    """Explain the interval of the table."""
    family = max((effect.evidence.comparisons for effect in analysis.headline), default=1)
    levels = {round(100 * effect.level, 6) for effect in analysis.headline}
    level = f"{levels.pop():g} %" if len(levels) == 1 else "the level of the last look"
    together = f" for all {count(family, 'comparison')} together" if family > 1 else ""
    name = analysis.interval_name.capitalize()
    words = f"{name}: the differences that are compatible with the runs, at {level}{together}. It decides the verdict."
    if any(effect.p_holm < ALPHA and effect.fw_low <= 0 <= effect.fw_high for effect in analysis.headline):
        words += (
            " Holm's test, which decides whether there is a difference at all, is sharper and can find one where this "
            "interval contains 0."
        )
    return words


def _table(effects: Sequence[Effect], analysis: Analysis) -> str:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [
        [
            code(effect.variant),
            escape(effect.verdict),
            signed(effect.delta, digits),
            interval(*effect.verdict_interval, digits),
        ]
        for effect in effects[:MOST_ROWS]
    ]
    return table(["variant", "verdict", "difference", analysis.interval_name], rows, numeric=(2, 3))


def _rules(effects: Sequence[Effect]) -> list[str]:
    """Return how the verdicts in use are reached, as Markdown."""
    used = {effect.evidence.rule for effect in effects}
    prefixes = {word for effect in effects for word in effect.verdict.split(": ")[:-1]}
    return [
        *(f"{bold(rule)}: {escape(words)}." for rule, words in _RULES if rule in used),
        *(f"{bold(word)}: {words}." for word, words in _PREFIXES if word in prefixes),
    ]
