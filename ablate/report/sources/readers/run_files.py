"""Read the metrics that the program of one run recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ablate.errors import UsageError, UserError
from ablate.report.sources.readers.configuration_files import existing, read_json
from ablate.report.sources.readers.json_runs import has_lines_of_objects
from ablate.report.sources.readers.recorded_texts import curve_of_cells
from ablate.report.sources.readers.run_table import Curve, MissingLibraryError, UnreadableFileError, cell, flat
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.sources.row_checks import STEP_COLUMNS
from ablate.report.sources.scores import is_missing, read_number
from ablate.wording import listed

HUGGING_FACE = "trainer_state.json"
METRIC_FILES = (
    *("metrics.csv", HUGGING_FACE, "metrics.jsonl", "metrics.json", "metrics.tsv", "history.csv", "history.json"),
    *(
        "training.csv",
        "training.log",
        "log.csv",
        "log.jsonl",
        "progress.csv",
        "progress.txt",
        "results.csv",
        "results.tsv",
        "results.json",
    ),
    *("results.jsonl", "scores.json", "summary.json", "wandb-summary.json", "all_results.json", "eval_results.json"),
)
"""Names of files with metrics. Lightning writes `metrics.csv`, the Trainer of Hugging Face `trainer_state.json`, and
Spinning Up `progress.txt`."""

FINAL_EVALUATION = "eval_results.json"
REPEATED_BY_HUGGING_FACE = ("all_results.json", FINAL_EVALUATION)
_NO_SCORE = re.compile(r"_runtime$|_per_second$|_samples$|^epoch$|memory|mem_")
_FIRST_STEPS = ("step", "epoch")
_SETTINGS = re.compile(r"(?:\w+_)?(?:config|configuration|cfg|params|hparams|hyperparameters|hyperparams|args)\.")


@dataclass
class Metrics:
    """The metrics of a run.

    Attributes:
        curves: Curves, also of texts and of values recorded once.
        cautions: Warnings.
        axis: The name of the steps.
        repeated: Metrics with different values at a step, of which the last one counts.
        settings: Parameters in an object called `config` or the like.
    """

    curves: dict[str, Curve] = field(default_factory=dict)
    cautions: list[str] = field(default_factory=list)
    axis: str = "step"
    repeated: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)


def metric_file(folder: Path, files: Collection[str], asked: str | None = None) -> Path | None:
    """Return the file with the metrics among those of a folder. Raises UsageError if several may contain them."""
    found = existing(folder, [asked] if asked else METRIC_FILES, files)
    if any(path.name == HUGGING_FACE for path in found):
        found = [path for path in found if path.name not in REPEATED_BY_HUGGING_FACE]
    require_one(found)
    return found[0] if found else None


def require_one(found: Sequence[Path]) -> None:
    """Raise UsageError if there are several files that may contain the metrics of a run."""
    if len(found) > 1:
        folder = found[0].parent
        names = listed(path.relative_to(folder).as_posix() for path in found)
        raise UsageError(f"{folder} has several files of metrics: {names}. Choose one with --metrics-file NAME")


def later_results(path: Path, folder: Path, metrics: Metrics) -> list[str]:
    """Return a warning if the final evaluation in the `folder` of a run is not among the metrics of its state `path`.

    The Trainer of Hugging Face writes `eval_results.json` for an evaluation after the training, such as that of the
    best checkpoint, which `trainer_state.json` lacks if it was saved before.
    """
    results = folder / FINAL_EVALUATION
    found = read_json(results) if path.name == HUGGING_FACE and results.is_file() else None
    if not isinstance(found, dict):
        return []
    last = {name: curve.values[-1] for name, curve in metrics.curves.items()}
    for name, curve in _of_object(found).curves.items():
        value = curve.values[-1]
        if not _NO_SCORE.search(name) and not math.isclose(last.get(name, value), value, rel_tol=1e-6):
            return [
                f"{results} has another {name} ({value:g}) than the last one in {path.relative_to(folder)} "
                f"({last[name]:g}), which is read. For the former, use --metrics-file {FINAL_EVALUATION}."
            ]
    return []


def read_metrics(path: Path, step_param: str | None = None, *, is_cut: bool = False) -> Metrics:
    """Return the metrics in a file, without its last line if that `is_cut`.

    Raises UnreadableFileError for a file that cannot be read.
    """
    if path.suffix == ".json" and not has_lines_of_objects(path):
        found = read_json(path)
        if path.name == HUGGING_FACE:
            found = found.get("log_history") if isinstance(found, dict) else None
            if not isinstance(found, list):
                raise UnreadableFileError(f"{path} has no log_history")
        if isinstance(found, dict):
            return _of_object(found)
        if not isinstance(found, list):
            raise UnreadableFileError(f"{path} contains no metrics by name")
        rows = [{name: cell(value) for name, value in flat(row)} for row in found if isinstance(row, dict)]
        return _of_rows(rows, path, step_param)
    try:
        table = read_table_files([path])
    except (UsageError, MissingLibraryError):
        raise
    except UserError as error:
        raise UnreadableFileError(str(error)) from error
    names = table.table.columns.tolist()
    rows = [dict(zip(names, cells, strict=True)) for cells in table.table.to_numpy().tolist()]
    cautions = [f"The last line of {path} is incomplete and does not count."] if table.set_aside else []
    if is_cut:
        rows, cautions = rows[:-1], [f"The last line of {path} is incomplete and does not count."]
    metrics = _of_rows(rows, path, step_param)
    return replace(metrics, cautions=cautions)


def _of_object(found: Mapping[str, Any]) -> Metrics:
    """Return single values, and lists of values with one item per epoch, counted from 0, as Keras' histories have.

    The values in an object called `config`, `args` or the like are the configuration.
    """
    curves: dict[str, Curve] = {}
    settings: dict[str, str] = {}
    for name, value in flat(found):
        if _SETTINGS.match(name):
            settings[name] = cell(value)
            continue
        values = value if isinstance(value, list) else [value]
        if not any(isinstance(one, list | dict) for one in values):
            curve = curve_of_cells({float(step): cell(one) for step, one in enumerate(values)})
            curves |= {name: curve} if curve.steps else {}
    return Metrics(curves, axis="epoch", settings=settings)


def _of_rows(rows: Sequence[Mapping[str, str]], path: Path, step_param: str | None) -> Metrics:
    columns = dict.fromkeys(name for row in rows for name in row)
    axis = _axis(columns, path, step_param, is_single=len(rows) < 2)
    cells: dict[str, dict[float, str]] = {}
    twice: dict[str, int] = {}
    for number, row in enumerate(rows):
        step = float(number) if axis is None else read_number(row.get(axis, ""))
        if step is None:
            raise UnreadableFileError(f"The column {axis} of {path} is not a number: {row.get(str(axis), '')!r}")
        for name, text in row.items():
            if not is_missing(text) and name != axis and not _is_step(name):
                is_number = read_number(text) is not None
                earlier = cells.setdefault(name, {}).get(step, text)
                twice[name] = twice.get(name, 0) + (is_number and earlier != text)
                cells[name][step] = text
    repeated = [name for name, number in twice.items() if number and not _NO_SCORE.search(name)]
    curves = {name: curve_of_cells(found) for name, found in cells.items()}
    return Metrics(curves, axis=axis or "step", repeated=repeated)


def _axis(columns: Iterable[str], path: Path, asked: str | None, *, is_single: bool) -> str | None:
    """Return the column of steps; None if there is one row and no such column."""
    names = list(columns)
    if asked is not None:
        if asked not in names:
            raise UsageError(f"{path} has no column {asked}. Known: {listed(names)}")
        return asked
    known = list(filter(_is_step, names))
    first = [name for name in _FIRST_STEPS if name in known] or known
    if not first and not is_single:
        advice = f"Choose one with --step-param NAME or, if each row is a run, read the table with --runs {path}"
        raise UsageError(f"{path} has no column of steps or epochs. {advice}")
    return first[0] if first else None


def _is_step(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in STEP_COLUMNS.split()


def progress(path: Path) -> tuple[float, int]:
    """Return the global step and the number of records of a `trainer_state.json`, to find the last of several.

    A damaged one may be the last one.
    """
    try:
        found = read_json(path)
    except UnreadableFileError:
        return math.inf, 0
    found = found if isinstance(found, dict) else {}
    step, records = found.get("global_step"), found.get("log_history")
    return float(step) if isinstance(step, int | float) else -math.inf, len(records) if isinstance(records, list) else 0
