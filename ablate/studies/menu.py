"""How a menu is written: a factor is a function, its keyword defaults are its knobs, a setting is a value.

Everything that the command line, tracking, designs and tests know about a component is read off its declaration here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from ablate.errors import UsageError

Value = bool | int | float | str | None
Declared = TypeVar("Declared", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """Where a number may lie; `low` and `high` are included. Tuning searches `tune` (default: the whole range)."""

    low: float
    high: float
    log: bool = False
    tune: tuple[float, float] | None = None

    def check(self, name: str, value: Value) -> None:
        """Raise UsageError unless `value` lies in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise UsageError(f"{name} must lie between {self.low:g} and {self.high:g}, not {value}")


@dataclass(frozen=True)
class OneOf:
    """The words that a setting may take."""

    words: tuple[str, ...]

    def check(self, name: str, value: Value) -> None:
        """Raise UsageError unless `value` is one of the words."""
        if value not in self.words:
            raise UsageError(f"{name} must be one of {', '.join(self.words)}, not {value}")


@dataclass(frozen=True)
class Anything(Range):
    """Whatever the setting's type allows: no ends, and words as well."""

    low: float = -math.inf
    high: float = math.inf

    def check(self, name: str, value: Value) -> None:
        """Accept `value`."""


@dataclass(frozen=True)
class Setting:
    """A value that all arms of a study share; `default` fills in, `domain` checks, `tunable` says whether to search it.

    `before` is for a setting that was added later: the value that recipes had before it existed. At that value it is
    left out of a recipe's key, so that old runs stay valid. `said` is how a scale mentions it (`width {0}`), if at all.
    """

    name: str
    kind: type
    default: Value
    domain: Range | OneOf
    help: str
    optional: bool = False
    tunable: bool = False
    before: Value = ...  # type: ignore[assignment]  # Ellipsis: not a value, hence never equal to one
    said: str = ""

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


_ARTICLES = {int: "an integer", float: "a number", str: "a word", bool: "true or false"}


@dataclass(frozen=True)
class Factor:
    """One component of a recipe: what being on adds to a plan, and its knobs."""

    name: str
    add: Callable[..., Any]
    help: str
    knobs: tuple[Setting, ...]
    in_baseline: bool

    @property
    def words(self) -> str:
        """The name as prose: `batch norm`."""
        return self.name.replace("_", " ")

    @property
    def flag(self) -> str:
        """The name as a flag or label: `batch-norm`."""
        return self.name.replace("_", "-")


@dataclass(frozen=True)
class Menu(Mapping[str, Factor]):
    """The factors of a workload by name, in the order in which they are applied and listed."""

    factors: tuple[Factor, ...]

    def __getitem__(self, name: str) -> Factor:
        for factor in self.factors:
            if factor.name == name:
                return factor
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (factor.name for factor in self.factors)

    def __len__(self) -> int:
        return len(self.factors)

    @property
    def baseline(self) -> tuple[str, ...]:
        """The factors that are on in the baseline."""
        return tuple(factor.name for factor in self.factors if factor.in_baseline)

    def in_order(self, names: frozenset[str] | set[str]) -> tuple[str, ...]:
        """Return `names` in menu order."""
        return tuple(name for name in self if name in names)


class MenuWriter:
    """Collects factors as they are declared: `@menu.factor` for the baseline's, `@menu.candidate` for the others."""

    def __init__(self) -> None:
        self._factors: list[Factor] = []

    def factor(self, add: Declared) -> Declared:
        """Declare a factor that is on in the baseline."""
        self._factors.append(_declare(add, in_baseline=True))
        return add

    def candidate(self, add: Declared) -> Declared:
        """Declare a factor that is off unless asked for."""
        self._factors.append(_declare(add, in_baseline=False))
        return add

    def menu(self) -> Menu:
        """Return what was declared."""
        return Menu(tuple(self._factors))


def _declare(add: Callable[..., Any], *, in_baseline: bool) -> Factor:
    summary = inspect.cleandoc(add.__doc__ or "").split("\n", 1)[0].rstrip(".")
    hints = get_type_hints(add, include_extras=True, localns={"Plan": object})
    knobs = tuple(
        _knob(f"{add.__name__}.{parameter.name}", hints[parameter.name], parameter.default)
        for parameter in inspect.signature(add).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )
    return Factor(add.__name__, add, summary, knobs, in_baseline)


def _knob(name: str, hint: Any, default: Value) -> Setting:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"knob {name} needs its range beside it: Annotated[float, Range(low, high)]")
    kind, domain, *_ = get_args(hint)
    return Setting(name, kind, default, domain, help=f"default {default}", tunable=True)
