"""`ablate tune --per-variant`: tune each variant of a study, then compare drop-in and re-tuned variants."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals
from ablate.runs.sweep import plan_runs
from ablate.studies.recipe import Recipe
from ablate.studies.study import Study
from ablate.tracking import PlanEntry, StudyRecord
from ablate.tuning.importances import importances
from ablate.tuning.per_variant import (
    Values,
    best_values,
    check_comparable,
    final_recipes,
    retuned_comparisons,
    search_specs,
    with_final_seeds,
)
from ablate.tuning.save_winner import save_study, tuned_study
from ablate.tuning.search import Search
from ablate.tuning.search_record import search_record
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import Trial, best, objectives_of
from ablate.wording import count
from ablate.workflows.search_session import format_values, run_search
from ablate.workflows.sweep import SweepSession
from ablate.workflows.tune_request import TuneContext, TuneRequest


@dataclass
class VariantSearches:
    """The searches of all variants: the task and trials of each, and the values chosen for it, by label."""

    study: Study
    tasks: Mapping[str, TrialTask]
    trials: dict[str, list[Trial]] = field(default_factory=dict)
    chosen: Mapping[str, Values] = field(default_factory=dict)

    def as_dict(self, command: str) -> dict[str, Any]:
        """Return the record of the searches as plain data."""
        first = next(iter(self.tasks.values())).spec
        space = list(dict.fromkeys(name for task in self.tasks.values() for name in task.spec.space.names))
        return {
            # Recorded studies have this text: another one would count as a changed declaration.
            "declared": f"{first.budget} trials an arm under seeds {', '.join(map(str, first.seeds))}, TPE with seed "
            f"{first.sampler_seed}, over {', '.join(space)}",
            "command": command,
            "comparisons": retuned_comparisons(self.study),
            "chosen": self.chosen,
            "searches": {
                label: search_record(task, self.trials[label], importances(Search(task.spec, task.storage)))
                for label, task in self.tasks.items()
                if label in self.trials
            },
        }


@dataclass
class RetunedSweep(SweepSession):
    """The runs of drop-in and re-tuned variants on new seeds.

    `variants` pairs each variant's name with a recipe: one run may belong to two variants. `tuning` is the record of
    the searches.
    """

    variants: list[tuple[str, Recipe]] = field(default_factory=list)
    tuning: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> StudyRecord:
        """The record of the study. Its plan names both kinds of variants, even if they share a run."""
        record, fingerprint = super().record, self.planned[0].job.data.fingerprint
        runs = {key: run.name for key, run in self.runs.items()}
        plan = [
            PlanEntry(recipe.key, fingerprint, variant, recipe.seed, runs.get(recipe.key))
            for variant, recipe in self.variants
        ]
        declared = {**record.declared, "tuning": self.tuning["declared"]}
        details = {**record.details, "tuning": self.tuning}
        return replace(record, declared=declared, planned_runs=plan, details=details)

    def _comparisons(self) -> dict[str, str]:
        return {}  # the live tally uses the names of runs, which both kinds of variants share

    def _title(self, key: str) -> str:
        names = dict.fromkeys(variant for variant, recipe in self.variants if recipe.key == key)
        seed = next(recipe.seed for _, recipe in self.variants if recipe.key == key)
        return f"{' = '.join(names)}/s{seed}"


def tune_variants(context: TuneContext, began: float) -> None:
    """Tune each variant, run the final comparison, write the report."""
    request, searches = context.request, _searches(context)
    _announce(searches)
    _search_each_variant(searches, _sweep(context, searches), request.max_failures)
    searches.chosen = best_values({label: task.spec for label, task in searches.tasks.items()}, searches.trials)
    sweep = _sweep(context, searches)
    first_seed = searches.study.seed_list[0]
    console.info(f"Final comparison: {count(len(sweep.open_jobs), 'run')}, with seeds from {first_seed}")
    sweep.run()
    report = context.write_report()
    if not request.as_json:
        for line in report.answer:
            console.result(line)
    if request.save:
        _save(request, searches)
    summary = sweep.summary(time.time() - began)
    summary |= {"chosen": searches.chosen, "report": str(report.folder / "report.md")}
    _print(request, searches, summary)
    if sweep.failed:
        first = sweep.failed[0]
        raise UserError(
            f"{count(len(sweep.failed), 'run')} failed, the first: {first.variant}/s{first.seed} ({first.error})"
        )


def _searches(context: TuneContext) -> VariantSearches:
    study, settings = with_final_seeds(context.request.study), context.request.settings
    check_comparable(study, settings.seeds)
    if settings.objectives:
        raise UsageError("--per-variant supports one objective only. Remove --multi")
    (objective,) = objectives_of(study.workload.validation, study.workload.name)
    specs = search_specs(study, settings, objective)
    return VariantSearches(study, {label: context.task(spec) for label, spec in specs.items()})


def _announce(searches: VariantSearches) -> None:
    spec = next(iter(searches.tasks.values())).spec
    console.info(
        f"{searches.study.name}: {count(len(searches.tasks), 'variant')}, {count(spec.budget, 'trial')} each, "
        f"seed {', '.join(map(str, spec.seeds))}, TPE sampler with seed {spec.sampler_seed}. Search spaces, without "
        "the hyperparameters of factors that are off:"
    )
    for label, task in searches.tasks.items():
        console.info(f"  {label}: {', '.join(task.spec.space.names)}")


def _search_each_variant(searches: VariantSearches, sweep: RetunedSweep, max_failures: int) -> None:
    """Run the searches of all variants one after the other, resuming those of earlier commands."""
    sweep.recorder.open(sweep.record)
    try:
        for number, (label, task) in enumerate(searches.tasks.items(), start=1):
            console.info(f"Tuning {label} ({number} of {len(searches.tasks)} variants)")
            trials = run_search(task, sweep.executor, sweep.recorder, max_failures=max_failures)
            searches.trials[label] = trials
            winner = best(trials, task.spec.objectives[0].goal)
            if winner:
                values = "baseline values" if winner.is_baseline else format_values(winner.params)
                console.info(f"{label}: best {winner.values[0]:z.4f}, {values}")
    except BaseException as error:
        sweep.recorder.close(sweep.record, "failed" if isinstance(error, UserError) else "killed")
        raise


def _sweep(context: TuneContext, searches: VariantSearches) -> RetunedSweep:
    """Return the sweep of the final comparison; before values are chosen, that of the drop-in variants."""
    study, resources, request = searches.study, context.resources, context.request
    journals = Journals(resources.project.journals)
    drop_in = [(recipe.label, recipe) for recipe in study.recipes()]
    variants = final_recipes(study, searches.chosen) if searches.chosen else drop_in
    recipes = list(dict.fromkeys(recipe for _, recipe in variants))
    return RetunedSweep(
        study,
        plan_runs(recipes, resources.data, resources.conditions, journals, mix=request.mix),
        journals,
        context.options,
        resources.executor,
        context.recorder,
        max_failures=request.max_failures,
        variants=variants,
        tuning=searches.as_dict(request.command),
    )


def _save(request: TuneRequest, searches: VariantSearches) -> None:
    assert request.save is not None
    study, label = searches.study, searches.study.baseline.label
    origin = f"The values are those of the best trial of {label} in the tuning study {study.name}."
    unnamed = request.study.change(name="")
    save_study(request.save, tuned_study(unnamed, searches.chosen[label], origin, request.save.parent))


def _print(request: TuneRequest, searches: VariantSearches, summary: Mapping[str, Any]) -> None:
    if request.as_json:
        console.print_json(summary)
        return
    console.result(
        f"{searches.study.name}: {count(len(searches.tasks), 'variant')} tuned with "
        f"{count(request.settings.trials, 'trial')} each, {count(summary['ran'], 'new run')} in the final comparison, "
        f"{summary['failed']} failed, in {console.duration(summary['seconds'])}\n\n{summary['report']}"
    )
