"""The end of a report: diagnostics, limits, how to reproduce it, and a glossary."""

from __future__ import annotations

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, escape, table
from ablate.report.formats.numbers import DASH, digits_of, interval, plain, probability, signed
from ablate.report.sections.head import incomplete_lines
from ablate.report.sections.plots import MOST_ROWS
from ablate.stats.effects import Effect, sign_flip_can_reach


def diagnostics(analysis: Analysis) -> str:
    """Failures, sensitivity rows, and what other methods say."""
    parts = ["## Diagnostics"]
    failures = [*incomplete_lines(analysis.study), *_errors(analysis)]
    parts.append(bullets(map(escape, failures)) if failures else "Every run that is here ended well.")
    rows = [_sensitivity(effect, analysis) for effect in analysis.headline if effect.n > 1][:MOST_ROWS]
    if rows:
        columns = [
            "variant",
            "rho",
            "p, paired t",
            "p, Welch (unpaired)",
            "p, sign-flip (exact)",
            "P(improve), Wilson 95 %",
            "without unstable seeds",
        ]
        words = (
            "Sensitivity: the paired t test is the primary analysis, chosen beforehand. The others are shown so that a "
            "reader sees how much hangs on that choice; these p values are not corrected for the number of comparisons."
        )
        parts += [escape(words), table(columns, rows, numeric=range(1, 7))]
    unreachable = [effect for effect in analysis.headline if effect.n > 1 and not _reaches(effect)]
    if unreachable:
        seeds = max(effect.n for effect in unreachable)
        parts.append(
            escape(
                f"The sign-flip test cannot reach significance at this n: with {seeds} seeds its smallest p is "
                f"{2 / 2**seeds:.3g}, more than .05 divided by the size of the family."
            )
        )
    return "\n\n".join(parts)


def _errors(analysis: Analysis) -> list[str]:
    """Arms with results that do not enter, by reason."""
    lines = []
    for effect in analysis.compared:
        for reason, number in effect.evidence.paired.excluded.items():
            if reason == "without a value":
                lines.append(f"{effect.variant}: {number} finished, but without a value")
    return lines


def _reaches(effect: Effect) -> bool:
    return sign_flip_can_reach(effect.n, effect.evidence.comparisons)


def _sensitivity(effect: Effect, analysis: Analysis) -> list[str]:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    survivors = signed(effect.delta_survivors, digits) if effect.n_unstable else DASH
    return [
        escape(effect.variant),
        plain(effect.rho, 2),
        escape(probability(effect.p)),
        escape(probability(effect.p_welch)),
        escape(probability(effect.p_signflip)),
        f"{plain(effect.p_improve, 2)} {interval(effect.improve_low, effect.improve_high, 2)}",
        survivors,
    ]
