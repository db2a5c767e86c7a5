"""Drawing the figures of a report, here or by a process that loads matplotlib while the store is being read."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plot:
    """A figure of a section: its file, alternative text, what to look for, and the function that draws it.

    `function` is a name in `ablate.figures`, `arguments` are plain data, so that another process can draw it.
    """

    section: str
    file: str
    words: str
    caption: str
    function: str
    arguments: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The file, from the report's folder."""
        return f"figures/{self.file}"


@contextmanager
def figure_pool() -> Iterator[Executor]:
    """A process that draws; it loads what it needs as soon as this is entered. A second one would not pay."""
    context = multiprocessing.get_context("spawn")  # a fork would take along threads and database connections
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load)
    try:
        pool.submit(_nothing)
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load() -> None:
    """Import what drawing needs; an interruption is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import ablate.figures  # noqa: F401  # so that the work to come finds it loaded


def _nothing() -> None:
    """Make the pool start its process."""


def draw_all(plots: Sequence[Plot], folder: Path, pool: Executor | None = None) -> None:
    """Draw the plots into `folder`/figures; `pool`, if it works here, takes the larger half of the work."""
    tasks = [(plot.function, dict(plot.arguments), folder / plot.path) for plot in plots]
    theirs, ours = _shares(plots) if pool else ([], list(range(len(tasks))))
    try:
        futures = [pool.submit(_draw, *tasks[place]) for place in theirs] if pool else []
        for place in ours:
            _draw(*tasks[place])
        for future in futures:
            future.result()
    except BrokenProcessPool:  # no process to be had here, or it was killed
        for place in range(len(tasks)):
            _draw(*tasks[place])


def _shares(plots: Sequence[Plot]) -> tuple[list[int], list[int]]:
    """The places of the plots that the other process draws, and of those that are left to this one."""
    theirs: list[int] = []
    ours: list[int] = []
    loads = [0.0, _LOADING]
    for place in sorted(range(len(plots)), key=lambda place: -_effort(plots[place])):
        taker = 0 if loads[0] <= loads[1] else 1
        (theirs, ours)[taker].append(place)
        loads[taker] += _effort(plots[place])
    return theirs, ours


_LOADING = 12.0
"""What importing matplotlib costs this process, in panels drawn."""


def _effort(plot: Plot) -> float:
    """About how long a plot takes, in panels: each variant has one in the curves and the slopes."""
    panels = plot.arguments.get("histories") or plot.arguments.get("pairs") or ()
    return 4.0 + len(panels)


def _draw(function: str, arguments: Mapping[str, Any], path: Path) -> None:
    from ablate import figures

    getattr(figures, function)(**arguments, path=path)
