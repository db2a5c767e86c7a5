"""Read the runs of a folder of TensorBoard logs: scalars, and hyperparameters where they were recorded.

A folder with event files is a run. Some folders in it are parts of the run: those of `add_hparams` (a time as name), of
`add_scalars` (`TAG_KEY`), and those of the data sets of one training (`train`, `validation`, ...).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.sources.readers.configuration_files import read_yaml
from ablate.report.sources.readers.event_file import CorruptError, EventFile, read_event_file
from ablate.report.sources.readers.run_table import (
    UNREADABLE,
    Curve,
    RunTable,
    UnreadableFileError,
    cell,
    flat,
    table_of_rows,
)
from ablate.report.sources.run_names import without_times
from ablate.wording import count, listed

EVENTS = "*tfevents*"
PARTS = "train training validation valid val test testing eval evaluation dev"
"""Names of folders that hold the metrics of one data set of a run, as Keras writes them."""

CORRUPT = "with a damaged event file"
EMPTY = "without scalars and hyperparameters"

HPARAMS, CONFIG = "hparams.yaml", "config.yaml"
"""The files of Lightning: hyperparameters, which with `default_hp_metric=False` are nowhere else, and all arguments of
`LightningCLI`, of which the event files lack the seed."""

_HOST = re.compile(r"tfevents\.\d+\.(.+?)(?:\.\d+\.\d+)?(?:\.v2)?$")
_TIME = re.compile(r"\d{9,}(?:\.\d+)?")
_TUPLE = re.compile(r"\([^()]*,[^()]*\)")
_MARKDOWN_HEAD = re.compile(r"\|\s*param\s*\|\s*value\s*\|\s*\n\|[\s:|-]+\|\s*\n", re.IGNORECASE)
"""The table in which CleanRL and programs made from it record their arguments as text."""


@dataclass
class _Run:
    """What the folders of a run contain."""

    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    single: set[str] = field(default_factory=set)
    params: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    def restart(self, prefix: str, step: int) -> None:
        """Remove the values from a step on, at which the program of the next file continued the run."""
        for name, points in self.points.items():
            if name.startswith(prefix):
                self.points[name] = [point for point in points if point[0] < step]


def read_tensorboard(folder: Path) -> RunTable:
    """Return the runs of all folders below `folder`: `params.NAME`, and `status` where the hparams plugin recorded it.

    The index is the path of a run below `folder`. Runs with a damaged file are set aside. An incomplete last
    event and values that were recorded twice at a step become cautions. Raises UserError for a folder without any.
    """
    if not folder.is_dir():
        raise UserError(f"Folder not found: {folder}")
    folders = sorted({path.parent for path in folder.rglob(EVENTS) if path.is_file()})
    if not folders:
        raise UserError(f"No TensorBoard event files (*tfevents*) in {folder.resolve()}")
    runs: dict[str, _Run] = {}
    aside: dict[str, list[str]] = {}
    damaged: list[str] = []
    for top, parts in _grouped(folders, folder).items():
        name = top.relative_to(folder).as_posix() if top != folder else folder.resolve().name
        try:
            run = _read_run(top, parts)
        except UnreadableFileError as error:
            aside.setdefault(CORRUPT if isinstance(error, CorruptError) else UNREADABLE, []).append(name)
            damaged.append(f"{error}.")
            continue
        if run.points or run.params:
            runs[name] = run
        else:
            aside.setdefault(EMPTY, []).append(name)
    if not runs:
        raise UserError(damaged[0] if damaged else f"The event files in {folder.resolve()} contain no scalars")
    curves = {name: {tag: _curve(run, tag) for tag in run.points} for name, run in runs.items()}
    cautions = [*damaged[:3], *_cautions(runs, curves)]
    source = f"TensorBoard logs in {folder}"
    names = [without_times(name, run.hosts.pop() if len(run.hosts) == 1 else "") for name, run in runs.items()]
    files = sorted(set[str]().union(*(run.files for run in runs.values())))
    statement = f"params: {', '.join(files)}" if files else ""
    return RunTable(
        source, _table(runs), "run", aside, curves,
        are_names=True, names=names, cautions=cautions, statement=statement,
    )  # fmt: skip


def _grouped(folders: Sequence[Path], root: Path) -> dict[Path, list[Path]]:
    """Return the folders of each run by the folder that names it."""
    known, groups = set(folders), dict[Path, list[Path]]()
    for folder in folders:
        parent = folder.parent
        is_part = folder != root and (
            folder.name.lower() in PARTS.split()
            or (parent in known and (_TIME.fullmatch(folder.name) is not None or _key(folder) is not None))
        )
        groups.setdefault(parent if is_part else folder, []).append(folder)
    return groups


def _key(folder: Path) -> tuple[str, str] | None:
    """Return the tag and the key of a folder of `add_scalars`, whose name consists of both; None for other folders."""
    try:
        tags = [tag for _, events in _contents(folder) for tag in events.points]
    except CorruptError:
        return None
    prefix = f"{tags[0].replace('/', '_')}_" if len(set(tags)) == 1 else ""
    return (tags[0], folder.name.removeprefix(prefix)) if prefix and folder.name.startswith(prefix) else None


def _contents(folder: Path) -> Iterator[tuple[Path, EventFile]]:
    for path in sorted(folder.glob(EVENTS)):
        if path.is_file():
            yield path, read_event_file(path)


def _read_run(top: Path, folders: Sequence[Path]) -> _Run:
    run = _Run()
    for folder in folders:
        is_set = folder != top and folder.name.lower() in PARTS.split()
        for path, events in _contents(folder):
            key = None if folder == top or is_set or _TIME.fullmatch(folder.name) else _key(folder)
            if events.restart is not None:
                run.restart(f"{folder.name}/" if is_set else "", events.restart)
            for tag, points in events.points.items():
                name = f"{folder.name}/{tag}" if is_set else f"{tag}/{key[1]}" if key else tag
                run.points.setdefault(name, []).extend(points)
                run.single |= {name} if tag in events.single else set()
            _add_params(run, {**_in_markdown(events.texts), **as_text(events.params)}, path)
            run.ended += [] if events.ended is None else [events.ended]
            run.incomplete += [str(path)] if events.incomplete else []
            run.hosts |= set(_HOST.findall(path.name))
    for file in (HPARAMS, CONFIG):
        if (file == CONFIG or not run.params) and (top / file).is_file() and (found := _in_file(top / file)):
            run.params = found | run.params
            run.files.add(file)
    return run


def _in_file(path: Path) -> dict[str, str]:
    """Return the parameters in a YAML file, with the names and the None of the hparams plugin: `model/depth`."""
    found = read_yaml(path)
    texts = {key: cell(value) for key, value in flat(found)} if isinstance(found, dict) else {}
    return {key.replace(".", "/"): "None" if text in ("null", "~") else text for key, text in texts.items()}


def as_text(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as text; a tuple, which PyTorch records as `(16,)`, as the list that other files have."""
    texts = {name: cell(value) for name, value in params.items()}
    return {
        name: f"[{text[1:-1].strip().removesuffix(',')}]" if _TUPLE.fullmatch(text) else text
        for name, text in texts.items()
    }


