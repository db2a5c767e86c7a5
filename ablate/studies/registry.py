"""The registry of factors: a factor is declared as a function whose keyword defaults are its hyperparameters.

The command line, tracking, designs, reports and tests read all that they need to know of a factor from its declaration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from ablate.studies.settings import Details, Range, Setting, Value

Declared = TypeVar("Declared", bound=Callable[..., Any])


@dataclass(frozen=True)
class Factor:
    """One component of a recipe, switched on or off.

    `add` adds it to a training plan. `caveat` is a sentence that reports print with the effect of the factor. `purpose`
    is a paragraph for students, which reports print too. `requires` is for a factor that has an effect with some values
    of a setting only: the name of the setting, and these values.
    """

    name: str
    add: Callable[..., Any]
    help: str
    hyperparameters: tuple[Setting, ...]
    in_baseline: bool
    caveat: str = ""
    purpose: str = ""
    requires: tuple[str, tuple[Value, ...]] | None = None

    @property
    def words(self) -> str:
        """The name as prose: `batch norm`."""
        return self.name.replace("_", " ")

    @property
    def flag(self) -> str:
        """The name as a flag or label: `batch-norm`."""
        return self.name.replace("_", "-")


@dataclass(frozen=True)
class FactorRegistry(Mapping[str, Factor]):
    """The factors of a workload by name, in the order in which they are applied and listed."""

    entries: tuple[Factor, ...]

    def __getitem__(self, name: str) -> Factor:
        for factor in self.entries:
            if factor.name == name:
                return factor
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (factor.name for factor in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def baseline(self) -> tuple[str, ...]:
        """The names of the factors that are on in the baseline."""
        return tuple(factor.name for factor in self.entries if factor.in_baseline)

    @property
    def hyperparameters(self) -> tuple[Setting, ...]:
        """The hyperparameters of all factors."""
        return tuple(setting for factor in self.entries for setting in factor.hyperparameters)

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return `names` in the order of the registry."""
        chosen = frozenset(names)
        return tuple(name for name in self if name in chosen)


class RegistryBuilder:
    """Collects factors, declared by `@builder.factor()` (on in the baseline) or `@builder.candidate()` (off)."""

    def __init__(self) -> None:
        self._factors: list[Factor] = []

    def factor(self, *, caveat: str = "") -> Callable[[Declared], Declared]:
        """Declare a factor that is on in the baseline."""
        return self._declare(in_baseline=True, caveat=caveat)

    def candidate(self, *, caveat: str = "") -> Callable[[Declared], Declared]:
        """Declare a factor that is off by default."""
        return self._declare(in_baseline=False, caveat=caveat)

    def registry(self) -> FactorRegistry:
        """Return the factors declared so far."""
        return FactorRegistry(tuple(self._factors))

    def _declare(self, *, in_baseline: bool, caveat: str) -> Callable[[Declared], Declared]:
        def declare(add: Declared) -> Declared:
            summary, _, rest = inspect.cleandoc(add.__doc__ or "").partition("\n")
            purpose = " ".join(rest.split())
            settings = _hyperparameters(add, purpose)
            factor = Factor(add.__name__, add, summary.rstrip("."), settings, in_baseline, caveat, purpose)
            self._factors.append(factor)
            return add

        return declare


def _hyperparameters(add: Callable[..., Any], purpose: str) -> tuple[Setting, ...]:
    """Return the keyword-only parameters of a factor's function as settings. Numbers are searched when tuning.

    `purpose` is what the factor is for with the defaults.

    Raises TypeError for a parameter whose annotation has no range.
    """
    hints = get_type_hints(add, include_extras=True)
    settings = []
    for parameter in inspect.signature(add).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        name, hint, default = f"{add.__name__}.{parameter.name}", hints[parameter.name], parameter.default
        if get_origin(hint) is not Annotated:
            raise TypeError(f"The hyperparameter {name} needs a range: Annotated[float, Range(low, high)]")
        kind, domain, *rest = get_args(hint)
        more = next((item for item in rest if isinstance(item, Details)), Details())
        settings.append(
            Setting(
                name,
                kind,
                default,
                domain,
                help=more.help,
                tunable=isinstance(domain, Range),
                legacy_value=more.legacy_value,
                requires=more.requires,
                purposes={default: purpose, **more.purposes} if more.purposes else {},
            )
        )
    return tuple(settings)
