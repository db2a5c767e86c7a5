"""The arms of a study and the components in which they differ: factors, and names whose values are varied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.studies.settings import Value, switch_text, value_text

Level = Value | tuple[Value, ...]
"""A value, or those of several names that change together."""


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
        name: The factor, or the setting or hyperparameter whose value is varied; of values that change together, all
            names: `lr+batch_size`.
        levels: The values, the baseline's first, each a tuple for values that change together; empty for a factor,
            which is on or off.
        zipped: The names of values that change together.
        switches: Those of `zipped` that are factors, which are on (True) or off.
    """

    name: str
    levels: tuple[Level, ...] = ()
    zipped: tuple[str, ...] = ()
    switches: frozenset[str] = frozenset()

    @property
    def is_factor(self) -> bool:
        """Whether the component is a factor that is on or off."""
        return not self.levels

    @property
    def names(self) -> tuple[str, ...]:
        """The factors, settings and hyperparameters that the component changes."""
        return self.zipped or (self.name,)

    @property
    def size(self) -> int:
        """The number of levels."""
        return len(self.levels) or 2

    def values(self, level: int) -> dict[str, Value]:
        """Return the value of each name at a level: 0 is the first."""
        own = self.levels[level]
        return dict(zip(self.names, own if isinstance(own, tuple) else (own,), strict=True))

    def changes(self, level: int) -> dict[str, Value]:
        """Return the names whose values at a level differ from those at the first, and these values."""
        first = self.values(0)
        return {name: value for name, value in self.values(level).items() if value != first[name]}

    @property
    def plain_levels(self) -> list[Value]:
        """The levels as plain values; those of values that change together as texts."""
        return [self.text(level) if isinstance(own, tuple) else own for level, own in enumerate(self.levels)]

    def at(self, arm: Arm, level: int) -> Arm:
        """Return `arm`, which has the first level of this component, at another level: 0 is the first."""
        if self.is_factor:
            return arm.flip(self.name) if level else arm
        for name, value in self.changes(level).items():
            arm = arm.flip(name) if name in self.switches else arm.with_value(name, value)
        return arm

    def has(self, arm: Arm, level: int) -> bool:
        """Return whether an arm has this level."""
        own = self._values_of(arm)
        return all(own[name] == value for name, value in self.values(level).items())

    def level_of(self, arm: Arm) -> str:
        """Return the level of an arm as text: on or off, or the value."""
        if self.is_factor:
            return switch_text(self.name in arm.on)
        return self._text(self._values_of(arm))

    def _values_of(self, arm: Arm) -> dict[str, Value]:
        return {**self.values(0), **dict(arm.values), **{name: name in arm.on for name in self.switches}}

    def text(self, level: int) -> str:
        """Return a level as text; empty for a factor, whose changes have words of their own."""
        return "" if self.is_factor else self._text(self.values(level))

    def _text(self, values: Mapping[str, Value]) -> str:
        """Return a value as text; with their names, those that change together: `lr=0.03+batch_size=128`."""
        if not self.zipped:
            return value_text(values[self.name])
        words = {name: switch_text(values[name]) for name in self.switches}
        return "+".join(f"{name}={words.get(name) or value_text(values[name])}" for name in self.zipped)


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
