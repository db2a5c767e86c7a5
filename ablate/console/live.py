"""Progress of data preparation and of a single run: a live bar on a terminal, a line per minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from rich.console import RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ablate.console.printing import MESSAGES, duration, fitted, info, is_listened, is_live

SHORTEST_ESTIMATE = 5.0
"""Seconds. If less time is left, no estimate is printed."""

LINE_INTERVAL = 60.0
"""Seconds between two lines of progress where no bar is drawn: a run that takes less has none."""

LISTENED_INTERVAL = 1.0
"""The same where a listener receives the lines, such as a notebook that shows the last one."""

_FORMATS = {
    "train/loss": "loss {:.3f}",
    "val/loss": "val loss {:.3f}",
    "val/accuracy": "val accuracy {:.4f}",
    "images_per_s": "{:,.0f} images/s",
}
"""Formats of the metrics of the built-in workload. Other metrics are shown with their names."""


_SEPARATOR = " · "

_BAR_WIDTH = 24  # a line that fills the terminal is not erased after Ctrl-C, which the terminal prints behind it


class DecodingBar:
    """Progress of the preparation of data: a live bar on a terminal, a line per minute elsewhere.

    Nothing is shown if nothing has to be prepared.
    """

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(bar_width=_BAR_WIDTH), TimeRemainingColumn()
        self._bar = Progress(*columns, console=MESSAGES, transient=True, disable=not is_live())
        self._tasks: dict[str, TaskID] = {}
        self._lines = _LineTimer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:  # a bar that never started would leave an empty line
            self._bar.stop()

    def __call__(self, task: str, done: int, total: int) -> None:
        """Show that `done` of `total` items (0: unknown) of a task are done."""
        if not self._tasks:
            self._bar.start()
        if task not in self._tasks:
            self._tasks[task] = self._bar.add_task(escape(task), total=total or None)
        self._bar.update(self._tasks[task], completed=done)
        if self._bar.disable and self._lines.is_due():
            info(f"{task}: {done / total:.0%}" if total else task)


class RunView:
    """Progress of one run: a live bar on a terminal; elsewhere the metrics of an epoch at most once per minute."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=_BAR_WIDTH),
            TimeRemainingColumn(compact=True),
        )
        self._bar = _BarWithFacts(*columns, console=MESSAGES, transient=True, disable=not is_live())
        self._task = self._bar.add_task("", total=None, epoch=f"0/{epochs}")
        self._lines = _LineTimer()
        self._first: tuple[float, int] | None = None
        self._estimated = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, done: int, total: int) -> None:
        """Move the bar. Print an estimate of the remaining time once a few steps are timed."""
        now = time.perf_counter()
        began, first = self._first = self._first or (now, done)
        seconds, steps = now - began, done - first
        if not self._estimated and steps >= 3 and seconds > 1:
            self._estimated = True
            left = (total - done) * seconds / steps
            if left >= (LINE_INTERVAL if self._bar.disable else SHORTEST_ESTIMATE):
                info(f"About {duration(left)} left (estimated from {steps} steps)")
        epoch = min((done - 1) * self._epochs // total + 1, self._epochs)
        self._bar.update(self._task, total=total, completed=done, epoch=f"{epoch}/{self._epochs}")

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of an epoch."""
        known = [form.format(metrics[name]) for name, form in _FORMATS.items() if name in metrics]
        self._bar.facts = known or [f"{name} {value:.4g}" for name, value in metrics.items()]
        if self._bar.disable and step < self._epochs and self._lines.is_due():
            info(f"epoch {step}/{self._epochs}: {_SEPARATOR.join(self._bar.facts)}")


class _LineTimer:
    """Lines of progress at most once per interval, and none before the first has passed."""

    def __init__(self) -> None:
        self._interval = LISTENED_INTERVAL if is_listened() else LINE_INTERVAL
        self._next = time.perf_counter() + self._interval

    def is_due(self) -> bool:
        """Return whether a line is due, and if so wait for the next interval."""
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True


class _BarWithFacts(Progress):
    """A bar with a line of facts below it; of the facts as many as fit the width."""

    facts: Sequence[str] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar and the facts."""
        yield from super().get_renderables()
        if self.facts:
            yield Text(fitted(self.facts, _SEPARATOR, self.console.width), no_wrap=True, overflow="ellipsis")
