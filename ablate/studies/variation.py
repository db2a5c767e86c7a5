"""The arms that a study names, the labels of its arms, and their comparisons with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ablate.errors import UsageError
from ablate.studies.arms import Arm, PlannedContrast
from ablate.studies.conditional import idle_factors
from ablate.studies.designs import Design
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Value, value_text
from ablate.studies.varied_values import checked_value
from ablate.studies.workload import Workload
from ablate.wording import unknown

NAMED_ARMS = "named arms"
"""The family of the comparisons of named arms with the baseline."""


def check_switches(on: Iterable[str], off: Iterable[str]) -> None:
    """Raise UsageError for a factor that is to be on and off."""
    if both := sorted({*on} & {*off}):
        raise UsageError(f"{both[0]} is both in on= and in off=. Remove it from one of them")


def check_factor(workload: Workload, name: str) -> None:
    """Raise UsageError unless a workload has a factor of that name, on or off or with named levels."""
    if name in workload.factors or name in workload.level_factors:
        return
    known = {setting.name: setting for setting in (*workload.settings, *workload.factors.hyperparameters)}
    if name in known:
        words = known[name].domain
        values = ",".join(words.words) if isinstance(words, OneOf) else "VALUE,VALUE"
        raise UsageError(f"{name} is a setting, not a factor. Compare its values with --vary {name}={values}")
    raise UsageError(unknown("factor", name, (*workload.factors, *workload.level_factors)))


def read_arms(workload: Workload, arms: object) -> Mapping[str, Mapping[str, Value]]:
    """Return the differences of named arms from the baseline, with values in the types of their settings.

    Raises UsageError for a name that is not a factor, setting or hyperparameter, and for values that it does not take.
    """
    example = "arms={'ours': {'lr': 0.03, 'augment': False}}"
    if not isinstance(arms, Mapping):
        raise UsageError(
            f"arms= takes the names of variants with their differences from the baseline, such as {example}"
        )
    found: dict[str, Mapping[str, Value]] = {}
    for name, differences in arms.items():
        if not isinstance(name, str) or not name.isprintable() or name != name.strip() or not name or "/" in name:
            raise UsageError(f"The name of an arm must be printable text without slashes, not {name!r}")
        if name == "baseline":
            raise UsageError("The arm 'baseline' exists already: the others are compared with it. Choose another name")
        if not isinstance(differences, Mapping) or not all(isinstance(one, str) for one in differences):
            raise UsageError(
                f"The arm {name!r} lists its differences from the baseline, {example}, not {differences!r}"
            )
        found[name] = {one: _difference(workload, name, one, value) for one, value in differences.items()}
    return found


def _difference(workload: Workload, arm: str, name: str, value: Value) -> Value:
    try:
        return checked_value(workload, name, value)
    except UsageError as error:
        raise UsageError(f"The arm {arm!r}: {error}") from None


def named_arm(baseline: Recipe, name: str, differences: Mapping[str, Value]) -> Arm:
    """Return the arm of a name. Raises UsageError for a hyperparameter that has no effect in it."""
    factors, on = baseline.workload.factors, set(baseline.factors)
    for one, value in differences.items():
        if one in factors:
            (on.add if value else on.discard)(one)
    given = {one: value for one, value in differences.items() if one not in factors}
    try:
        baseline.only(on).change(given)
    except UsageError as error:
        raise UsageError(f"The arm {name!r}: {error}") from None
    arm, values = Arm(frozenset(on), name=name), {**baseline.settings, **baseline.hyperparameters}
    for one, value in given.items():
        if value != values[one]:
            arm = arm.with_value(one, value)
    for factor, why in idle_factors(baseline, arm).items():
        raise UsageError(f"The arm {name!r}: {factor} has no effect while {why}. Set it to False in this arm")
    return arm


def arm_label(baseline: Recipe, arm: Arm, names: Sequence[str]) -> str:
    """Return the name of an arm: its own, or its differences in factors and then in the varied `names`."""
    recipe, values = baseline.only(arm.on), dict(arm.values)
    if arm.name or not values:
        return arm.name or recipe.label
    factors = [] if recipe.label == "baseline" else [recipe.label]
    return "+".join([*factors, *(f"{name}={value_text(values[name])}" for name in names if name in values)])


def check_labels(labels: Sequence[str]) -> None:
    """Raise UsageError if two arms have the same name."""
    for place, label in enumerate(labels):
        if label in labels[:place]:
            raise UsageError(f"Two arms have the name {label!r}. Give the named arm another name")


def check_inputs(workload: Workload, contrasts: Iterable[PlannedContrast], recipe: Callable[[Arm], Recipe]) -> None:
    """Raise UsageError for a comparison of two arms that are the same training, because it gets the same inputs."""
    if workload.inputs_function is None:
        return
    rows = list(contrasts)
    inputs = {arm: workload.inputs_function(recipe(arm)) for row in rows for arm in (row.arm, row.reference)}
    for row in rows:
        if inputs[row.arm] == inputs[row.reference]:
            names = " and ".join(recipe(arm).label for arm in (row.reference, row.arm))
            raise UsageError(
                f"{names} have the same command line, so their difference is zero. Change a text or a value, or leave "
                f"{row.factor or recipe(row.arm).label} out"
            )


def with_named_arms(design: Design, arms: Sequence[Arm]) -> Design:
    """Return a design with named arms, each compared with the baseline.

    Raises UsageError for an arm that equals the baseline or another arm, and for a design of other comparisons.
    """
    if arms and design.name != "leave-one-out":
        raise UsageError(f"Named arms are compared with the baseline, by the design leave-one-out, not {design.name}")
    known = {replace(arm, name=""): arm.name for arm in design.arms}
    for arm in arms:
        plain = replace(arm, name="")
        if plain == design.arms[0]:
            raise UsageError(f"The arm {arm.name!r} is the baseline: it changes nothing. Leave it out")
        if plain in known:
            other = f"the arm {known[plain]!r}" if known[plain] else "another arm of the design"
            raise UsageError(f"The arm {arm.name!r} is the same as {other}. Leave one of them out")
        known[plain] = arm.name
    contrasts = [PlannedContrast(arm, design.arms[0], NAMED_ARMS) for arm in arms]
    return replace(design, arms=(*design.arms, *arms), contrasts=(*design.contrasts, *contrasts))


def with_all_pairs(design: Design) -> Design:
    """Return a design with further comparisons: of the levels of a component, and of the named arms, with each other.

    They are a family per component, next to the comparisons with the baseline. Raises UsageError for a design of other
    comparisons, and if fewer than two levels differ from the baseline's.
    """
    if design.name != "leave-one-out":
        raise UsageError(f"All pairs of levels are compared by the design leave-one-out, not {design.name}")
    further = []
    for component in design.components:
        rows = [row for row in design.contrasts if row.factor == component.name and row.level]
        further += _pairs(rows, f"{component.name}: all pairs")
    further += _pairs([row for row in design.contrasts if row.family == NAMED_ARMS], f"{NAMED_ARMS}: all pairs")
    if not further:
        raise UsageError("All pairs need two levels or named arms besides the baseline's. Leave --all-pairs out")
    return replace(design, contrasts=(*design.contrasts, *further))


def _pairs(rows: Sequence[PlannedContrast], family: str) -> list[PlannedContrast]:
    return [
        PlannedContrast(later.arm, first.arm, family, later.factor, later.level, first.level)
        for place, first in enumerate(rows)
        for later in rows[place + 1 :]
    ]
