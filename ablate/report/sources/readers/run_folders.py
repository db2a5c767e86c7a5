"""Read a folder of runs: each folder with a file of metrics is a run, with the configuration next to it or above it."""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import UserError
from ablate.report.sources.readers.configuration_files import CONFIGURATIONS, existing, read_configuration
from ablate.report.sources.readers.recorded_texts import split_texts
from ablate.report.sources.readers.run_files import (
    HUGGING_FACE,
    METRIC_FILES,
    REPEATED_BY_HUGGING_FACE,
    Metrics,
    later_results,
    metric_file,
    progress,
    read_metrics,
    require_one,
)
from ablate.report.sources.readers.run_table import (
    UNREADABLE,
    DrawnCurves,
    RunTable,
    UnreadableFileError,
    table_of_rows,
)
from ablate.report.sources.readers.table_files import cut_files
from ablate.report.sources.readers.tensorboard_runs import EVENTS
from ablate.report.sources.readers.wandb_folder import RUN_FOLDER
from ablate.wording import count, listed

NO_METRICS = "with a configuration, but without metrics"
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_MOST_CAUTIONS, _MOST_CANDIDATES = 3, 3
TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".json", ".log")
"""Endings of files that may have metrics."""

_UNENDED = ", whose last lines have no line end and count"

Tree = Mapping[Path, Collection[str]]
"""The names of the files in each folder, the uppermost folder first."""


def read_run_folders(folder: Path, step_param: str | None = None, metrics_file: str | None = None) -> RunTable:
    """Return the runs in all folders below `folder`: `params.NAME`, texts as `metrics.NAME`, histories of metrics.

    The index is the path of a run below `folder`. Runs with a configuration and without metrics are set aside, as are
    those with a file that cannot be read.

    Args:
        folder: The folder.
        step_param: Column of the steps; None for `step`, `epoch` and similar names.
        metrics_file: Name of the files with metrics; None for the known names.

    Raises:
        UserError: No runs found, or no run can be read.
    """
    if not folder.is_dir():
        raise UserError(f"Folder not found: {folder}")
    tree, of_wandb = _tree(folder)
    files = _metric_files(tree, metrics_file)
    of_tensorboard = [path for path, names in tree.items() if path not in files and fnmatch.filter(names, EVENTS)]
    if not files and of_wandb:
        raise UserError(f"{folder} contains folders of W&B runs and no others. Read them with --wandb {folder}")
    if not files and of_tensorboard and not _candidates(tree):
        raise UserError(f"{folder} contains TensorBoard logs and no files of metrics. Read it with --tensorboard")
    if not files:
        known = metrics_file or "metrics.csv, trainer_state.json, results.json, ..."
        where = f"No files of metrics ({known}) in {folder.resolve()}"
        raise UserError(f"{where}. Name them with --metrics-file{_candidates(tree)}")
    cut, are_unended = cut_files(files.values())
    runs, unreadable = _read_runs(tree, files, cut, step_param)
    if not runs:
        raise next(iter(unreadable.values()))
    names = {place: place.relative_to(folder).as_posix() if place != folder else folder.resolve().name
             for place in files}  # fmt: skip
    idle = _idle(tree, files)
    other_logs = [path for path in idle if path in of_tensorboard]
    without = [path.relative_to(folder).as_posix() for path in idle if path not in other_logs]
    aside = {UNREADABLE: [names[place] for place in unreadable], NO_METRICS: without}
    texts, histories = split_texts({names[place]: run.metrics.curves for place, run in runs.items()})
    rows = {names[place]: {**run.params, **texts[names[place]]} for place, run in runs.items()}
    axes = {run.metrics.axis for run in runs.values()}
    cautions = [f"{error}." for error in unreadable.values()]
    cautions += [text for run in runs.values() for text in (*run.metrics.cautions, *run.cautions)]
    return RunTable(
        f"the folder {folder}",
        table_of_rows(rows),
        "run",
        {reason: found for reason, found in aside.items() if found},
        histories,
        drawn=DrawnCurves(axis=axes.pop() if len(axes) == 1 else "step"),
        are_names=True,
        statement=f"metrics: {listed(sorted({path.name for path in files.values()}), 3)}{_UNENDED * are_unended}",
        cautions=[*_other_logs(of_wandb, other_logs), *_repeated(runs, names), *_shortened(cautions, folder)],
    )


@dataclass(frozen=True)
class _Run:
    """What the files of a run contain: `params.NAME`, metrics, and warnings."""

    params: Mapping[str, str]
    metrics: Metrics
    cautions: Sequence[str]


def _read_runs(
    tree: Tree, files: Mapping[Path, Path], cut: Collection[Path], step_param: str | None
) -> tuple[dict[Path, _Run], dict[Path, UnreadableFileError]]:
    """Return the runs by their folder, and the errors of those with a file that cannot be read."""
    known: dict[Path, Mapping[str, str]] = {}
    runs, unreadable = {}, {}
    for place, path in files.items():
        try:
            metrics = read_metrics(path, step_param, is_cut=path in cut)
            params = _configuration(path.parent, tree, known)
            params |= {f"params.{name}": value for name, value in metrics.settings.items()}
            runs[place] = _Run(params, metrics, later_results(path, place, metrics))
        except UnreadableFileError as error:
            unreadable[place] = error
    return runs, unreadable


