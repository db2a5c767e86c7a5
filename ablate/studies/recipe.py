"""A recipe: one variant as frozen plain data. All that is hashed, logged or sent to a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from ablate.errors import UsageError
from ablate.studies.menu import Setting, Value
from ablate.studies.workload import Workload, find
from ablate.wording import unknown


@dataclass(frozen=True, eq=False)
class Recipe:
    """One variant: the factors that are on (in menu order), every knob, every setting, and the seed.

    Two recipes are equal when their keys are. Make one with `Recipe.of`, which checks and fills in; change one with
    `without`, `plus`, `only`, `change`, `reseed`.
    """

    workload: Workload
    factors: tuple[str, ...]
    knobs: Mapping[str, Value]
    settings: Mapping[str, Any]  # checked by their declarations
    seed: int = 0

    @classmethod
    def of(
        cls,
        workload: Workload,
        factors: Iterable[str] | None = None,
        values: Mapping[str, Value] | None = None,
        seed: int = 0,
    ) -> Self:
        """Return the recipe with `factors` on (default: the baseline's) and `values` for settings and knobs.

        Raises UsageError for a name that is not on the menu, a value out of range, or a knob of a factor that is off.
        """
        names = set(workload.menu.baseline if factors is None else factors)
        for name in names:
            if name not in workload.menu:
                raise UsageError(unknown("factor", name, tuple(workload.menu)))
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise UsageError(f"a seed is an integer from 0 up, not {seed!r}")
        knobs = {knob.name: knob.default for factor in workload.menu.factors for knob in factor.knobs}
        recipe = cls(
            workload, workload.menu.in_order(names), knobs, {s.name: s.default for s in workload.settings}, seed
        )
        return recipe.change(values or {})

    def change(self, values: Mapping[str, Value]) -> Self:
        """Return this recipe with other values of settings (`lr`) and knobs (`dropout.p`)."""
        checked = {name: self.workload.setting(name).check(value) for name, value in values.items()}
        for name in checked:
            factor = name.split(".")[0]
            if name in self.knobs and factor not in self.factors:
                switch = (
                    "switch it on" if factor in self.workload.menu.baseline else f"add --{factor.replace('_', '-')}"
                )
                raise UsageError(f"{name} has no effect while {factor} is off: {switch}, or leave {name} out")
        return replace(
            self,
            knobs={name: checked.get(name, value) for name, value in self.knobs.items()},
            settings={name: checked.get(name, value) for name, value in self.settings.items()},
        )

    def only(self, names: Iterable[str]) -> Self:
        """Return this recipe with exactly the factors `names` on; knobs keep their values."""
        return replace(self, factors=self.workload.menu.in_order(set(names)))

    def without(self, *names: str) -> Self:
        """Return this recipe with the factors `names` off."""
        return self.only(set(self.factors) - set(names))

    def plus(self, *names: str) -> Self:
        """Return this recipe with the factors `names` on."""
        return self.only(set(self.factors) | set(names))

    def reseed(self, seed: int) -> Self:
        """Return this recipe with another seed."""
        return replace(self, seed=seed)

    def __getitem__(self, name: str) -> Any:
        """Return whether a factor is on, or the value of a setting or knob; raise UsageError for any other name."""
        if name in self.workload.menu:
            return name in self.factors
        values = {**self.settings, **self.knobs}
        if name not in values:
            raise UsageError(unknown("factor or setting", name, (*self.workload.menu, *values)))
        return values[name]

    @property
    def active_knobs(self) -> dict[str, Value]:
        """The knobs of the factors that are on."""
        return {name: value for name, value in self.knobs.items() if name.split(".")[0] in self.factors}

    @cached_property
    def key(self) -> str:
        """Twelve hex digits that name this recipe.

        Everything that is on, with every default spelled out, and nothing that is off. A setting or knob that was
        added later is left out at the value that it had before it existed, so that old keys stand.
        """
        values = {**self.settings, **self.active_knobs}
        spelled = {name: value for name, value in values.items() if self._declared(name).before != value}
        identity = {
            "workload": self.workload.identity,
            "on": sorted(self.factors),
            "values": spelled,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """The variant by its difference from the menu's baseline: `baseline`, `none`, `only-x`, `no-x+with-y`."""
        menu = self.workload.menu
        on, full = set(self.factors), set(menu.baseline)
        if on == full:
            return "baseline"
        if not on:
            return "none"
        if len(on) == 1 and len(full) > 2:  # among two factors `no-x` says the same and reads better
            return f"only-{menu[self.factors[0]].flag}"
        words = dict.fromkeys(full - on, "no") | dict.fromkeys(on - full, "with")
        return "+".join(f"{words[name]}-{menu[name].flag}" for name in menu.in_order(set(words)))

    @property
    def params(self) -> dict[str, Value]:
        """Every factor as true or false, the knobs of those that are on, settings, and the seed."""
        switches: dict[str, Value] = {name: name in self.factors for name in self.workload.menu}
        return {**switches, **self.active_knobs, **self.settings, "seed": self.seed}

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {
            "workload": self.workload.name,
            "factors": list(self.factors),
            "knobs": self.active_knobs,
            "settings": dict(self.settings),
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the recipe that `as_dict` described."""
        values = {**plain["settings"], **plain["knobs"]}
        return cls.of(find(plain["workload"]), plain["factors"], values, plain["seed"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def _declared(self, name: str) -> Setting:
        return self.workload.setting(name)
