"""The plots of components with levels: differences by value, and interactions of a factorial design."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.analysis import Analysis
from ablate.report.main_effects import AVERAGED
from ablate.report.plots.render import Plot
from ablate.report.plots.units import MOST_PANELS, axis_of, unit_of
from ablate.stats.effects import Effect
from ablate.stats.effects.types import ALL_PAIRS
from ablate.stats.levels.coding import term_text
from ablate.stats.levels.groups import value_text
from ablate.wording import in_words, short_level

if TYPE_CHECKING:
    from ablate.stats.levels.factorial import LevelFactorial


def level_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the plots of components with levels."""
    yield from dose_response_plots(analysis)
    yield from interaction_plots(analysis)


def interaction_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the means of the combinations of levels of each estimable pair, those with the smallest p first."""
    factorial = analysis.levels.factorial
    if factorial is None:
        return
    order = [test.term for test in sorted(analysis.levels.interactions, key=lambda test: test.p)]
    terms = {term_text(term): term for term in factorial.model.terms if len(term) == 2}
    pairs = [_cells(factorial, terms[name]) for name in order if name in terms][:MOST_PANELS]
    if not pairs or any(math.isnan(mean) for pair in pairs for row in pair["means"] for mean in row):
        return
    caption = f"Mean scores {AVERAGED}. Parallel lines: no interaction of the two components."
    if any(test.aliases for test in analysis.levels.interactions):
        caption += " Pairs may be aliased with others, see the table of aliases."
    description = "Mean score of the combinations of the levels of each pair"
    arguments = {"pairs": pairs, "metric": f"{axis_of(analysis)}, averaged"}
    yield Plot("level_interactions", "interactions.png", description, caption, "level_interactions", arguments)


def _cells(factorial: LevelFactorial, pair: tuple[str, ...]) -> dict[str, Any]:
    """Return the mean of each combination of levels; lines are those of the component with fewer levels."""
    levels = factorial.design.levels
    swapped = len(levels[pair[0]]) > len(levels[pair[1]])
    lines, places = (pair[1], pair[0]) if swapped else pair
    rows, columns = _in_order(levels[lines]), _in_order(levels[places])

    def mean(row: int, column: int) -> float:
        return float(factorial.fit.cell(pair, *((column, row) if swapped else (row, column))).mean())

    return {
        "first": in_words(lines),
        "second": in_words(places),
        "lines": [short_level(lines, value_text(levels[lines][row])) for row in rows],
        "places": [short_level(places, value_text(levels[places][column])) for column in columns],
        "means": [[mean(row, column) for column in columns] for row in rows],
    }


def _in_order(levels: Sequence[Any]) -> list[int]:
    """Return the places of levels in the order of a figure: numbers by size, others as declared."""
    values = [_number(value_text(level)) for level in levels]
    numbers = [value for value in values if value is not None]
    return sorted(range(len(levels)), key=numbers.__getitem__) if len(numbers) == len(levels) else [*range(len(levels))]


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
        "based; thick line: 95 % interval of this comparison alone; dots: individual seeds. Grey band: the margin. The "
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
