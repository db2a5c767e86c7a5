"""The contract of all readers: a source of runs becomes a `RunTable` of text cells, and every run is accounted for."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ablate import DISTRIBUTION
from ablate.errors import UserError
from ablate.report.sources.equal_values import is_number

if TYPE_CHECKING:
    import pandas as pd


UNREADABLE = "with a file that cannot be read"
"""The reason why runs are set aside whose files are damaged, half-written or not what their names say."""


class UnreadableFileError(UserError):
    """A file of one run cannot be read. In a folder of several runs, that run is set aside."""


class MissingLibraryError(UserError):
    """A library that a kind of file needs is not installed."""


@dataclass(frozen=True)
class Curve:
    """The values of a metric of one run, in ascending order of steps that differ.

    Attributes:
        steps: Steps or epochs.
        values: The value at each step.
        single: Whether the values are floats of 32 bits, whose text has fewer digits.
        texts: The recorded texts by step, where they are not plain numbers: `diverged`, whose value is NaN, or `93.1%`.
    """

    steps: Sequence[float]
    values: Sequence[float]
    single: bool = False
    texts: Mapping[float, str] = field(default_factory=dict)

    def at(self, step: float) -> str:
        """Return the value at a step as the text of a cell; empty if there is none."""
        place = bisect_left(self.steps, step)
        if place == len(self.steps) or self.steps[place] != step:
            return ""
        if step in self.texts:
            return self.texts[step]
        return short_float(self.values[place]) if self.single else str(self.values[place])


@dataclass(frozen=True)
class DrawnCurves:
    """What the report draws of the histories of runs.

    Attributes:
        metrics: Names of the metrics, the compared one first if it has several values per run.
        score: The compared metric, if it is one of them.
        scored_steps: The step by row whose value of the compared metric is the score.
        choice: This step in words: `the last step`, `step 10`.
        axis: Name of the steps.
    """

    metrics: Sequence[str] = ()
    score: str = ""
    scored_steps: Mapping[Any, float] = field(default_factory=dict)
    choice: str = ""
    axis: str = "step"


@dataclass(frozen=True)
class RunTable:
    """The runs of a source as they were found, before any check.

    Attributes:
        source: The source in words, for the report: `runs.jsonl`, `the MLflow experiment theirs`.
        table: One row per run, or per run and step; cells are text, empty where a run has no value. The index names the
            row in messages.
        row_word: The word before that name: `line` for line 3, `run`, `row`.
        set_aside: The names of runs that are not in the table, by reason, such as `with a half-written line`.
        histories: Curves by row of the table and name of the metric, for sources that record a metric more than once.
            The table has no column of these metrics.
        load_curves: Loads the curves of a row by name, of some metrics, for sources whose histories are read later.
        drawn: What the report draws of the histories.
        last_steps: The last step of each metric by row, for sources that give only the last value of a metric. None for
            other sources.
        are_summaries: Whether the values of the table are those of summaries, which may be other than the last ones.
        diverged: Rows of the table whose history ends with NaN or infinity. Their runs are unstable.
        metric: The metric that is compared without a choice; empty if the source has no such metric.
        goals: `max` or `min` by metric, of metrics whose goal the source declares.
        are_names: Whether the index has names of runs, which may end with the seed.
        names: Names of the runs, without their seeds once these are known; empty if they are the index.
        statement: How the source was read, where there was a choice; empty if there was none.
        cautions: Warnings about the source.
    """

    source: str
    table: pd.DataFrame
    row_word: str
    set_aside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    histories: Mapping[Any, Mapping[str, Curve]] = field(default_factory=dict)
    load_curves: Callable[[Any, Sequence[str]], Mapping[str, Curve]] | None = None
    drawn: DrawnCurves = field(default_factory=DrawnCurves)
    last_steps: Mapping[Any, Mapping[str, float]] | None = None
    are_summaries: bool = False
    diverged: Sequence[Any] = ()
    metric: str = ""
    goals: Mapping[str, str] = field(default_factory=dict)
    are_names: bool = False
    names: Sequence[str] = ()
    statement: str = ""
    cautions: Sequence[str] = ()

    @property
    def has_one_row_per_run(self) -> bool:
        """Whether a row is a run even where a step is chosen; otherwise the rows may be the steps of runs."""
        return bool(self.histories) or self.last_steps is not None

    def row_name(self, row: Any) -> str:
        """Return the name of a row in messages: `line 3`."""
        return f"{self.row_word} {row}".strip()


Reader = Callable[[], RunTable]
"""A reader with its source bound to it. It raises UserError, in one line, for a source that it cannot read."""


def cell(value: Any) -> str:
    """Return a value of a configuration or a result as text: `true`, `0.1`, `[64, 32]`, empty for None."""
    if value is None:
        return ""
    if isinstance(value, list | Mapping):
        return _json(value)
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _json(value: Any) -> str:
    """Return a value as JSON; numbers, true, false and null that a reader keeps as texts have no quotation marks."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(str(name))}: {_json(item)}' for name, item in value.items())}}}"
    if isinstance(value, str) and (is_number(value) or value in ("true", "false", "null", "NaN")):
        return value
    return json.dumps(value, default=str)


def short_float(value: float) -> str:
    """Return a float of 32 bits with the fewest digits that identify it: 0.1 instead of 0.10000000149."""
    import numpy as np

    return str(np.float32(value))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of nested mappings, with points between the names: `optimizer.lr`."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def table_of_rows(rows: Mapping[Any, Mapping[str, str]]) -> pd.DataFrame:
    """Return rows by name as a table, with an empty cell where a row lacks a column."""
    import pandas as pd

    columns = dict.fromkeys(name for row in rows.values() for name in row)
    cells = {name: [row.get(name, "") for row in rows.values()] for name in columns}
    return pd.DataFrame(cells, index=list(rows), columns=list(columns), dtype=str)


def optional_library(name: str, extra: str, path: Path) -> ModuleType:
    """Return a library that only this kind of file needs.

    Raises MissingLibraryError with the command that installs it.
    """
    library = name.partition(".")[0]
    missing = MissingLibraryError(f"{path} needs {library}: pip install '{DISTRIBUTION}[{extra}]'")
    try:
        module = import_module(name)
    except ImportError:
        raise missing from None
    if module.__file__ is None:  # a folder of that name, such as `wandb`, in the current folder
        raise missing
    return module


def check_content(path: Path, start: bytes) -> None:
    """Raise UnreadableFileError for a Git LFS pointer, which is recognised by its first bytes."""
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        raise UnreadableFileError(f"{path} is a Git LFS pointer. Fetch the file itself with `git lfs pull`")


def first_doubled(names: Iterable[str]) -> str | None:
    """Return the first name that occurs more than once."""
    return next((name for name, number in Counter(names).items() if number > 1), None)
