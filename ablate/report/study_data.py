"""What a report is made of, wherever the runs came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from ablate.report.search_data import Searches
from ablate.stats.effects import Comparison, Looks, Protocol
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

History = Sequence[Mapping[str, float]]
"""A row an epoch: `step` and the metrics."""

Histories = Mapping[str, Sequence[History]]
"""The histories of each variant's seeds."""


@dataclass(frozen=True)
class RunCounts:
    """How many runs were planned, and what became of them; `missing` names those without any (variant, seed).

    `before` counts the results that were there before the study's first record, None where that is not known.
    """

    planned: int | None
    statuses: Mapping[str, int]
    missing: Sequence[tuple[str, int]] = ()
    running: Sequence[tuple[str, int]] = ()
    reused: int = 0
    before: int | None = None
    spared: int = 0
    seconds: float | None = None

    @property
    def results(self) -> int:
        """Runs that enter the estimates."""
        return self.statuses.get("finished", 0) + self.statuses.get("unstable", 0)

    @property
    def fixed(self) -> str:
        """When the margin was fixed, as far as the records tell, as an insertion between commas."""
        if self.planned is None or self.before is None:
            return ""
        if not self.before:
            return ", fixed before the runs,"
        rest = self.results - self.before
        return f", fixed before {rest} of the {self.results} runs," if rest else ", recorded after the runs,"


@dataclass(frozen=True)
class StudyData:
    """One study: its runs as a table, what was to be compared, and all that a reader must know of it.

    `runs` has a row a run, as in `runs.csv`: variant, seed, status, the metric, then the rest; `design` has a row a
    variant and a true/false column a factor in question, and is empty where that is not known. `facts` are lines of the
    study card, `cautions` are said at the top, `notes` and `limits` under Limits. `looks` are those of a study that
    adds seeds until it is clear, `searches` what tuning its arms came to. `curves` and `correct` load what is large, by
    variant: the histories of its seeds, and per-image correctness by seed.
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
    seeds: Sequence[int] = ()
    facts: Sequence[tuple[str, str]] = ()
    cautions: Sequence[str] = ()
    notes: Sequence[str] = ()
    limits: Sequence[str] = ()
    commands: Sequence[str] = ()
    looks: Looks | None = None
    searches: Searches | None = None
    curves: Callable[[], Histories] = dict
    correct: Callable[[], Mapping[str, Mapping[int, Any]]] = dict

    def with_cautions(self, *texts: str) -> Self:
        """The same with more to be said at the top."""
        return replace(self, cautions=(*self.cautions, *texts))
