"""Variants that differ in the level of one component, from a table of the levels of all variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.stats.effects.types import Comparison
from ablate.wording import level_name

if TYPE_CHECKING:
    import pandas as pd

Level = str | int | float | bool
"""The level of a component: a name, a number, or "on" or "off"."""


def value_text(level: Level) -> str:
    """Return a level as text, numbers in their shortest form: "muon", "0.03", "1e-05"."""
    if isinstance(level, float):
        short = f"{level:g}"
        return short if float(short) == level else repr(level)
    return str(level)


def level_text(factor: str, level: Level) -> str:
    """Return a component at a level as text: "optimizer=adam", "no-augment", "with-mixup", "lr=0.03+epochs=8"."""
    switched = {"on": "with-", "off": "no-"}.get(str(level))
    name = factor.replace("_", "-")
    return f"{switched}{name}" if switched else level_name(factor, value_text(level))


@dataclass(frozen=True)
class LevelGroup:
    """Variants that differ in one component only.

    Attributes:
        factor: The component.
        levels: Its levels, that of the reference first.
        variants: The variant of each level, the reference first.
        planned: Whether all comparisons with the reference were fixed before the runs.
    """

    factor: str
    levels: tuple[Level, ...]
    variants: tuple[str, ...]
    planned: bool = True

    @property
    def reference(self) -> str:
        """The variant that the others are compared with."""
        return self.variants[0]

    @property
    def is_numeric(self) -> bool:
        """Whether the levels are numbers, so that they have an order."""
        return all(isinstance(level, int | float) and not isinstance(level, bool) for level in self.levels)

    def ascending(self) -> LevelGroup:
        """Return the group with its levels in ascending order."""
        pairs = sorted(zip(self.levels, self.variants, strict=True), key=lambda pair: float(pair[0]))
        return LevelGroup(self.factor, tuple(one for one, _ in pairs), tuple(name for _, name in pairs), self.planned)


def level_groups(comparisons: Sequence[Comparison], levels: pd.DataFrame) -> list[LevelGroup]:
    """Return the groups of at least three variants that are compared with one reference and differ in one component.

    Args:
        comparisons: The comparisons of a study. Those without levels are left out.
        levels: The level of each component by variant: one row per variant, one column per component.
    """
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for row in comparisons:
        if row.level and row.factor in levels.columns and {row.variant, row.reference} <= set(levels.index):
            found.setdefault((row.factor, row.reference), {}).setdefault(row.variant, row.planned)
    groups = []
    for (factor, reference), planned in found.items():
        variants = reference, *planned
        own = tuple(levels.loc[list(variants), factor].tolist())
        if len(set(own)) == len(own) > 2:
            groups.append(LevelGroup(factor, own, variants, all(planned.values())))
    return [group for group in groups if not _is_part(group, groups)]


def _is_part(group: LevelGroup, groups: Sequence[LevelGroup]) -> bool:
    """Return whether an earlier or larger group contains all variants of a group, as all pairs of its levels do."""
    own, place = set(group.variants), groups.index(group)
    return any(
        own < set(other.variants) or (own == set(other.variants) and number < place)
        for number, other in enumerate(groups)
    )


def synergy_variants(levels: pd.DataFrame, baseline: str) -> dict[str, list[str]]:
    """Return the variants with both, one, the other and neither of each two levels at the baseline that have all four.

    Args:
        levels: The level of each component by variant: one row per variant, one column per component.
        baseline: The variant with neither.
    """
    rows = {str(name): tuple(row) for name, row in zip(levels.index, levels.to_numpy(dtype=object), strict=True)}
    if baseline not in rows:
        return {}
    own, names = rows[baseline], {row: name for name, row in reversed(rows.items())}
    found = {}
    for name, row in rows.items():
        differing = [place for place, (level, base) in enumerate(zip(row, own, strict=True)) if level != base]
        if len(differing) != 2:
            continue
        singles = [(*own[:place], row[place], *own[place + 1 :]) for place in differing]
        if all(single in names for single in singles):
            term = " x ".join(level_text(str(levels.columns[place]), row[place]) for place in differing)
            found[term] = [name, *(names[single] for single in singles), baseline]
    return found
