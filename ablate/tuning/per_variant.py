"""Tune each variant of a design alike, then compare the tuned variants on new seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe, retuned_label
from ablate.studies.settings import Value
from ablate.studies.study import Study
from ablate.tuning.pruning import choose_pruner
from ablate.tuning.space import space_of
from ablate.tuning.types import Objective, SearchSettings, SearchSpec, Trial, best, epochs_of

Values = dict[str, Value]
"""Chosen value by setting or hyperparameter."""

FIRST_FINAL_SEED = 1000
"""The first seed of the final comparison. Tuning uses smaller seeds."""


def with_final_seeds(study: Study) -> Study:
    """Return the study with the same number of seeds, none of which tuning uses."""
    return replace(study, seeds=[FIRST_FINAL_SEED + number for number in range(len(study.seed_list))])


def check_comparable(study: Study, seeds: Sequence[int]) -> None:
    """Raise UsageError for a design without pairwise comparisons, or for tuning seeds that the comparison uses."""
    if not study.resolved_design.contrasts:
        raise UsageError(f"--per-variant needs a design that compares variants with a reference, not {study.design}")
    if max(seeds) >= FIRST_FINAL_SEED:
        raise UsageError(f"Tuning seeds must be below {FIRST_FINAL_SEED}. Larger seeds are for the final comparison")


def search_specs(study: Study, settings: SearchSettings, objective: Objective) -> dict[str, SearchSpec]:
    """Return the search of each variant by its label.

    All searches have the same settings. The space of a variant omits the hyperparameters of factors that are off, and
    what the variants compare.
    """
    specs, seeds = {}, settings.seeds
    compared = _compared_names(study, settings.space)
    all_on = {name for arm in study.resolved_design.arms for name in arm.on}
    for arm in study.resolved_design.arms:
        base = study.recipe(arm, seeds[0])
        space = space_of(base, settings.space, others=all_on).without(compared)
        if not space.dimensions:
            raise UsageError(f"The space has no dimension for {base.label}. Add a setting to --space, e.g. lr")
        is_fixed = "epochs" not in space.names
        pruner = choose_pruner(settings.pruner, len(seeds), 1, epochs=epochs_of(base), is_fixed=is_fixed)
        specs[base.label] = SearchSpec(
            name=f"{study.name}.{quote(base.label, safe=' +=,')}",  # also the name of a file
            base=base,
            space=space,
            seeds=seeds,
            objectives=(objective,),
            pruner=pruner,
            sampler_seed=settings.sampler_seed,
            budget=settings.trials,
        )
    return specs


def _compared_names(study: Study, space: Sequence[str]) -> set[str]:
    """Return the settings and hyperparameters that the variants compare, which no search may change.

    Raises UsageError if the space names one of them.
    """
    compared = {name for arm in study.resolved_design.arms for name, _ in arm.values}
    for entry in space:
        name = entry.partition("=")[0].strip()
        if name in compared:
            raise UsageError(f"The variants of the study differ in {name}, so it is not tuned. Remove it from --space")
    return compared


def best_values(specs: Mapping[str, SearchSpec], trials: Mapping[str, Sequence[Trial]]) -> dict[str, Values]:
    """Return the values of each variant's best trial that have an effect.

    Raises UsageError for a variant without a complete trial.
    """
    chosen = {}
    for label, spec in specs.items():
        winner = best(trials[label], spec.objectives[0].goal)
        if winner is None:
            raise UsageError(f"No trial of {label} is complete. Increase --trials or change --space")
        chosen[label] = spec.base.effective(winner.params)
    return chosen


def final_recipes(study: Study, chosen: Mapping[str, Mapping[str, Value]]) -> list[tuple[str, Recipe]]:
    """Return variant names and recipes of the final comparison: drop-in and re-tuned variants, seed by seed."""
    recipes = []
    for seed in study.seed_list:
        for arm in study.resolved_design.arms:
            recipe = study.recipe(arm, seed)
            recipes.append((recipe.label, recipe))
            recipes.append((retuned_label(recipe.label), recipe.change(chosen[recipe.label])))
    return recipes


def retuned_comparisons(study: Study) -> list[dict[str, Any]]:
    """Return the planned comparisons of re-tuned variants, a separate family, as plain data."""
    return [
        replace(
            row,
            variant=retuned_label(row.variant),
            reference=retuned_label(row.reference),
            family=f"{row.family}, re-tuned",
        ).as_dict()
        for row in study.comparisons()
    ]
