"""Read the runs of a W&B project from its server, by the public API of the package `wandb`."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import DEFAULT_METRICS, plain
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.run_table import RunTable, optional_library
from ablate.report.sources.readers.wandb_folder import read_wandb_folder
from ablate.report.sources.readers.wandb_runs import History, WandbRun, number, table_of_runs, text_of
from ablate.report.sources.step_choice import step_choice
from ablate.wording import unknown

_PROJECT = re.compile(r"(?:https?://[^/]+/)?([^/\s.~][^/\s]*)/([^/\s]+?)(?:/.*)?")
_SECONDS = 60
_RUNS_PER_PAGE = 100


def read_wandb(place: str, options: TableOptions) -> RunTable:
    """Return the runs in a folder, or those of the project `ENTITY/PROJECT` on the server.

    Raises the errors of `read_wandb_folder`, and UserError for a project that cannot be read.
    """
    if Path(place).is_dir():
        return read_wandb_folder(Path(place), options)
    found = _PROJECT.fullmatch(place)
    if found is None:
        raise UserError(f"Folder not found: {place}. Give a folder of W&B runs, or a project as ENTITY/PROJECT")
    wandb = optional_library("wandb", "wandb", Path(place))
    try:
        runs = list(_runs(wandb, f"{found[1]}/{found[2]}", options))
    except UserError:
        raise
    except Exception as error:  # of wandb, its service or HTTP
        raise UserError(_in_one_line(error, f"{found[1]}/{found[2]}")) from error
    if not runs:
        raise UserError(f"No runs in the W&B project {found[1]}/{found[2]}")
    return table_of_runs(f"the W&B project {found[1]}/{found[2]}", runs, {}, options)


def _in_one_line(error: Exception, project: str) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if "Could not find project" in text:
        return f"W&B project not found: {project}. Check the name, and that your API key has access to it"
    if "No API key configured" in text:
        return "No API key of W&B. Set WANDB_API_KEY, or run `wandb login`"
    server = os.environ.get("WANDB_BASE_URL")
    return f"Cannot read the W&B project {project}{f' from {server}' if server else ''}: {text}"


def _runs(wandb: ModuleType, project: str, options: TableOptions) -> Iterator[WandbRun]:
    wandb.setup(wandb.Settings(silent=True))
    with _without_terminal():  # wandb asks for an API key on a terminal
        api = wandb.Api(timeout=_SECONDS)
    runs = list(api.runs(project, per_page=_RUNS_PER_PAGE, lazy=False))
    wanted = _wanted(runs, options) if options.step else []
    for run in runs:
        labels = {"project": run.project, "entity": run.entity, "group": run.group, "job_type": run.job_type,
                  "sweep": run.sweep_name, "tags": ",".join(run.tags)}  # fmt: skip
        history = History(options.step_param)
        for name in wanted:
            _add_points(history, run, name, options.step_param)
        last = number(run.summary_metrics.get("_step"))
        yield WandbRun(
            run.id,
            run.name or run.id,
            run.state,
            {name: text for name, text in labels.items() if text},
            run.config,
            run.summary_metrics,
            history,
            last,
        )


@contextmanager
def _without_terminal() -> Iterator[None]:
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = stdin


def _wanted(runs: Sequence[Any], options: TableOptions) -> list[str]:
    """Return the metrics whose histories are read: the compared one and the one that chooses the step."""
    known = list(dict.fromkeys(name for run in runs for name in _logged(run)))
    metric = plain(options.metric) if options.metric else next(filter(known.__contains__, DEFAULT_METRICS), None)
    if metric is None:
        raise UsageError("--step needs the metric whose history is read. Choose it with --metric NAME")
    asked = [metric, *filter(None, [step_choice(str(options.step)).metric])]
    spelled = {name: [name, name.replace("_", "/", 1), name.replace("/", "_")] for name in asked}
    found = {name: next((one for one in spellings if one in known), "") for name, spellings in spelled.items()}
    missing = [name for name, one in found.items() if not one]
    if missing and missing[0] not in {name for run in runs for name in run.summary_metrics}:
        raise UsageError(unknown("metric", missing[0], known))
    return list(dict.fromkeys(filter(None, found.values())))


def _logged(run: Any) -> list[str]:
    keys = (run.history_keys or {}).get("keys") or {}
    return [name for name in keys if not name.startswith("_")]


def _add_points(history: History, run: Any, name: str, step_param: str | None) -> None:
    if name not in _logged(run):
        return
    for row in run.scan_history(keys=[name, *([step_param] if step_param else [])]):
        values = {key: number(value) for key, value in row.items()}
        numbers = {key: value for key, value in values.items() if value is not None}
        texts = {key: text for key, value in row.items() if (text := text_of(value))}
        history.add(numbers.get("_step", 0.0), numbers, texts)
