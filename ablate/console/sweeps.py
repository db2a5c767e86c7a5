"""Progress of a sweep or a search: finished runs, running ones, time left, and the differences so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablate.console.printing import MESSAGES, duration, fitted, info, is_live


class SweepView:
    """A live view on a terminal, one line per finished run elsewhere.

    `reference` maps each variant to the variant that it is compared with. `scale` converts the metric for display
    (a fraction to percentage points), `with_unit` adds the unit to a difference. `noun` is what ends: runs, or trials.
    """

    def __init__(
        self,
        total: int,
        slots: int,
        reference: Mapping[str, str],
        scale: float,
        with_unit: Callable[[str], str],
        noun: str = "runs",
    ) -> None:
        self._noun, self._best = noun, ""
        self._total, self._slots, self._reference, self._scale = total, slots, reference, scale
        self._with_unit = with_unit
        self._scores: dict[str, dict[int, float]] = {}
        self._running: list[str] = []
        self._done = 0
        self._seconds: list[float] = []
        self._began = time.perf_counter()
        self._live = Live(console=MESSAGES, refresh_per_second=2, transient=True) if is_live() else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def add_score(self, variant: str, seed: int, score: float | None) -> None:
        """Add the score of a run to the differences so far."""
        if score is not None:
            self._scores.setdefault(variant, {})[seed] = score * self._scale

    def show_running(self, rows: Sequence[str]) -> None:
        """Show the runs in progress."""
        self._running = list(rows)
        self._refresh()

    def show_best(self, text: str) -> None:
        """Show the best trial so far."""
        self._best = text

    def run_ended(self, title: str, facts: str, seconds: float | None) -> None:
        """Show a finished run. `seconds`, for new runs only, is used to estimate the time left."""
        self._done += 1
        if seconds is not None:
            self._seconds.append(seconds)
        info(f"[{self._done}/{self._total}] {title}: {facts}{self._time_left()}")
        self._refresh()

    def _time_left(self) -> str:
        left = self._total - self._done
        if not left or not self._seconds:
            return ""
        return f"; about {duration(left * mean(self._seconds) / self._slots)} left".replace("about less", "less")

    def _refresh(self) -> None:
        if not self._live:
            return
        spent = duration(time.perf_counter() - self._began)
        head = Text(f"{self._done} of {self._total} {self._noun} in {spent}{self._time_left()}")
        bar = Padding(ProgressBar(total=self._total, completed=self._done, width=40), 0)  # it has no end of line itself
        width, gap = MESSAGES.width, "  "
        rows = [f"{gap}{fitted(row.strip().split(gap), gap, width - len(gap))}" for row in self._running]
        best = fitted(f"best so far: {self._best}".split(", "), ", ", width)
        lines = [*rows, *([best] if self._best else [])]
        table = self._difference_table()
        self._live.update(Group(head, bar, *map(Text, lines), *([table] if table.row_count else [])))

    def _difference_table(self) -> Table:
        """Return the mean paired difference of each variant so far, and its number of seeds."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("so far", "difference", "seeds"):
            table.add_column(name, justify="left" if name == "so far" else "right", no_wrap=True)
        for variant, against in self._reference.items():
            own, other = self._scores.get(variant, {}), self._scores.get(against, {})
            shared = [own[seed] - other[seed] for seed in own if seed in other]
            if shared:
                table.add_row(f"{variant} - {against}", self._with_unit(_signed(mean(shared))), str(len(shared)))
        return table


def _signed(number: float) -> str:
    """Return a number with its sign and two decimals; small numbers with three digits."""
    return f"{number:+z.2f}" if abs(number) >= 0.1 or number == 0 else f"{number:+.3g}"
