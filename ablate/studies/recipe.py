"""A recipe: one variant as frozen plain data. It contains everything that is hashed, logged or sent to a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from ablate.errors import UsageError
from ablate.studies.settings import Setting, Value
from ablate.studies.workload import Workload, find_workload
from ablate.wording import alternatives, unknown


@dataclass(frozen=True, eq=False)
class Recipe:
    """One variant of a training as plain data: factors, hyperparameters, settings and a seed.

    Create one with `Recipe.of`, which checks names and values and fills in defaults. Derive others with `without`,
    `plus`, `only`, `change` and `reseed`. Two recipes are equal when their keys are. `recipe["augment"]` is whether the
    factor is on, `recipe["lr"]` the value of a setting.

    Attributes:
        workload: The workload that trains it.
        factors: Names of the factors that are on, in the registry's order.
        hyperparameters: Values of the hyperparameters of all factors, by name (`dropout.p`).
        settings: Values of the settings, by name.
        seed: The seed of the run.
        variant: The name of the variant in its study, if the factors alone do not name it. Not part of the identity.

    Example:
        >>> from ablate import Recipe, find_workload
        >>> recipe = Recipe.of(find_workload("resnet9"), values={"epochs": 8}).without("augment")
        >>> recipe.label, recipe["augment"], recipe["epochs"]
        ('no-augment', False, 8)
    """

    workload: Workload
    factors: tuple[str, ...]
    hyperparameters: Mapping[str, Value]
    settings: Mapping[str, Any]  # checked by their declarations
    seed: int = 0
    variant: str = ""

    @classmethod
    def of(
        cls,
        workload: Workload,
        factors: Iterable[str] | None = None,
        values: Mapping[str, Value] | None = None,
        seed: int = 0,
    ) -> Self:
        """Return the recipe with `factors` on (default: the baseline's) and `values` of settings and hyperparameters.

        Raises UsageError for an unknown name, a value out of range, or a hyperparameter of a factor that is off.
        """
        names = set(workload.factors.baseline if factors is None else factors)
        for name in names:
            if name not in workload.factors:
                raise UsageError(unknown("factor", name, tuple(workload.factors)))
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise UsageError(f"The seed must be a non-negative integer, not {seed!r}")
        recipe = cls(
            workload=workload,
            factors=workload.factors.in_order(names),
            hyperparameters={setting.name: setting.default for setting in workload.factors.hyperparameters},
            settings={setting.name: setting.default for setting in workload.settings},
            seed=seed,
        )
        return recipe.change(values or {})

    def change(self, values: Mapping[str, Value]) -> Self:
        """Return this recipe with other values of settings (`lr`) and hyperparameters (`dropout.p`).

        Raises UsageError for an unknown name, a value out of range, and a value that has no effect.
        """
        changed = self._with(values)
        for name in values:
            if why := changed.obstacle(name):
                raise UsageError(f"{name} has no effect while {why}, or leave {name} out")
        return changed

    def effective(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return those of `values` that have an effect in this recipe with all of them."""
        changed = self._with(values)
        return {name: value for name, value in values.items() if not changed.obstacle(name)}

    def obstacle(self, name: str) -> str:
        """Return why a setting or hyperparameter has no effect, and the remedy, or "" if it has one."""
        return self._obstacle(self.workload.setting(name))

    def _obstacle(self, setting: Setting) -> str:
        factor = setting.name.partition(".")[0]
        if setting.name in self.hyperparameters and factor not in self.factors:
            flag = f"add --{self.workload.factors[factor].flag}"
            return f"{factor} is off: {'switch it on' if self.workload.factors[factor].in_baseline else flag}"
        if setting.requires and self[setting.requires[0]] not in setting.requires[1]:
            other, words = setting.requires
            return f"{other} is {self[other]}: set {other} to {alternatives([str(word) for word in words])}"
        return ""

    def _with(self, values: Mapping[str, Value]) -> Self:
        checked = {name: self.workload.setting(name).check(value) for name, value in values.items()}
        return replace(
            self,
            hyperparameters={name: checked.get(name, value) for name, value in self.hyperparameters.items()},
            settings={name: checked.get(name, value) for name, value in self.settings.items()},
        )

    def only(self, names: Iterable[str]) -> Self:
        """Return this recipe with exactly the factors `names` on and the same hyperparameters."""
        return replace(self, factors=self.workload.factors.in_order(names), variant="")

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
        """Return whether the factor `name` is on, or the value of the setting or hyperparameter `name`.

        Raises UsageError for an unknown name.
        """
        if name in self.workload.factors:
            return name in self.factors
        values = {**self.settings, **self.hyperparameters}
        if name not in values:
            raise UsageError(unknown("factor or setting", name, (*self.workload.factors, *values)))
        return values[name]

    @property
    def active_hyperparameters(self) -> dict[str, Value]:
        """The hyperparameters that have an effect: of factors that are on, with the values that they require."""
        declared = self.workload.factors.hyperparameters
        return {one.name: self.hyperparameters[one.name] for one in declared if not self._obstacle(one)}

    @cached_property
    def key(self) -> str:
        """The recipe's identifier of twelve hexadecimal digits.

        A hash of the active factors, their hyperparameters, the settings and the seed, including defaults. Factors
        that are off do not contribute, nor do hyperparameters without an effect. A setting that was added later is
        left out at its `legacy_value`, so that old keys stay valid.
        """
        values = {**self.settings, **self.active_hyperparameters}
        hashed = {name: value for name, value in values.items() if self.workload.setting(name).legacy_value != value}
        identity = {
            "workload": self.workload.identity,
            "on": sorted(self.factors),
            "values": hashed,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """The variant, named by its difference from the baseline, such as `none`, `no-x+with-y` or `lr=0.03`."""
        if self.variant:
            return self.variant
        factors = self.workload.factors
        on, full = set(self.factors), set(factors.baseline)
        if on == full:
            return "baseline"
        if not on and len(full) != 1:  # without the only factor, `no-x` reads better
            return "none"
        if len(on) == 1 and len(full) > 2:  # with two factors, `no-x` means the same and reads better
            return f"only-{factors[self.factors[0]].flag}"
        words = dict.fromkeys(full - on, "no") | dict.fromkeys(on - full, "with")
        return "+".join(f"{words[name]}-{factors[name].flag}" for name in factors.in_order(words))

    @property
    def title(self) -> str:
        """The variant and the seed: `no-augment/s0`."""
        return f"{self.label}/s{self.seed}"

    @property
    def params(self) -> dict[str, Value]:
        """Every factor as true or false, the hyperparameters that have an effect, all settings, and the seed."""
        switches: dict[str, Value] = {name: name in self.factors for name in self.workload.factors}
        return {**switches, **self.active_hyperparameters, **self.settings, "seed": self.seed}

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads."""
        return {
            "workload": self.workload.name,
            "factors": list(self.factors),
            "knobs": self.active_hyperparameters,
            "settings": dict(self.settings),
            "seed": self.seed,
            **({"variant": self.variant} if self.variant else {}),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the recipe that `as_dict` described."""
        values = {**plain["settings"], **plain["knobs"]}
        recipe = cls.of(find_workload(plain["workload"]), plain["factors"], values, plain["seed"])
        return replace(recipe, variant=plain.get("variant", ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Recipe({self.label!r}, workload={self.workload.name!r}, seed={self.seed}, key={self.key!r})"


def retuned_label(label: str) -> str:
    """Return the label of an arm whose settings were tuned for it: `no-augment-retuned`."""
    return f"{label}-retuned"