def _in_markdown(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the arguments of a program that recorded them as a Markdown table with the columns param and value."""
    found: dict[str, str] = {}
    for text in texts.values():
        if head := _MARKDOWN_HEAD.match(text):
            for line in text[head.end() :].splitlines():
                name, separator, value = line.strip().removeprefix("|").removesuffix("|").partition("|")
                found |= {name.strip(): value.strip()} if separator else {}
    return found


def _add_params(run: _Run, params: Mapping[str, str], path: Path) -> None:
    for name, value in params.items():
        if run.params.setdefault(name, value) != value:
            raise UserError(
                f"The run of {path} has two values of {name}: {run.params[name]} and {value}. Keep the event files of "
                "each run in a folder of their own"
            )


def _table(runs: Mapping[str, _Run]) -> Any:
    has_status = any(run.ended for run in runs.values())
    return table_of_rows(
        {
            name: {
                **({"status": _status(run)} if has_status else {}),
                **{f"params.{key}": value for key, value in run.params.items()},
            }
            for name, run in runs.items()
        }
    )


def _status(run: _Run) -> str:
    """Return the end of the sessions of a run; of several the first one that is not a success."""
    if not run.ended:
        return "no session"
    return next((word or "session without end" for word in run.ended if word != "success"), "success")


def _curve(run: _Run, tag: str) -> Curve:
    """Return the values of a tag by step; the last one counts where there are several at a step."""
    values = dict(run.points[tag])
    steps = sorted(values)
    return Curve(array("d", steps), array("d", map(values.__getitem__, steps)), tag in run.single)


def _replaced(points: Sequence[tuple[int, float]]) -> int:
    """Return the number of values that another one at the same step replaces."""
    last = dict(points)
    return sum(str(value) != str(last[step]) for step, value in points)  # as texts, NaN is equal to NaN


def _cautions(runs: Mapping[str, _Run], curves: Mapping[str, Mapping[str, Curve]]) -> list[str]:
    cautions = []
    incomplete = [path for run in runs.values() for path in run.incomplete]
    if incomplete:
        cautions.append(
            f"The last event is incomplete in {count(len(incomplete), 'file')}, whose program was stopped or is still "
            f"writing: {listed(incomplete, 3)}."
        )
    twice = {
        f"{name} ({tag}: {number})"
        for name, run in runs.items()
        for tag, points in run.points.items()
        if len(points) > len(curves[name][tag].steps) and (number := _replaced(points))
    }
    if twice:
        cautions.append(
            f"Values were recorded more than once at a step, and the last one counts: {listed(sorted(twice), 3)}. If "
            "several programs wrote into one folder, their values are mixed."
        )
    return cautions
