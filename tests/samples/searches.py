"""Searches on the toy workload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.runs.executors import Executor, SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.studies.conditions import Conditions
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.tuning.run_search import run_trials
from ablate.tuning.search import Search
from ablate.tuning.space import space_of
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import SearchSpec, SearchStorage, Trial, objectives_of
from tests.samples import tuning_toy as toy


def search_spec(values: Mapping[str, Value] | None = None, **changes: Any) -> SearchSpec:
    """Return the specification of a search of the toy workload."""
    base = Recipe.of(toy.WORKLOAD, values={"lr": 0.1, **(values or {})})
    fields = {
        "name": "kitchen", "base": base, "space": space_of(base), "seeds": (0,),
        "objectives": objectives_of(toy.WORKLOAD.validation, "toy"), "pruner": "none", "sampler_seed": 0, "budget": 8,
    }  # fmt: skip
    return SearchSpec(**{**fields, **changes})


def trial_task(folder: Path, asked: SearchSpec | None = None) -> TrialTask:
    """Return the task of a trial."""
    storage = folder / "mlruns" / "optuna" / "kitchen.log"
    return TrialTask(
        asked or search_spec(),
        SearchStorage(str(storage), storage.parent),
        toy.open_data(None, None),
        Conditions("cpu", "fp32", 1),
        RunOptions(folder, "kitchen"),
        folder / "mlruns" / "journal",
    )


def run_task(asked: TrialTask, executor: Executor | None = None, max_failures: int | None = None) -> list[Trial]:
    """Run the trials of a search, and return all of them."""
    for _ in run_trials(asked, executor or SerialExecutor(), max_failures=max_failures):
        pass
    return Search(asked.spec, asked.storage).trials()


def run_search(folder: Path, asked: SearchSpec | None = None, executor: Executor | None = None) -> list[Trial]:
    """Run the trials of a search in `folder`, and return all of them."""
    return run_task(trial_task(folder, asked), executor)
