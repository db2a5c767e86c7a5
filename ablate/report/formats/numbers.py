"""Numbers and names in a report: decimals by the margin, a dash for missing numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.stats.effects import Effect, Verdict
from ablate.stats.effects.number_text import decimals_for, p_value
from ablate.stats.metric import Metric
from ablate.wording import fixed

DASH = "\N{EN DASH}"


def digits_of(metric: Metric, margin: float) -> int:
    """Return the number of decimals of differences and means."""
    return decimals_for(margin, metric)


def plain(value: float, digits: int) -> str:
    """Return a number, or a dash for NaN."""
    if math.isnan(value):
        return DASH
    return "infinite" if math.isinf(value) else fixed(value, digits)


def signed(value: float, digits: int) -> str:
    """Return a difference with its sign."""
    return plain(value, digits) if not math.isfinite(value) else fixed(value, digits, "+")


def spread(mean: float, sd: float, digits: int) -> str:
    """Return mean and standard deviation over seeds."""
    return DASH if math.isnan(mean) else plain(mean, digits) + (f" ± {plain(sd, digits)}" if math.isfinite(sd) else "")


def interval(low: float, high: float, digits: int) -> str:
    """Return an interval in brackets."""
    if math.isinf(low) and math.isinf(high):
        return "infinite"
    return DASH if math.isnan(low) or math.isnan(high) else f"[{plain(low, digits)}, {plain(high, digits)}]"


def probability(p: float) -> str:
    """Return a p-value: `< .001`, `.012`."""
    return DASH if math.isnan(p) else p_value(p).removeprefix("= ")


def corrected(p: float, effect: Effect) -> str:
    """Return a p-value of the difference after Holm's correction; a dash if the verdict is not about a difference.

    Without a test of the difference, it enters the correction as 1.
    """
    is_tested = effect.evidence.rule is not Verdict.UNRELIABLE and not math.isnan(effect.p)
    return probability(p) if is_tested else DASH


def detectable(effect: Effect, digits: int) -> str:
    """Return the minimum detectable effect."""
    return "not detectable" if math.isinf(effect.mde) else plain(effect.mde, digits)


def repetitions(effect: Effect) -> str:
    """Return the number of seeds, with the planned number if it is larger; of unpaired runs those of both variants."""
    paired = effect.evidence.paired
    if paired.is_unpaired:
        return f"{len(paired.seeds)} and {paired.n_reference}"
    return f"{effect.n} of {effect.n_planned}" if effect.n < effect.n_planned else str(effect.n)


def value_text(value: object) -> str:
    """Return the value of a hyperparameter, or a dash for None."""
    return DASH if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Return a time span with its unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def enumerated(names: Sequence[str], most: int = 12) -> str:
    """Return `a, b and c`; of a long list the first `most` names and the number of the others."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"
