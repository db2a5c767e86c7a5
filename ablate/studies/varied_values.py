"""The values that a study varies, of one name or of several together: their checks, and their components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablate.errors import UsageError
from ablate.studies.arms import Arm, Component, Level
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value, value_text
from ablate.studies.workload import Workload
from ablate.wording import unknown

Names = str | tuple[str, ...]
"""A setting or hyperparameter, or several names whose values change together."""


def read_levels(workload: Workload, vary: object) -> Mapping[Names, tuple[Level, ...]]:
    """Return the values of `vary` in the types of their settings, in the given order.

    Raises UsageError for an unknown name, a value that the setting does not take, and a value or combination that is
    listed twice.
    """
    if not isinstance(vary, Mapping) or not all(isinstance(name, str) for name in varied_names(vary)):
        raise UsageError(f"vary of a study names settings and their values, {{'lr': [0.01, 0.03]}}, not {vary!r}")
    return {
        names: _combinations(workload, names, levels) if isinstance(names, tuple) else _values(workload, names, levels)
        for names, levels in vary.items()
    }


def varied_names(vary: Mapping[Names, object]) -> list[str]:
    """Return all names in `vary`, those whose values change together one by one."""
    return [name for names in vary for name in (names if isinstance(names, tuple) else (names,))]


def _values(workload: Workload, name: str, values: object) -> tuple[Value, ...]:
    if name in workload.factors:
        raise UsageError(f"{name} is a factor, which is on or off. List it in factors=[{name!r}] or --factors {name}")
    setting = workload.setting(name)
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UsageError(f"The values of {name} are a list, such as vary={{{name!r}: [...]}}, not {values!r}")
    found: dict[Value, Value] = {}
    for value in values:
        checked = setting.check(value)
        if checked in found:
            raise UsageError(f"{name} has the value {value_text(checked)} twice. List each value once")
        found[checked] = value
    return tuple(found)


def _combinations(workload: Workload, names: tuple[str, ...], combinations: object) -> tuple[tuple[Value, ...], ...]:
    """Return combinations of values, one value for each name."""
    if len(set(names)) < 2 or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"Values that change together have two names or more, such as vary={{('lr', 'epochs'): [...]}}, not {names}"
        )
    text = "+".join(names)
    if isinstance(combinations, str) or not isinstance(combinations, Sequence):
        raise UsageError(
            f"The values of {text} are a list of combinations, such as vary={{{names}: [(...), (...)]}}, not "
            f"{combinations!r}"
        )
    found: list[tuple[Value, ...]] = []
    for values in combinations:
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != len(names):
            raise UsageError(
                f"A combination of {' and '.join(names)} has {len(names)} values, one for each name, not {values!r}"
            )
        checked = tuple(checked_value(workload, name, value) for name, value in zip(names, values, strict=True))
        if checked in found:
            raise UsageError(f"{text} has the combination {_text(checked)} twice. List each combination once")
        found.append(checked)
    return tuple(found)


def checked_value(workload: Workload, name: str, value: Value) -> Value:
    """Return the value of a setting or hyperparameter, or True or False for a factor. Raises UsageError for others."""
    if name in workload.factors:
        if not isinstance(value, bool):
            raise UsageError(f"{name} is a factor, which is on (True) or off (False), not {value!r}")
        return value
    known = [setting.name for setting in (*workload.settings, *workload.factors.hyperparameters)]
    if name not in known:
        raise UsageError(unknown("factor or setting", name, (*workload.factors, *known)))
    return workload.setting(name).check(value)


def _text(values: Iterable[Value]) -> str:
    return f"({', '.join(map(value_text, values))})"


def components_of(baseline: Recipe, factors: Iterable[str], vary: Mapping[Names, object]) -> tuple[Component, ...]:
    """Return the components in question: factors that are on or off, then factors with levels and varied names.

    Raises UsageError for no level besides the baseline's, a name without an effect, and one that is varied twice.
    """
    workload, levels = baseline.workload, dict(read_levels(baseline.workload, vary))
    for name, words in workload.level_factors.items():
        levels.setdefault(name, words)
    names = dict.fromkeys([*factors, *vary])
    found = [_component(baseline, one, levels[one]) if one in levels else Component(_joined(one)) for one in names]
    _check_once(found)
    return tuple(sorted(found, key=lambda one: not one.is_factor))


def _component(baseline: Recipe, names: Names, levels: Sequence[Level]) -> Component:
    """Return the component of one name, or of several whose values change together, the baseline's level first.

    The baseline's level is one of them, listed or not. Raises UsageError if it is the only one, or if a name has no
    effect.
    """
    together = names if isinstance(names, tuple) else ()
    for name in together or (str(names),):
        unread = baseline.workload.unread.get(name, "")
        if unread and " only in " not in unread:  # with some levels of a factor, it is read
            raise UsageError(f"{unread}. All of its values would give the same result: leave {name} out")
    own: Level = tuple(baseline[name] for name in together) if together else baseline[str(names)]
    switches = frozenset(name for name in together if name in baseline.workload.factors)
    ordered = (own, *(level for level in levels if level != own))
    component = Component(_joined(names), ordered, together, switches)
    if component.size < 2:
        raise UsageError(f"The only value of {component.name} is the baseline's, {component.text(0)}. List another one")
    return component


def added_levels(baseline: Recipe, components: Iterable[Component], vary: Mapping[Names, object]) -> list[str]:
    """Return a sentence for each component whose baseline's level is not listed in `vary`."""
    listed_levels = {_joined(names): levels for names, levels in read_levels(baseline.workload, vary).items()}
    return [
        f"{one.name} is compared with the baseline's value, {one.text(0)}, which was not listed"
        for one in components
        if one.levels and one.levels[0] not in listed_levels.get(one.name, one.levels)
    ]


def _joined(names: Names) -> str:
    return "+".join(names) if isinstance(names, tuple) else names


def _check_once(components: Iterable[Component]) -> None:
    """Raise UsageError for a name in two components."""
    owners: dict[str, Component] = {}
    for component in components:
        for name in component.names:
            if name in owners:
                other = f"in {component.name}" if component.zipped else "by itself"
                raise UsageError(f"{name} is varied in {owners[name].name} and {other}. Name it once")
            owners[name] = component


def values_as_dict(arms: Mapping[str, Arm], components: Iterable[Component]) -> dict[str, Any]:
    """Return the varied names with their levels, and the values of each arm; nothing for factors on or off alone.

    Values that change together are texts under all their names, and `zipped` has the values of each name.
    """
    varied = [component for component in components if component.levels]
    if not varied and not any(arm.name for arm in arms.values()):
        return {}
    together = [component for component in varied if component.zipped]
    columns = {
        one.name: {name: [one.values(level)[name] for level in range(one.size)] for name in one.zipped}
        for one in together
    }
    return {
        "arm_values": {
            label: {**dict(arm.values), **{one.name: one.level_of(arm) for one in together}}
            for label, arm in arms.items()
        },
        "varied": {component.name: component.plain_levels for component in varied},
        **({"zipped": columns} if columns else {}),
    }
