"""Variants that differ in the level of one component, from a table of the levels of all variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.stats.effects.types import Comparison

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
    """Return a component at a level as text: "optimizer=adam", "no-augment", "with-mixup"."""
    switched = {"on": "with-", "off": "no-"}.get(str(level))
    name = factor.replace("_", "-")
    return f"{switched}{name}" if switched else f"{factor}={value_text(level)}"


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
        comparisons: The comparisons of a study. Those of arms that differ in several components are left out.
        levels: The level of each component by variant: one row per variant, one column per component.
    """
    rows = {str(name): row for name, row in zip(levels.index, levels.to_numpy(dtype=object).tolist(), strict=True)}
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for comparison in comparisons:
        arm, reference = rows.get(comparison.variant), rows.get(comparison.reference)
        if arm is None or reference is None:
            continue
        differing = [place for place, (one, other) in enumerate(zip(arm, reference, strict=True)) if one != other]
        if len(differing) == 1:
            key = str(levels.columns[differing[0]]), comparison.reference
            found.setdefault(key, {}).setdefault(comparison.variant, comparison)
    groups = []
    for (factor, name), members in found.items():
        place = list(map(str, levels.columns)).index(factor)
        variants = name, *members
        own = tuple(rows[variant][place] for variant in variants)
        if len(set(own)) == len(own) > 2:
            groups.append(LevelGroup(factor, own, variants, all(row.planned for row in members.values())))
    return [group for group in groups if not _is_part(group, groups)]


def _is_part(group: LevelGroup, groups: Sequence[LevelGroup]) -> bool:
    """Return whether an earlier or larger group contains all variants of a group, as all pairs of its levels do."""
    own, place = set(group.variants), groups.index(group)
    return any(
        own < set(other.variants) or (own == set(other.variants) and number < place)
        for number, other in enumerate(groups)
    )
