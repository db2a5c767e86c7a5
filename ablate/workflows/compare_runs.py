"""Compare two runs, or two variants over their seeds: the parameters that differ, and the metrics."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.sources.conditions import mixed_conditions
from ablate.studies.conditions import IMPLEMENTATIONS
from ablate.tracking import Tracker, run_title
from ablate.wording import listed
from ablate.workflows.messages import headline_metric, settings_of
from ablate.workloads.resnet9.workload import WORKLOAD

CODE = "code"
"""The param with the digest of the training code of a study's own training."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a run, or the newest run of each seed of a variant.

    `others` are the seeds whose runs are left out, since another version of the training code made them.
    """

    name: str
    runs: Sequence[Run]
    others: Sequence[int] = ()

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
        one, other = (WORKLOAD.completed(side.runs[0].params) for side in (self.a, self.b))
        ignored = {"weights_digest", IMPLEMENTATIONS} | ({"seed"} if self.has_several_seeds else set())
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
        """A warning about different seeds, versions of the training code, and conditions; empty without one."""
        conditions = [text.removesuffix(".") for text in mixed_conditions([*self.a.runs, *self.b.runs])]
        return ". ".join(filter(None, [self._other_code, self._other_seeds, *conditions]))

    @property
    def _other_code(self) -> str:
        codes = {run.params.get(CODE) for side in (self.a, self.b) for run in side.runs} - {None}
        if len(codes) > 1:
            return "The runs were made by different versions of the training code"
        left_out = [f"{listed(map(str, side.others))} of {side.name}" for side in (self.a, self.b) if side.others]
        words = "Left out, since another version of the training code made them"
        return f"{words}: seeds {' and '.join(left_out)}" if left_out else ""

    @property
    def _other_seeds(self) -> str:
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


def find_named_run(name: str, tracker: Tracker) -> Run:
    """Return the run of that name, with its history. Of several with one title, it is the newest that its study plans.

    A study that goes back to earlier code plans, and reuses, an older run than the newest one of that title. Raises
    UserError for an unknown run.
    """
    found = tracker.find(name)
    if not found.key or run_title(found) != name:
        return found
    recipes = _planned_recipes(found.study, tracker)
    planned = [run for run in tracker.runs() if run_title(run) == name and (run.key, run.data) in recipes]
    newest = max(planned, key=lambda run: run.started, default=found)
    return found if newest.name == found.name else replace(newest, history=tracker.history(newest))


def find_side(name: str, tracker: Tracker) -> Side:
    """Return the run of that name, or the newest run of each seed of that variant, all at one scale and of one code.

    Scale and code are those of the newest run that its study plans: a study that goes back to earlier code reuses the
    runs of that code.
    """
    runs = [run for run in tracker.runs() if run.variant == name and run.is_result]
    if not runs:
        return Side(name, [find_named_run(name, tracker)])
    recipes = _planned_recipes(runs[-1].study, tracker)
    newest = ([run for run in runs if (run.key, run.data) in recipes] or runs)[-1]
    runs = [run for run in runs if _scale(run) == _scale(newest)]
    used = {run.seed: run for run in runs if run.params.get(CODE) == newest.params.get(CODE)}
    return Side(name, list(used.values()), sorted({run.seed for run in runs} - used.keys()))


def _planned_recipes(study: str, tracker: Tracker) -> set[tuple[str, str]]:
    """Return the keys and data of the recipes that a study plans; none for single runs."""
    planned = tracker.study(study).planned_runs if study in tracker.studies() else ()
    return {(entry.key, entry.data) for entry in planned}


def _scale(run: Run) -> tuple[Any, ...]:
    return (run.data, headline_metric(run), *sorted((name, str(value)) for name, value in settings_of(run).items()))
