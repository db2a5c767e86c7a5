"""The arms of a study and the components in which they differ: factors, and names whose values are varied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ablate.studies.settings import Value, value_text


@dataclass(frozen=True)
class Arm:
    """A variant of a study's baseline, without a seed.

    Attributes:
        on: The factors that are on.
        values: Settings and hyperparameters that differ from the baseline's, sorted by name.
        name: The name of an arm that the study names; empty for one that its difference names.
    """

    on: frozenset[str] = frozenset()
    values: tuple[tuple[str, Value], ...] = ()
    name: str = ""

    def flip(self, *factors: str) -> Arm:
        """Return the arm with other states of `factors`."""
        return replace(self, on=self.on ^ frozenset(factors))

    def without(self, factors: Iterable[str]) -> Arm:
        """Return the arm with `factors` off."""
        return replace(self, on=self.on - frozenset(factors))

    def with_value(self, name: str, value: Value) -> Arm:
        """Return the arm with another value of a setting or hyperparameter."""
        return replace(self, values=tuple(sorted({**dict(self.values), name: value}.items())))

    def without_values(self, names: Iterable[str]) -> Arm:
        """Return the arm with the baseline's values of `names`."""
        left_out = frozenset(names)
        return replace(self, values=tuple(pair for pair in self.values if pair[0] not in left_out))


@dataclass(frozen=True)
class Component:
    """A component in question.

    Attributes:
        name: The factor, or the setting or hyperparameter whose value is varied.
        levels: The values, the baseline's first; empty for a factor, which is on or off.
    """

    name: str
    levels: tuple[Value, ...] = ()

    @property
    def is_factor(self) -> bool:
        """Whether the component is a factor that is on or off."""
        return not self.levels

    @property
    def size(self) -> int:
        """The number of levels."""
        return len(self.levels) or 2

    def at(self, arm: Arm, level: int) -> Arm:
        """Return `arm`, which has the first level of this component, at another level: 0 is the first."""
        if level == 0:
            return arm
        return arm.flip(self.name) if self.is_factor else arm.with_value(self.name, self.levels[level])

    def level_of(self, arm: Arm) -> str:
        """Return the level of an arm as text: on or off, or the value."""
        if self.is_factor:
            return "on" if self.name in arm.on else "off"
        return value_text(dict(arm.values).get(self.name, self.levels[0]))

    def text(self, level: int) -> str:
        """Return a level as text; empty for a factor, whose changes have words of their own."""
        return "" if self.is_factor else value_text(self.levels[level])


@dataclass(frozen=True)
class PlannedContrast:
    """A planned comparison of an arm with a reference.

    Attributes:
        arm: The arm that is compared.
        reference: The arm that it is compared with.
        family: The family of comparisons that are corrected together.
        factor: The component in which they differ, if it is one.
        level: The arm's level of a component whose value is varied.
        reference_level: The reference's level of it.
    """

    arm: Arm
    reference: Arm
    family: str
    factor: str | None = None
    level: str = ""
    reference_level: str = ""


def factors_in_question(names: Iterable[str]) -> tuple[Component, ...]:
    """Return factors as components."""
    return tuple(map(Component, names))


def changes(corner: Arm, components: Sequence[Component], family: str) -> list[PlannedContrast]:
    """Return the contrasts of each other level of each component with an arm that has their first levels."""
    return [
        PlannedContrast(
            component.at(corner, level), corner, family, component.name, component.text(level), component.text(0)
        )
        for component in components
        for level in range(1, component.size)
    ]
