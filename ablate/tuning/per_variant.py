"""Fair ablations: every arm of a design tuned alike, the winners run again on fresh seeds beside the drop-in arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe, retuned_label
from ablate.studies.settings import Value
from ablate.studies.study import Study
from ablate.tuning.pruning import choose_pruner
from ablate.tuning.space import Space, space_of
from ablate.tuning.types import Objective, Trial, Tuning, best, epochs_of

Values = dict[str, Value]
"""Chosen values by setting or knob."""

FRESH = 1000
"""The first seed of the runs that count; tuning uses seeds below."""


def fresh(study: Study) -> Study:
    """Return the study on as many fresh seeds as it has."""
    return replace(study, seeds=[FRESH + place for place in range(len(study.seed_list))])


def check_arms(study: Study, seeds: Sequence[int]) -> None:
    """Raise UsageError for a design without comparisons of arms, or for tuning seeds that the results will use."""
    if not study.resolved_design.contrasts:
        raise UsageError(f"--per-variant compares arms with a reference, which {study.design} does not")
    if max(seeds) >= FRESH:
        raise UsageError(f"tuning uses seeds below {FRESH}: from there on they are for the results")


def tunings(
    study: Study,
    asked: Sequence[str],
    seeds: Sequence[int],
    objective: Objective,
    pruner: str | None,
    sampler_seed: int,
    budget: int,
) -> dict[str, Tuning]:
    """Return the search of every arm by its label: the same space less the knobs of what is off, budget and sampler."""
    found = {}
    all_on = {name for arm in study.resolved_design.arms for name in arm}
    for arm in study.resolved_design.arms:
        base = study.recipe(arm, seeds[0])
        space = space_of(base, asked, others=all_on)
        _check_not_empty(space, base)
        chosen = choose_pruner(pruner, len(seeds), 1, epochs=epochs_of(base), is_fixed="epochs" not in space.names)
        found[base.label] = Tuning(
            f"{study.name}.{base.label}", base, space, tuple(seeds), (objective,), chosen, sampler_seed, budget
        )
    return found


def _check_not_empty(space: Space, base: Recipe) -> None:
    if not space.dimensions:
        raise UsageError(f"nothing of {base.label} can be tuned in this space: name a setting as well, such as lr")


def winners(tunings: Mapping[str, Tuning], trials: Mapping[str, Sequence[Trial]]) -> dict[str, Values]:
    """Return the values that each arm's search chose; raises UsageError for an arm without a complete trial."""
    chosen = {}
    for label, tuning in tunings.items():
        winner = best(trials[label], tuning.objectives[0].goal)
        if winner is None:
            raise UsageError(f"no trial of {label} was complete: more --trials, or another --space")
        chosen[label] = dict(winner.params)
    return chosen


def final_recipes(study: Study, chosen: Mapping[str, Mapping[str, Value]]) -> list[tuple[str, Recipe]]:
    """Return every run that counts, with the name of its variant: drop-in and re-tuned arms, seed by seed."""
    listed = []
    for seed in study.seed_list:
        for arm in study.resolved_design.arms:
            recipe = study.recipe(arm, seed)
            listed.append((recipe.label, recipe))
            listed.append((retuned_label(recipe.label), recipe.change(chosen[recipe.label])))
    return listed


def retuned_comparisons(study: Study) -> list[dict[str, Any]]:
    """Return the planned comparisons among the re-tuned arms, a family of its own, as plain data."""
    return [
        asdict(
            replace(
                row,
                variant=retuned_label(row.variant),
                reference=retuned_label(row.reference),
                family=f"{row.family}, re-tuned",
            )
        )
        for row in study.comparisons()
    ]
