"""Plots of a report as data, and their rendering, partly by a second process that loads matplotlib early."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ablate import console

Medium = Literal["screen", "page", "column", "phone"]
Format = Literal["pdf", "svg"]

_LOADING = 12.0
"""Time to import matplotlib in this process, in panels drawn."""


@dataclass(frozen=True)
class Plot:
    """A plot of a report section.

    Attributes:
        section: The section that contains it.
        file: Name of the file.
        description: Alternative text.
        caption: Description of the plot.
        function: Name of the function in `ablate.figures` that draws it.
        arguments: Its arguments, as plain data that another process can receive.
        medium: The medium that sets its width, see `ablate.figures.media`. A plot for a phone is shown instead of the
            wide one of the same name on narrow screens, see `ablate.report.formats.html`.
    """

    section: str
    file: str
    description: str
    caption: str
    function: str
    arguments: Mapping[str, Any]
    medium: Medium = "screen"

    @property
    def path(self) -> str:
        """Path of the file relative to the report's folder."""
        return f"figures/{self.file}"

    def again(self, ending: str, medium: Medium) -> Plot:
        """Return the plot for another medium, in a file whose name has another ending."""
        return replace(self, section="", file=self.file.removesuffix(".png") + ending, medium=medium)


@dataclass(frozen=True)
class Drawing:
    """How the plots of a report are drawn.

    Attributes:
        pool: A process that draws a part of the plots, see `figure_pool`.
        formats: Formats in which each plot is drawn again next to the PNG, for a paper.
        medium: The width of these.
    """

    pool: Executor | None = None
    formats: Sequence[Format] = ()
    medium: Medium = "page"

    def again(self, plots: Sequence[Plot]) -> list[Plot]:
        """Return the plots for phones, and in the formats for a paper. Pictures of pixels have neither."""
        charts = [plot for plot in plots if plot.function != "existing"]
        return [
            *(plot.again("-narrow.png", "phone") for plot in charts),
            *(plot.again(f".{kind}", self.medium) for plot in charts for kind in self.formats),
        ]

    def description(self) -> str:
        """Return the further files in words; empty if there are none."""
        kinds = " and ".join(kind.upper() for kind in self.formats)
        width = {"page": "6.9 inches, the width of a page", "column": "3.3 inches, one of two columns"}[self.medium]
        return f"Figures for a paper: `figures/`, as {kinds} next to the PNG ({width})." if kinds else ""


@contextmanager
def figure_pool() -> Iterator[Executor]:
    """Start a process that draws plots, and loads what it needs at once. More processes would not be faster."""
    context = multiprocessing.get_context("spawn")  # a fork would copy threads and database connections
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load)
    try:
        pool.submit(_nothing)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # at exit Python waits anyway, and may fail with "Bad file descriptor"


def _load() -> None:
    """Import what drawing needs; leave interruptions to the parent, and do not unload libraries at the end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    atexit.register(os._exit, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(Exception):  # reported for each plot
        import ablate.figures  # noqa: F401  # loaded before the first plot


def _end_with_parent() -> None:
    """End this process after its parent, which may be killed: it would wait for tasks for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(0)


def _nothing() -> None:
    """Do nothing, so that the pool starts its process."""


def draw_all(plots: Sequence[Plot], folder: Path, pool: Executor | None = None) -> list[Plot]:
    """Draw the plots into `folder`/figures and return them; `pool`, if available, draws the larger half.

    A plot that cannot be drawn is left out with a warning.
    """
    for_pool, here = _shares(plots) if pool else ([], list(range(len(plots))))
    failed: dict[int, str] = {}
    try:
        futures = {place: pool.submit(_draw, plots[place], folder) for place in for_pool} if pool else {}
        failed.update((place, reason) for place in here if (reason := _draw(plots[place], folder)))
        failed.update((place, reason) for place, future in futures.items() if (reason := future.result()))
    except BrokenProcessPool:  # the process could not start, or was killed
        failed = {place: reason for place, plot in enumerate(plots) if (reason := _draw(plot, folder))}
    for place, reason in sorted(failed.items()):
        console.warning(f"The plot {plots[place].file} could not be drawn and is left out ({reason})")
    return [plot for place, plot in enumerate(plots) if place not in failed]


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
    panels = plot.arguments.get("histories") or plot.arguments.get("arms") or plot.arguments.get("pairs") or ()
    return 4.0 + len(panels)


def _draw(plot: Plot, folder: Path) -> str:
    """Draw a plot, and return why it cannot be drawn, or nothing."""
    try:
        from ablate import figures

        with figures.drawn_for(plot.medium):
            getattr(figures, plot.function)(**plot.arguments, path=folder / plot.path)
    except OSError:  # such as a full disk: the report is not written
        raise
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ""
