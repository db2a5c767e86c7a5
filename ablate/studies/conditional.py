"""Conditional components: factors and hyperparameters that have an effect with some values of others only."""

from __future__ import annotations

from dataclasses import replace

from ablate.errors import UsageError
from ablate.studies.arms import Arm
from ablate.studies.designs import Design
from ablate.studies.recipe import Recipe
from ablate.studies.settings import value_text
from ablate.wording import count


def idle_factors(baseline: Recipe, arm: Arm) -> dict[str, str]:
    """Return the factors that are on in an arm without an effect, and why: `optimizer is adam`."""
    factors = baseline.workload.factors
    values = {**baseline.settings, **baseline.hyperparameters, **dict(arm.values)}
    found = {}
    for name in factors.in_order(arm.on):
        other, needed = factors[name].requires or ("", ())
        if other and values[other] not in needed:
            found[name] = f"{other} is {value_text(values[other])}"
    return found


def possible(design: Design, baseline: Recipe) -> Design:
    """Return a design without factors and values of hyperparameters in arms where they have no effect.

    Arms and comparisons that this makes equal are left out. Raises UsageError if nothing is left of a component, and
    for a baseline with a factor that has no effect.
    """
    for name, why in idle_factors(baseline, design.arms[0]).items():
        raise UsageError(f"{name} is on in the baseline, but has no effect while {why}. Change one of them")

    def effective(arm: Arm) -> Arm:
        arm = arm.without(idle_factors(baseline, arm))
        values = baseline.only(arm.on).effective(dict(arm.values))
        return arm.without_values(name for name, _ in arm.values if name not in values)

    arms = dict.fromkeys(map(effective, design.arms))
    rows = [replace(row, arm=effective(row.arm), reference=effective(row.reference)) for row in design.contrasts]
    kept = dict.fromkeys(row for row in rows if row.arm != row.reference)
    for component in design.components:
        if component.levels and not any(component.name in dict(arm.values) for arm in arms):
            of = next(arm for arm in design.arms if component.name in dict(arm.values))
            why = baseline.only(of.on).obstacle(component.name)
            raise UsageError(f"The design {design.name} cannot vary {component.name}: {why}")
        if component.is_factor and not any(
            (component.name in arm.on) != (component.name in baseline.factors) for arm in arms
        ):
            requires = baseline.workload.factors[component.name].requires or ("", ())
            raise UsageError(
                f"The design {design.name} cannot switch {component.name} on, which needs another {requires[0]}: use "
                "the design factorial, or change the baseline"
            )
    return replace(design, arms=tuple(arms), contrasts=tuple(kept), left_out=_left_out(design, baseline))


def _left_out(design: Design, baseline: Recipe) -> tuple[str, ...]:
    """Return what was left out, and why, as sentences."""
    values: dict[str, int] = {}
    off: dict[str, int] = {}
    for arm in design.arms:
        idle = idle_factors(baseline, arm)
        for name, why in idle.items():
            text = f"{name} is off while {why}"
            off[text] = off.get(text, 0) + 1
        recipe = baseline.only(arm.on - idle.keys())
        effective = recipe.effective(dict(arm.values))
        for name in dict(arm.values).keys() - effective.keys():
            others = {one: value for one, value in effective.items() if one != name}
            text = f"{name} has no effect while {recipe.change(others).obstacle(name).partition(':')[0]}"
            values[text] = values.get(text, 0) + 1
    return (
        *(f"{count(number, 'combination')} left out: {text}" for text, number in sorted(values.items())),
        *(f"{text}: {count(number, 'combination')} without it" for text, number in sorted(off.items())),
    )
