"""The input of a report from any source: runs, comparisons and their description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ablate.report.found_variants import FoundVariants
from ablate.report.recorded_curves import RecordedCurves
from ablate.report.search_data import Searches
from ablate.stats.effects import Comparison, Looks, Protocol
from ablate.stats.effects.seeds import Seed
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

History = Sequence[Mapping[str, float]]
"""One row per epoch: `step` and the metrics."""

Histories = Mapping[str, Sequence[History]]
"""The histories of the seeds of each variant."""


@dataclass(frozen=True)
class RunCounts:
    """Numbers of runs.

    Attributes:
        planned: Planned runs; None if unknown.
        statuses: Runs by status.
        missing: Variant and seed of planned runs that do not exist yet.
        running: Variant and seed of running runs.
        reused: Runs that belong to other studies.
        before: Results that are older than the first record of the study; None if unknown.
        spared: Planned runs that are not needed because their comparison stopped early.
        seconds: Training time of all attempts; None if unknown.
        set_aside: Runs that are not in the table of runs, by reason.
    """

    planned: int | None
    statuses: Mapping[str, int]
    missing: Sequence[tuple[str, Seed]] = ()
    running: Sequence[tuple[str, Seed]] = ()
    reused: int = 0
    before: int | None = None
    spared: int = 0
    seconds: float | None = None
    set_aside: Mapping[str, int] = field(default_factory=dict)

    @property
    def results(self) -> int:
        """Number of runs in the estimates."""
        return self.statuses.get("finished", 0) + self.statuses.get("unstable", 0)

    @property
    def fixed(self) -> str:
        """When the margin was fixed, between commas; empty if the records do not show it."""
        if self.planned is None or self.before is None:
            return ""
        if not self.before:
            return ", fixed before the runs,"
        rest = self.results - self.before
        return f", fixed before {rest} of the {self.results} runs," if rest else ", recorded after the runs,"


@dataclass(frozen=True)
class DatasetArm:
    """A variant on one of several data sets."""

    variant: str
    dataset: str


@dataclass(frozen=True)
class StudyData:
    """The runs of a study and their description.

    Attributes:
        name: Name of the study.
        question: The question that it answers.
        scale: Preset, settings and data, for the first line.
        runs: One row per run, as in `runs.csv`: variant, seed, status, metric, then the rest.
        metric: The compared metric.
        margin: Smallest difference that matters.
        comparisons: The planned comparisons.
        factors: Names of the factors.
        design: One row per variant and one true/false column per factor; empty if unknown.
        baseline: Name of the reference variant.
        counts: Numbers of runs.
        protocol: Decisions fixed before the runs.
        design_name: Name of the design; empty if it has none.
        seeds: The planned seeds.
        facts: Lines of the study card.
        cautions: Warnings at the top of the report.
        statement: How runs of other software were read (goal, unit, statuses), printed next to the answer.
        notes: Assumptions, under Limits.
        limits: Limits of this source.
        commands: Commands that reproduce the report.
        looks: Looks of sequential testing.
        searches: Searches that tuned the variants.
        curves: Loads the histories of the seeds by variant, of a study of this project.
        recorded: Loads the curves of runs of other software; None if there are none.
        row_names: The rows of `runs` in their source, of runs of other software.
        correct: Loads per-image correctness by variant and seed.
        labels: Loads names of the classes and labels of the test images; None if they are not on this machine.
        batch: Loads the path of a picture of training images of the baseline; None if there is none.
        purposes: What components are for, by name.
        found: Variants that the configuration of the runs names; None if they have names of their own.
        secondary: The same runs with other metrics, which decide nothing.
        target: A score that the mean of each variant is compared with, unscaled.
        datasets: With several data sets, the variant and the data set behind each name in the column `variant`.
        levels: One row per variant and one column per component in question, with its level: a number or text, "on" or
            "off" for factors. Without columns for studies of factors that are on or off only, which `design` describes.
    """

    name: str
    question: str
    scale: str
    runs: pd.DataFrame
    metric: Metric
    margin: float
    comparisons: Sequence[Comparison]
    factors: Sequence[str]
    design: pd.DataFrame
    baseline: str
    counts: RunCounts
    protocol: Protocol = field(default_factory=Protocol)
    design_name: str = ""
    seeds: Sequence[Seed] = ()
    facts: Sequence[tuple[str, str]] = ()
    cautions: Sequence[str] = ()
    statement: str = ""
    notes: Sequence[str] = ()
    limits: Sequence[str] = ()
    commands: Sequence[str] = ()
    looks: Looks | None = None
    searches: Searches | None = None
    curves: Callable[[], Histories] = dict
    recorded: Callable[[], RecordedCurves | None] = lambda: None
    row_names: Sequence[Any] = ()
    correct: Callable[[], Mapping[str, Mapping[int, Any]]] = dict
    labels: Callable[[], tuple[Sequence[str], Any] | None] = lambda: None
    batch: Callable[[], Path | None] = lambda: None
    purposes: Mapping[str, str] = field(default_factory=dict)
    found: FoundVariants | None = None
    secondary: Sequence[StudyData] = ()
    target: float | None = None
    datasets: Mapping[str, DatasetArm] = field(default_factory=dict)
    levels: pd.DataFrame = field(default_factory=lambda: empty_table())

    @property
    def has_paired_seeds(self) -> bool:
        """Whether runs are paired by seed, so that effects of several variants can be combined seed by seed."""
        return self.protocol.replicates == "seeds"

    @property
    def integer_seeds(self) -> list[int]:
        """The seeds of a study of this package, which are integers."""
        return [seed for seed in self.seeds if isinstance(seed, int)]

    def with_cautions(self, *texts: str) -> Self:
        """Return the study with more cautions."""
        return replace(self, cautions=(*self.cautions, *texts))


def empty_table() -> pd.DataFrame:
    """Return a table without rows and columns."""
    import pandas as pd

    return pd.DataFrame()
