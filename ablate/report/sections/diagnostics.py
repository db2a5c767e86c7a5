"""Diagnostics: incomplete runs, and the comparisons under other tests."""

from __future__ import annotations

import math

from ablate.report.analysis import Analysis
from ablate.report.effect_rows import comparison_names
from ablate.report.formats.markdown_text import MOST_ROWS, bullets, escape, table
from ablate.report.formats.numbers import DASH, digits_of, interval, plain, probability, signed
from ablate.report.sections.all_pairs import all_pairs_part
from ablate.report.sections.head import incomplete_lines
from ablate.report.sections.partly_paired import partly_paired_part
from ablate.stats.effects import Effect, sign_flip_can_reach, smallest_sign_flip_p
from ablate.stats.effects.pairing import NO_VALUE
from ablate.stats.effects.sign_flip import MAX_SEEDS_EXACT_FLIPS

_COLUMNS = (
    "variant",
    "rho",
    "p, paired t",
    "p, Welch (unpaired)",
    "p, sign-flip ({flips})",
    "P(improve), Wilson 95 %",
    "difference without unstable runs",
)


def diagnostics(analysis: Analysis) -> str:
    """Return the section; empty if there is neither an incomplete run nor a comparison to test."""
    incomplete = [*incomplete_lines(analysis.study), *_without_value(analysis)]
    parts = ["## Diagnostics", *([bullets(map(escape, incomplete))] if incomplete else [])]
    effects = [effect for effect in analysis.headline if effect.n > 1 and not effect.evidence.paired.is_unpaired]
    if effects:
        names = comparison_names(effects)[:MOST_ROWS]
        rows = [_sensitivity(name, effect, analysis) for name, effect in zip(names, effects, strict=False)]
        words = (
            "Sensitivity: the primary analysis is the paired t-test, chosen beforehand. The other tests show how much "
            "the results depend on this choice. These p-values are not corrected for multiple comparisons."
        )
        if analysis.study.protocol.replicates == "folds":
            words = (
                "The p-value is that of the corrected resampled t-test, not corrected for multiple comparisons. Other "
                "tests need independent repetitions, which folds are not."
            )
        few = max(effect.n for effect in effects) <= MAX_SEEDS_EXACT_FLIPS
        flips = "exact" if few else f"exact up to {MAX_SEEDS_EXACT_FLIPS} seeds"
        columns = [name.format(flips=flips) for name in _COLUMNS]
        parts += [escape(words), table(columns, rows, numeric=range(1, 7))]
    parts += [*partly_paired_part(analysis), *all_pairs_part(analysis)]
    flipped = [effect for effect in effects if not math.isnan(effect.p_signflip)]
    unreachable = [effect.n for effect in flipped if not sign_flip_can_reach(effect.n, effect.evidence.comparisons)]
    if unreachable:
        seeds = max(unreachable)
        words = (
            f"The sign-flip test cannot reach significance at this n: its smallest p with {seeds} seeds is "
            f"{smallest_sign_flip_p(seeds):.3g}, which is above .05 divided by the number of comparisons."
        )
        parts.append(escape(words))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _without_value(analysis: Analysis) -> list[str]:
    counts = {effect.variant: effect.evidence.paired.excluded.get(NO_VALUE, 0) for effect in analysis.compared}
    return [f"{variant}: {number} finished {NO_VALUE}" for variant, number in counts.items() if number]


def _has_unstable_runs(effect: Effect) -> bool:
    return bool(effect.n_unstable or effect.evidence.paired.reference_unstable)


def _sensitivity(name: str, effect: Effect, analysis: Analysis) -> list[str]:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    return [
        escape(name),
        plain(effect.rho, 2),
        escape(probability(effect.p)),
        escape(probability(effect.p_welch)),
        escape(probability(effect.p_signflip)),
        f"{plain(effect.p_improve, 2)} {interval(effect.improve_low, effect.improve_high, 2)}",
        signed(effect.delta_survivors, digits) if _has_unstable_runs(effect) else DASH,
    ]
