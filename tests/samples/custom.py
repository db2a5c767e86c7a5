"""Study files with custom trainings, as a user would write them, and their runs."""

from __future__ import annotations

import textwrap
from pathlib import Path

from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor, SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import RunEnded, RunTask, plan_runs, run_tasks
from ablate.studies.conditions import RequestedConditions
from ablate.studies.study import Study
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.dispatch import open_data, resolve_conditions

LATENCY = '''
"""Which caches matter for latency?"""

from ablate import Metric, Study, from_function

def train(recipe, log):
    """Answer a few requests."""
    for step in range(1, recipe["steps"] + 1):
        log(step, latency=100 / step)
    print("answered under seed", recipe.seed)
    log.file("model.txt").write_text("weights")
    slow = 30 * (not recipe["cache"]) + 2 * (not recipe["pool"])
    own = ((recipe.seed * 7 + slow % 7) % 3 - 1) / 100
    return {"latency": 100 + slow + recipe.seed + own, "memory": 3}

study = Study(
    workload=from_function(
        train,
        factors=dict(cache="keep answers", pool=("shared connections", "one each")),
        settings=dict(steps=3),
        metric=Metric("latency", goal="min", unit="ms"),
    ),
    seeds=5,
    margin=5,
)
'''


def written(folder: Path, text: str, name: str = "own.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def command_study(folder: Path, command: str, program: str, /, **declared: object) -> Study:
    """Return a study of the command with `program` as `program.py`; its metric is `score` unless declared."""
    written(folder, program, "program.py")
    more = "".join(f", {name}={value!r}" for name, value in declared.items() if name != "metric")
    metric = declared.get("metric", "Metric('score')")
    text = f"""
        from ablate import Metric, Study, from_command
        study = Study(workload=from_command({command!r}, metric={metric}{more}), seeds=1)
    """
    return load_study(written(folder, text))


def runs_of(study: Study, folder: Path, executor: Executor | None = None, most: int | None = None) -> list[Run]:
    """Execute the missing runs of a study, or the first of them, and return them."""
    journals = Journals(folder / "mlruns" / "journal")
    conditions = resolve_conditions(study.workload, RequestedConditions(threads=1))
    planned = plan_runs(study.recipes(), open_data(study.baseline, None), conditions, journals)
    tasks = [
        RunTask(entry.job, journals.folder, RunOptions(folder, study.name)) for entry in planned if not entry.is_done
    ]
    return [event.run for event in run_tasks(tasks[:most], executor or SerialExecutor()) if isinstance(event, RunEnded)]


def artifact(folder: Path, run: Run, name: str) -> str:
    return (Journals(folder / "mlruns" / "journal").path(run.name).with_suffix(".files") / name).read_text()
