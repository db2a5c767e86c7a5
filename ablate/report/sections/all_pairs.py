"""All pairs of unpaired variants by the test of Games and Howell."""

from __future__ import annotations

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, escape, table
from ablate.report.formats.numbers import digits_of, interval, probability, signed
from ablate.stats.effects import Effect
from ablate.stats.effects.games_howell import games_howell
from ablate.stats.effects.types import ALL_PAIRS

_COLUMNS = ("variant", "reference", "difference", "simultaneous 95 % interval", "p (Games-Howell)")
_WORDS = (
    "All pairs of unpaired runs: as a sensitivity analysis, the test of Games and Howell (1976), whose intervals and "
    "p-values hold for all pairs together. It does not affect the verdicts, which rest on Welch's test with Holm's "
    "correction: with few runs of many variants, Games and Howell's has more false findings than its level."
)


def all_pairs_part(analysis: Analysis) -> list[str]:
    """Return the test of all pairs of each component's levels, or of other variants; nothing for paired runs."""
    families: dict[str, list[Effect]] = {}
    for effect in analysis.compared:
        if ALL_PAIRS in effect.family and effect.evidence.paired.is_unpaired:
            families.setdefault(effect.family, []).append(effect)
    digits, parts = digits_of(analysis.study.metric, analysis.study.margin), list[str]()
    for among in families.values():
        arms = {arm for effect in among for arm in (effect.variant, effect.reference)}
        others = [row for row in analysis.compared if row.variant in arms and row.reference not in arms]
        rows = [
            [
                escape(row.effect.variant), escape(row.effect.reference), signed(row.effect.delta, digits),
                interval(row.low, row.high, digits), escape(probability(row.p)),
            ]
            for row in games_howell([*others, *among])[:MOST_ROWS]
        ]  # fmt: skip
        parts += [table(_COLUMNS, rows, numeric=range(2, 5))] if rows else []
    return [escape(_WORDS), *parts] if parts else []