def _configuration(folder: Path, tree: Tree, known: dict[Path, Mapping[str, str]]) -> dict[str, str]:
    """Return the parameters in a folder and those above it; `known` has those of the folders that were read before."""
    found: dict[str, str] = {}
    for one in reversed([folder, *folder.parents]):
        if one in tree:
            if one not in known:
                known[one] = read_configuration(one, tree[one])
            found |= {f"params.{name}": value for name, value in known[one].items()}
    return found


def _idle(tree: Tree, files: Mapping[Path, Path]) -> list[Path]:
    """Return the folders with a configuration but without a run in, below or above them."""
    occupied = {*files, *(above for place in files for above in place.parents)}
    return [
        path
        for path, names in tree.items()
        if path not in occupied and existing(path, CONFIGURATIONS, names) and files.keys().isdisjoint(path.parents)
    ]


def _repeated(runs: Mapping[Path, _Run], names: Mapping[Path, str]) -> list[str]:
    """Return a warning if runs have several values of a metric at a step."""
    found = {names[place]: run.metrics.repeated for place, run in runs.items() if run.metrics.repeated}
    metrics = dict.fromkeys(name for repeated in found.values() for name in repeated)
    if not found:
        return []
    return [
        f"{count(len(found), 'run')} recorded {listed(metrics, 3)} more than once at a step, and the last value "
        f"counts: {listed(found, 3)}."
    ]


def _shortened(cautions: Sequence[str], folder: Path) -> list[str]:
    """Return the first cautions, and the number of the others."""
    rest = len(cautions) - _MOST_CAUTIONS
    others = [f"{count(rest, 'similar warning')} in {folder.resolve()}."] if rest > 0 else []
    return [*cautions[:_MOST_CAUTIONS], *others]


def _tree(top: Path) -> tuple[Tree, list[Path]]:
    """Return the folders in which files of runs may be, and those of W&B runs, whose files they are not.

    Links to other folders below `top`, such as `latest`, are left out; those to a folder elsewhere are folders. The
    folders below a link are read unless it is in the folder of a run, where it may lead to data.
    """
    found: dict[Path, Collection[str]] = {}
    of_wandb: list[Path] = []
    seen, waiting = set[Path](), [top]
    while waiting:
        start = waiting.pop(0)
        target = start.resolve()
        for place, folders, files in os.walk(start):
            here = Path(place)
            actual = target / here.relative_to(start)
            is_wandb = RUN_FOLDER.fullmatch(here.name) is not None and "files" in folders
            if actual in seen or is_wandb:
                of_wandb += [here] if is_wandb else []
                folders.clear()
                continue
            seen.add(actual)
            found[here] = frozenset(files)
            folders[:] = [name for name in folders if name != ".hydra"]
            links = _links_elsewhere(here, folders, top)
            if {*METRIC_FILES, *CONFIGURATIONS}.isdisjoint(files):
                waiting += links
            else:
                found |= {link: {path.name for path in link.iterdir() if path.is_file()} for link in links}
    return {path: found[path] for path in sorted(found)}, sorted(of_wandb)


def _links_elsewhere(folder: Path, names: Sequence[str], top: Path) -> list[Path]:
    """Return the links in a folder to folders that are neither below `top` nor above it."""
    targets = {link: link.resolve() for link in sorted(map(folder.joinpath, names)) if link.is_symlink()}
    here = top.resolve() if targets else top
    return [
        link for link, target in targets.items() if not (target.is_relative_to(here) or here.is_relative_to(target))
    ]


def _candidates(tree: Tree) -> str:
    """Return the names of tables in most folders, to follow an error; empty without tables."""
    found = Counter(
        name for names in tree.values() for name in names if Path(name).suffix in TABLES and name not in CONFIGURATIONS
    )
    common = [f"{name} ({count(number, 'folder')})" for name, number in found.most_common(_MOST_CANDIDATES)]
    return f". Found: {listed(common)}" if common else ""


def _other_logs(of_wandb: Sequence[Path], of_tensorboard: Sequence[Path]) -> list[str]:
    """Return cautions on logs of other readers, which record the same runs as the files of metrics or further ones."""
    kinds = (of_wandb, "W&B runs", "--wandb"), (of_tensorboard, "TensorBoard logs", "--tensorboard")
    return [
        f"{count(len(folders), 'folder')} of {kind} not read. Read them with {option}."
        for folders, kind, option in kinds
        if folders
    ]


def _metric_files(tree: Tree, asked: str | None) -> dict[Path, Path]:
    """Return the files of metrics by the folder of the run.

    Of the file of a run and those of its checkpoints, the one with the highest step counts. At equal steps it is the
    one with the most records: a final evaluation is recorded after the last checkpoint.
    """
    files: dict[Path, Path] = {}
    top = next(iter(tree))
    for folder, names in tree.items():
        path = metric_file(folder, names, asked)
        if path is None:
            continue
        is_checkpoint = path.name == HUGGING_FACE and _CHECKPOINT.fullmatch(folder.name) is not None
        place = folder.parent if is_checkpoint and folder != top else folder
        other = files.get(place)
        if other is not None and other.name not in (HUGGING_FACE, *REPEATED_BY_HUGGING_FACE):
            require_one([other, path])
        if other is None or other.name != HUGGING_FACE or progress(path) > progress(other):
            files[place] = path
    return files
