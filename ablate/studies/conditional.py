"""Conditional components: factors and hyperparameters that have an effect with some values of others only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ablate.errors import UsageError
from ablate.studies.arms import Arm, Component
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

    found = {arm: _effective(baseline, arm) for arm in design.arms}
    split = {arm for arm in design.arms if _is_split(design, arm, found[arm])}
    arms = dict.fromkeys(own for arm, own in found.items() if arm not in split)
    rows = [
        replace(row, arm=found[row.arm], reference=found[row.reference])
        for row in design.contrasts
        if not {row.arm, row.reference} & split
    ]
    kept = dict.fromkeys(row for row in rows if row.arm != row.reference)
    for component in design.components:
        _check_levels(design, baseline, component, arms)
        if component.is_factor and not any(
            (component.name in arm.on) != (component.name in baseline.factors) for arm in arms
        ):
            requires = baseline.workload.factors[component.name].requires or ("", ())
            raise UsageError(
                f"The design {design.name} cannot switch {component.name} on, which needs another {requires[0]}: use "
                "the design factorial, or change the baseline"
            )
    return replace(design, arms=tuple(arms), contrasts=tuple(kept), left_out=_left_out(design, baseline, split))


def _effective(baseline: Recipe, arm: Arm) -> Arm:
    """Return an arm without factors and values that have no effect in it."""
    arm = arm.without(idle_factors(baseline, arm))
    values = baseline.only(arm.on).effective(dict(arm.values))
    return arm.without_values(name for name, _ in arm.values if name not in values)


def _is_split(design: Design, arm: Arm, effective: Arm) -> bool:
    """Return whether only a part of the values that change together has an effect in an arm."""
    return any(
        component.has(arm, level) and not component.has(effective, level)
        for component in design.components
        if component.zipped
        for level in range(1, component.size)
    )


def _check_levels(design: Design, baseline: Recipe, component: Component, arms: Iterable[Arm]) -> None:
    """Raise UsageError if no arm has another level than the baseline's, or any combination of a component."""
    levels = [level for level in range(1, component.size) if component.levels]
    missing = [level for level in levels if not any(component.has(arm, level) for arm in arms)]
    if missing and (component.zipped or len(missing) == len(levels)):
        of = next(arm for arm in design.arms if component.has(arm, missing[0]))
        recipe, values = baseline.only(of.without(idle_factors(baseline, of)).on), dict(of.values)
        effective = recipe.effective(values)
        idle = [f"{name} has no effect while {why}" for name, why in idle_factors(baseline, of).items()]
        left = sorted((name for name in values if name not in effective), key=component.names.__contains__)
        idle += [recipe.change(effective).obstacle(name) for name in left]
        if component.zipped:
            raise UsageError(
                f"The design {design.name} cannot have {component.text(missing[0])}: {idle[-1].partition(':')[0]}. "
                "Give names of a combination that have no effect the baseline's values, or choose another design"
            )
        raise UsageError(f"The design {design.name} cannot vary {component.name}: {idle[-1]}")


def _left_out(design: Design, baseline: Recipe, split: Collection[Arm]) -> tuple[str, ...]:
    """Return what was left out, and why, as sentences. Arms in `split` are left out altogether."""
    values: dict[str, int] = {}
    off: dict[str, int] = {}
    for arm in design.arms:
        idle = idle_factors(baseline, arm)
        for name, why in idle.items():
            counted, verb = (values, "has no effect") if arm in split else (off, "is off")
            text = f"{name} {verb} while {why}"
            counted[text] = counted.get(text, 0) + 1
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
