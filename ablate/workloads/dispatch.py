"""Call the functions of a job's workload: resolve conditions, open data, train, estimate.

A workload refers to its functions by name, so that its declaration imports no training code. They are called here, in
the layer that holds them, so that the language of studies never calls a layer above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.studies.conditions import Conditions, RequestedConditions
from ablate.studies.job import Data, Job, Log, Outcome
from ablate.studies.recipe import Recipe
from ablate.studies.workload import Workload, resolve
from ablate.workloads.custom.local_imports import local_imports

if TYPE_CHECKING:
    from ablate.data import ImageSource


def resolve_conditions(workload: Workload, requested: RequestedConditions) -> Conditions:
    """Return the conditions on this machine for the requested ones."""
    conditions: Conditions = resolve(workload.conditions_function)(requested)
    return conditions


def device_name(job: Job) -> str | None:
    """Return the name of the GPU that the run of `job` uses, or None on a CPU and in a user's own training."""
    function = job.recipe.workload.device_function
    if function is None or job.conditions.device == "cpu":
        return None
    name: str | None = resolve(function)(job.conditions)
    return name


def imported_files(workload: Workload) -> dict[str, str]:
    """Return the digests of the local files that a study's own training imports, which do not identify its runs."""
    own = workload.study_file
    return local_imports(own.code_files, own.path.parent) if own else {}


def open_data(recipe: Recipe, source: ImageSource | None, progress: Any = None) -> Data:
    """Open the data of a recipe's workload; decodes it on first use."""
    data: Data = resolve(recipe.workload.data_function)(source, recipe, progress)
    return data


def train(job: Job, log: Log) -> Outcome:
    """Execute the run of `job`."""
    outcome: Outcome = resolve(job.recipe.workload.train_function)(job, log)
    return outcome


def estimate(job: Job) -> float | None:
    """Return the expected duration of a run in seconds, from a timed pilot, or None if the workload has no pilot."""
    pilot = job.recipe.workload.pilot_function
    return float(resolve(pilot)(job)) if pilot else None
