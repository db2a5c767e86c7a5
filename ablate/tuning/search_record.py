"""A search as plain data: what the tracking store keeps of it, and all that a report reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ablate.tracking import PlanEntry
from ablate.tuning.pruning import pruning_words
from ablate.tuning.trials import Ticket
from ablate.tuning.types import SAMPLER, Trial, best, pareto


def search_record(ticket: Ticket, trials: Sequence[Trial], found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return a search, its trials and the importances `found` in it as plain data."""
    tuning = ticket.tuning
    goals = [objective.goal for objective in tuning.objectives]
    winner = best(trials, goals[0])
    return {
        "name": tuning.name,
        "seeds": list(tuning.seeds),
        "objectives": [asdict(objective) for objective in tuning.objectives],
        "space": tuning.space.plain,
        "pruner": tuning.pruner,
        "pruning": pruning_words(tuning.pruner, len(tuning.seeds), len(goals)),
        "sampler": SAMPLER,
        "sampler_seed": tuning.sampler_seed,
        "budget": tuning.budget,
        "storage": ticket.place.storage.rpartition("/")[2] if ticket.place.is_file else "a database",
        "trials": [trial.plain for trial in trials],
        "best": winner.number if winner else None,
        "front": [trial.number for trial in pareto(trials, goals)] if len(goals) > 1 else [],
        "importances": found,
    }


def planned_runs(ticket: Ticket, trials: Sequence[Trial]) -> list[PlanEntry]:
    """Return the runs of every trial that was begun, for the study's record."""
    listed = []
    for trial in trials:
        if trial.state in ("lost", "waiting"):
            continue
        for seed in ticket.tuning.seeds:
            recipe = ticket.job(trial, seed).recipe
            run = trial.runs.get(seed)
            listed.append(PlanEntry(recipe.key, ticket.data.fingerprint, recipe.label, seed, run))
    return listed
