"""Plots of a report as data, and their rendering, partly by a second process that loads matplotlib early."""

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

_LOADING = 12.0
"""Time to import matplotlib in this process, in panels drawn."""


@dataclass(frozen=True)
class Plot:
    """A plot of a report section.

    Attributes:
        section: The section that contains it.
        file: Name of the file.
        description: Alternative text.
        caption: What the plot shows.
        function: Name of the function in `ablate.figures` that draws it.
        arguments: Its arguments, as plain data that another process can receive.
    """

    section: str
    file: str
    description: str
    caption: str
    function: str
    arguments: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Path of the file relative to the report's folder."""
        return f"figures/{self.file}"


@contextmanager
def figure_pool() -> Iterator[Executor]:
    """Start a process that draws plots, and loads what it needs at once. More processes would not be faster."""
    context = multiprocessing.get_context("spawn")  # a fork would copy threads and database connections
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load)
    try:
        pool.submit(_nothing)
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load() -> None:
    """Import what drawing needs; leave interruptions to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import ablate.figures  # noqa: F401  # loaded before the first plot


def _nothing() -> None:
    """Do nothing, so that the pool starts its process."""


def draw_all(plots: Sequence[Plot], folder: Path, pool: Executor | None = None) -> None:
    """Draw the plots into `folder`/figures; `pool`, if available, draws the larger half."""
    tasks = [(plot.function, dict(plot.arguments), folder / plot.path) for plot in plots]
    for_pool, here = _shares(plots) if pool else ([], list(range(len(tasks))))
    try:
        futures = [pool.submit(_draw, *tasks[place]) for place in for_pool] if pool else []
        for place in here:
            _draw(*tasks[place])
        for future in futures:
            future.result()
    except BrokenProcessPool:  # the process could not start, or was killed
        for place in range(len(tasks)):
            _draw(*tasks[place])


def _shares(plots: Sequence[Plot]) -> tuple[list[int], list[int]]:
    """Return the indices of the plots for the other process, and for this one."""
    for_pool: list[int] = []
    here: list[int] = []
    loads = [0.0, _LOADING]
    for place in sorted(range(len(plots)), key=lambda place: -_effort(plots[place])):
        taker = 0 if loads[0] <= loads[1] else 1
        (for_pool, here)[taker].append(place)
        loads[taker] += _effort(plots[place])
    return for_pool, here


def _effort(plot: Plot) -> float:
    """Return the approximate drawing time in panels: curves and slopes have one per variant."""
    panels = plot.arguments.get("histories") or plot.arguments.get("pairs") or ()
    return 4.0 + len(panels)


def _draw(function: str, arguments: Mapping[str, Any], path: Path) -> None:
    from ablate import figures

    getattr(figures, function)(**arguments, path=path)
