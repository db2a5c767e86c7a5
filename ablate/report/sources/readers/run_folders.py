"""Read a folder of runs: each folder with a file of metrics is a run, with the configuration next to it or above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import UserError
from ablate.report.sources.readers.recorded_texts import split_texts
from ablate.report.sources.readers.run_files import (
    CONFIGURATIONS,
    HUGGING_FACE,
    REPEATED_BY_HUGGING_FACE,
    later_results,
    metric_file,
    progress,
    read_configuration,
    read_metrics,
    require_one,
)
from ablate.report.sources.readers.run_table import DrawnCurves, RunTable, table_of_rows
from ablate.report.sources.readers.table_files import cut_files
from ablate.report.sources.readers.wandb_folder import RUN_FOLDER
from ablate.wording import count, listed

NO_METRICS = "with a configuration, but without metrics"
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_MOST_CAUTIONS = 3
_UNENDED = ", whose last lines have no line end and count"


def read_run_folders(folder: Path, step_param: str | None = None, metrics_file: str | None = None) -> RunTable:
    """Return the runs in all folders below `folder`: `params.NAME`, texts as `metrics.NAME`, histories of metrics.

    The index is the path of a run below `folder`. Runs with a configuration and without metrics are set aside.

    Args:
        folder: The folder.
        step_param: Column of the steps; None for `step`, `epoch` and similar names.
        metrics_file: Name of the files with metrics; None for the known names.

    Raises:
        UserError: No runs found, or a file cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"Folder not found: {folder}")
    folders, of_wandb = _folders(folder)
    files = _metric_files(folders, metrics_file)
    if not files and of_wandb:
        raise UserError(f"{folder} contains folders of W&B runs and no others. Read them with --wandb {folder}")
    if not files:
        names = metrics_file or "metrics.csv, trainer_state.json, results.json, ..."
        raise UserError(f"No files of metrics ({names}) in {folder.resolve()}. Name them with --metrics-file")
    known = {path: read_configuration(path) for path in folders}
    rows, histories, cautions, axes = {}, {}, _of_wandb(of_wandb), set[str]()
    cut, are_unended = cut_files(files.values())
    for place, path in files.items():
        name = place.relative_to(folder).as_posix() if place != folder else folder.resolve().name
        metrics = read_metrics(path, step_param, is_cut=path in cut)
        above = [one for one in reversed([path.parent, *path.parent.parents]) if one in known]
        params = {key: value for one in above for key, value in known[one].items()}
        rows[name] = {f"params.{key}": value for key, value in params.items()}
        histories[name] = metrics.curves
        cautions += [*metrics.cautions, *later_results(path, place, metrics)]
        axes.add(metrics.axis)
    texts, histories = split_texts(histories)
    occupied = {*files, *(above for place in files for above in place.parents)}
    idle = [path.relative_to(folder).as_posix() for path in folders
            if path not in occupied and files.keys().isdisjoint(path.parents) and _has_configuration(path)]  # fmt: skip
    return RunTable(
        f"the folder {folder}",
        table_of_rows({name: {**row, **texts[name]} for name, row in rows.items()}),
        "run",
        {NO_METRICS: idle} if idle else {},
        histories,
        drawn=DrawnCurves(axis=axes.pop() if len(axes) == 1 else "step"),
        are_names=True,
        statement=f"metrics: {listed(sorted({path.name for path in files.values()}), 3)}{_UNENDED * are_unended}",
        cautions=_shortened(cautions, folder),
    )


def _shortened(cautions: Sequence[str], folder: Path) -> list[str]:
    """Return the first cautions, and the number of the others."""
    rest = len(cautions) - _MOST_CAUTIONS
    others = [f"{count(rest, 'similar warning')} in {folder.resolve()}."] if rest > 0 else []
    return [*cautions[:_MOST_CAUTIONS], *others]


def _folders(top: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders in which files of runs may be, and those of W&B runs, whose files they are not."""
    found = [top, *sorted(path for path in top.rglob("*") if path.is_dir() and path.name != ".hydra")]
    of_wandb = [path for path in found if RUN_FOLDER.fullmatch(path.name) and (path / "files").is_dir()]
    theirs = set(of_wandb)
    return [path for path in found if theirs.isdisjoint([path, *path.parents])], of_wandb


def _of_wandb(folders: Sequence[Path]) -> list[str]:
    """Return a caution if there are folders of W&B runs, which record the same runs as other files or further ones."""
    return [f"{count(len(folders), 'folder')} of W&B runs not read. Read them with --wandb."] if folders else []


def _metric_files(folders: Sequence[Path], asked: str | None) -> dict[Path, Path]:
    """Return the files of metrics by the folder of the run.

    Of the file of a run and those of its checkpoints, the one with the highest step counts. At equal steps it is the
    one with the most records: a final evaluation is recorded after the last checkpoint.
    """
    files: dict[Path, Path] = {}
    for folder in folders:
        path = metric_file(folder, asked)
        if path is None:
            continue
        is_checkpoint = path.name == HUGGING_FACE and _CHECKPOINT.fullmatch(folder.name) is not None
        place = folder.parent if is_checkpoint and folder != folders[0] else folder
        other = files.get(place)
        if other is not None and other.name not in (HUGGING_FACE, *REPEATED_BY_HUGGING_FACE):
            require_one([other, path])
        if other is None or other.name != HUGGING_FACE or progress(path) > progress(other):
            files[place] = path
    return files


def _has_configuration(folder: Path) -> bool:
    return any((folder / name).is_file() for name in CONFIGURATIONS)
