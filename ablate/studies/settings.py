"""Settings and hyperparameters: a named value with a type, a default and a range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ablate.errors import UsageError
from ablate.wording import nearest

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Range:
    """The range of a number.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Whether tuning searches on a logarithmic scale.
        tune: The part of the range that tuning searches; by default the whole range.
    """

    low: float
    high: float
    log: bool = False
    tune: tuple[float, float] | None = None

    def check(self, name: str, value: Value) -> None:
        """Raise UsageError unless `value` is in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise UsageError(f"{name} must be between {self.low:g} and {self.high:g}, not {value}")


@dataclass(frozen=True)
class OneOf:
    """The words that a setting may take.

    Attributes:
        words: The words.
    """

    words: tuple[str, ...]

    def check(self, name: str, value: Value) -> None:
        """Raise UsageError unless `value` is one of the words."""
        if value not in self.words:
            near = nearest(str(value), self.words)
            hint = f". Did you mean {near!r}?" if near else ""
            raise UsageError(f"{name} must be one of {', '.join(self.words)}, not {value!r}{hint}")


@dataclass(frozen=True)
class Anything(Range):
    """Any value of the setting's type: unbounded numbers except NaN, and words as well."""

    low: float = -math.inf
    high: float = math.inf

    def check(self, name: str, value: Value) -> None:
        """Raise UsageError for NaN."""
        if isinstance(value, float) and math.isnan(value):
            raise UsageError(f"{name} must be a number, not nan")


@dataclass(frozen=True)
class Setting:
    """A named value: a setting, shared by all arms of a study, or a hyperparameter of a factor (`dropout.p`).

    `tunable` settings are searched by default when tuning. `optional` ones accept None, for no limit. `legacy_value` is
    for a setting that was added later: the value that recipes implied before it existed. At that value it is left out
    of a recipe's key, so that old runs stay valid. `requires` is for a setting that has an effect with some values of
    another one only: the name of the other, and these values. `scale_text` is its part of the description of a scale,
    if it has one: `width {0}`. `in_question` is for a factor with named levels, which a study compares by default.
    `purposes` explains values in a sentence or two, which reports print.
    """

    name: str
    kind: type
    default: Value
    domain: Range | OneOf
    help: str
    optional: bool = False
    tunable: bool = False
    legacy_value: Value = ...  # type: ignore[assignment]  # Ellipsis: not a value, hence never equal to one
    requires: tuple[str, tuple[Value, ...]] | None = None
    scale_text: str = ""
    in_question: bool = False
    purposes: Mapping[Value, str] = field(default_factory=dict, compare=False)

    @property
    def was_added_later(self) -> bool:
        """Whether recipes existed before it, which imply its `legacy_value`."""
        return self.legacy_value is not ...  # type: ignore[comparison-overlap]  # see its declaration

    def check(self, value: Value) -> Value:
        """Return `value` in this setting's type, or raise UsageError."""
        if value is None and self.optional:
            return None
        if self.kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not self.kind:
            raise UsageError(f"{self.name} must be {_ARTICLES[self.kind]}, not {value!r}")
        self.domain.check(self.name, value)
        return value


@dataclass(frozen=True)
class Details:
    """What a factor's function declares of a hyperparameter next to its range: these fields of its `Setting`."""

    help: str = ""
    legacy_value: Value = ...  # type: ignore[assignment]  # as that of Setting
    requires: tuple[str, tuple[Value, ...]] | None = None
    purposes: Mapping[Value, str] = field(default_factory=dict, compare=False)


_ARTICLES = {int: "an integer", float: "a number", str: "a word", bool: "true or false"}


def switch_text(is_on: Value) -> str:
    """Return the state of a factor as text: on or off."""
    return "on" if is_on else "off"


def value_text(value: Value) -> str:
    """Return a value as it is written on a command line and in the name of a variant: `0.03`, `all` for no limit."""
    if value is None:
        return "all"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
