"""The dose-response plot: differences by the value of a setting or hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ablate.report.analysis import Analysis
from ablate.report.plots.render import Plot
from ablate.report.plots.units import MOST_PANELS, unit_of
from ablate.stats.effects import Effect
from ablate.stats.effects.types import ALL_PAIRS


def dose_response_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the plot of the components whose levels are numbers, with at least three values."""
    groups: dict[tuple[str, str], list[Effect]] = {}
    for effect in analysis.headline:
        if _number(effect.evidence.factor_level) is not None and ALL_PAIRS not in effect.family:
            groups.setdefault((effect.factor, effect.reference), []).append(effect)
    chosen = [effects for effects in groups.values() if len(effects) > 1 and _is_numeric(effects)][:MOST_PANELS]
    if not chosen:
        return
    rows, seeds = [], {}
    for effect in (effect for effects in chosen for effect in effects):
        low, high = effect.interval
        fw_low, fw_high = effect.verdict_interval
        rows.append(
            effect.row()
            | {
                "value": _number(effect.evidence.factor_level),
                "reference_value": _number(effect.evidence.reference_level),
                "reference": _reference(effect),
                "ci_low": low, "ci_high": high, "fw_low": fw_low, "fw_high": fw_high,
            }
        )  # fmt: skip
        both = zip(effect.evidence.paired.variant, effect.evidence.paired.reference, strict=True)
        seeds[effect.variant, _reference(effect)] = [one - other for one, other in both]
    caption = (
        "Difference from the baseline's value (diamond). Thin line: family-wise interval, on which the verdict is "
        "based; thick line: 95 % interval of this comparison alone; dots: single seeds. Grey band: the margin. The "
        "line between values only guides the eye."
    )
    arguments = {
        "effects": rows, "margin": analysis.study.margin, "unit": unit_of(analysis), "seeds": seeds,
        "metric": analysis.study.metric.label,
    }  # fmt: skip
    yield Plot("dose_response", "dose-response.png", "Differences by value", caption, "dose_response", arguments)


def _is_numeric(effects: Sequence[Effect]) -> bool:
    texts = [text for effect in effects for text in (effect.evidence.factor_level, effect.evidence.reference_level)]
    return all(_number(text) is not None for text in texts)


def _number(text: str) -> float | None:
    """Return a level as a finite number; None for text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _reference(effect: Effect) -> str:
    """Return the reference; one name for the averages of all components."""
    return "baseline's value" if effect.evidence.paired.average else effect.reference
