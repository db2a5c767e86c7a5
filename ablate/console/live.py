"""What moves on a terminal; elsewhere it becomes plain lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ablate.console.printing import MESSAGES, duration, say

_SHOWN = {
    "train/loss": "loss {:.3f}",
    "val/loss": "val loss {:.3f}",
    "val/accuracy": "val accuracy {:.4f}",
    "images_per_s": "{:,.0f} images/s",
}
"""How the metrics of the built-in workload are shown; others go by their names."""


class DecodingBar:
    """Progress of preparing data, shown only when there is something to do."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=MESSAGES, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:  # one that never started would leave an empty line
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` (0: nobody knows) are done."""
        if not self._tasks:
            self._bar.start()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(escape(what), total=total or None)
        self._bar.update(self._tasks[what], completed=done)


class RunView:
    """One run as it goes: a live bar on a terminal, a line an epoch elsewhere."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(compact=True),
        )
        self._bar = Progress(*columns, console=MESSAGES, transient=True, disable=not MESSAGES.is_terminal)
        self._task = self._bar.add_task("", total=None, epoch=f"0/{epochs}", facts="")
        self._first: tuple[float, int] | None = None
        self._estimated = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, done: int, total: int) -> None:
        """Move the bar; once the first steps are timed, say how long the run will take."""
        now = time.perf_counter()
        began, first = self._first = self._first or (now, done)
        seconds, steps = now - began, done - first
        if not self._estimated and steps >= 3 and seconds > 1:
            self._estimated = True
            say(f"about {duration((total - done) * seconds / steps)} to go, by the first {steps} steps")
        epoch = min((done - 1) * self._epochs // total + 1, self._epochs)
        self._bar.update(self._task, total=total, completed=done, epoch=f"{epoch}/{self._epochs}")

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show an epoch's numbers."""
        known = [form.format(metrics[name]) for name, form in _SHOWN.items() if name in metrics]
        facts = " · ".join(known or [f"{name} {value:.4g}" for name, value in metrics.items()])
        self._bar.update(self._task, facts=escape(facts))
        if not MESSAGES.is_terminal:
            say(f"epoch {step}/{self._epochs}: {facts}")
