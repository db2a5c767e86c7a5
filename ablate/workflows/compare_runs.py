"""Compare two runs, or two variants over their seeds: the parameters that differ, and the metrics."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from ablate.journal.run_journal import Run
from ablate.tracking import Tracker, run_title
from ablate.wording import listed
from ablate.workflows.messages import headline_metric, settings_of


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a run, or the newest run of each seed of a variant."""

    name: str
    runs: Sequence[Run]

    @property
    def heading(self) -> str:
        """The run, or the variant with its number of seeds."""
        return run_title(self.runs[0]) if len(self.runs) == 1 else f"{self.name}, {len(self.runs)} seeds"

    @property
    def titles(self) -> list[str]:
        """The names of the runs."""
        return [run_title(run) for run in self.runs]

    def values(self, metric: str) -> list[float]:
        """Return a metric of each run, NaN where a run lacks it."""
        return [run.metrics.get(metric, math.nan) for run in self.runs]


@dataclass(frozen=True)
class SideBySide:
    """Two sides, `a` and `b`, and their differences."""

    a: Side
    b: Side

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """The parameters that differ, with both values. Seeds are compared for two single runs only."""
        one, other = self.a.runs[0].params, self.b.runs[0].params
        ignored = {"weights_digest"} | ({"seed"} if self.has_several_seeds else set())
        names = [name for name in {**one, **other} if name not in ignored]
        return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}

    @property
    def metrics(self) -> dict[str, tuple[float, float, float]]:
        """The means of both sides and their difference, for each metric that both have. Durations come last."""
        shared = [name for name in self.a.runs[0].metrics if name in self.b.runs[0].metrics]
        means = {name: (mean(self.a.values(name)), mean(self.b.values(name))) for name in shared}
        ordered = sorted(shared, key=lambda name: name.startswith("time/"))
        return {name: (*means[name], means[name][1] - means[name][0]) for name in ordered}

    @property
    def has_several_seeds(self) -> bool:
        """Whether a side has several runs."""
        return max(len(self.a.runs), len(self.b.runs)) > 1

    @property
    def caution(self) -> str:
        """A warning if the means are over different seeds; empty otherwise."""
        one, other = ({run.seed for run in side.runs} for side in (self.a, self.b))
        if one == other or not self.has_several_seeds:
            return ""
        alone = [f"{name} alone has {listed([str(seed) for seed in sorted(seeds)])}" for name, seeds in
                 (("A", one - other), ("B", other - one)) if seeds]  # fmt: skip
        return f"The means are over different seeds: {', '.join(alone)}"

    def study(self, tracker: Tracker) -> str:
        """Return the shell-quoted name of the study of all runs, or `STUDY` if they have several."""
        names = {run.study for run in (*self.a.runs, *self.b.runs)}
        return shlex.quote(names.pop()) if len(names) == 1 and names <= {*tracker.studies()} else "STUDY"


def find_side(name: str, tracker: Tracker) -> Side:
    """Return the run of that name, or the newest run of each seed of the variant of that name, all at one scale."""
    runs = [run for run in tracker.runs() if run.variant == name and run.is_result]
    if not runs:
        return Side(name, [tracker.find(name)])
    scale = _scale(runs[-1])
    return Side(name, list({run.seed: run for run in runs if _scale(run) == scale}.values()))


def _scale(run: Run) -> tuple[Any, ...]:
    return (run.data, headline_metric(run), *sorted((name, str(value)) for name, value in settings_of(run).items()))
