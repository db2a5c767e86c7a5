"""The record of a search as plain data, for the tracking store and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ablate.tracking import PlanEntry
from ablate.tuning.pruning import describe_pruning
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import SAMPLER, Trial, best, pareto


def search_record(task: TrialTask, trials: Sequence[Trial], importances: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return a search, its trials and its importances as plain data."""
    spec = task.spec
    goals = [objective.goal for objective in spec.objectives]
    winner = best(trials, goals[0])
    return {
        "name": spec.name,
        "seeds": list(spec.seeds),
        "objectives": [asdict(objective) for objective in spec.objectives],
        "space": spec.space.plain,
        "pruner": spec.pruner,
        "pruning": describe_pruning(spec.pruner, len(spec.seeds), len(goals)),
        "sampler": SAMPLER,
        "sampler_seed": spec.sampler_seed,
        "budget": spec.budget,
        "storage": task.storage.url.rpartition("/")[2] if task.storage.is_file else "a database",
        "trials": [trial.plain for trial in trials],
        "best": winner.number if winner else None,
        "front": [trial.number for trial in pareto(trials, goals)] if len(goals) > 1 else [],
        "importances": importances,
    }


def planned_runs(task: TrialTask, trials: Sequence[Trial]) -> list[PlanEntry]:
    """Return the runs of all trials that started, for the study's record."""
    entries = []
    for trial in trials:
        if trial.state in ("lost", "waiting"):
            continue
        for seed in task.spec.seeds:
            recipe = task.job(trial.params, seed).recipe
            entries.append(PlanEntry(recipe.key, task.data.fingerprint, recipe.label, seed, trial.runs.get(seed)))
    return entries
