"""The status of a run under the floor of today: it may have been declared after the run."""

from __future__ import annotations

import math

import pytest

from ablate.journal.run_journal import Run
from ablate.runs.run_table import judged, run_table
from ablate.stats.metric import AT_FLOOR, NOT_FINITE, Metric

DIVERGED = "loss is not finite after epoch 3"
METRIC = Metric("score", "final/score")


def run(status: str, score: float | None, floor: float | None = None, error: str | None = None) -> Run:
    metrics = {} if score is None else {"final/score": score}
    return Run(
        *("n", "k", "d", "baseline", 0, "s", status, 0.0, 1.0), {}, metrics, (), {}, {}, {}, floor=floor, error=error
    )


@pytest.mark.parametrize(
    ("before", "floor", "status", "score", "error"),
    [
        (run("finished", 0.52), None, "finished", 0.52, None),
        (run("finished", 0.52), 0.5, "unstable", 0.52, AT_FLOOR),
        (run("finished", 0.9), 0.5, "finished", 0.9, None),
        (run("unstable", 0.52, 0.5, AT_FLOOR), 0.5, "unstable", 0.52, AT_FLOOR),
        (run("unstable", 0.52, 0.5, AT_FLOOR), 0.1, "finished", 0.52, None),
        (run("unstable", 0.52, 0.5, AT_FLOOR), None, "finished", 0.52, None),
        (run("unstable", 0.52, None, AT_FLOOR), None, "unstable", 0.52, AT_FLOOR),
        (run("unstable", math.nan, None, NOT_FINITE), 0.5, "unstable", math.nan, NOT_FINITE),
        (run("unstable", math.nan, None, AT_FLOOR), None, "unstable", math.nan, NOT_FINITE),
        (run("unstable", None, None, DIVERGED), 0.5, "unstable", 0.5, DIVERGED),
        (run("unstable", None, None, DIVERGED), None, "unstable", math.nan, DIVERGED),
        (run("unstable", 0.5, 0.5, DIVERGED), 0.1, "unstable", 0.1, DIVERGED),
        (run("unstable", 0.5, 0.5, DIVERGED), None, "unstable", math.nan, DIVERGED),
        (run("unstable", 0.7, 0.5, None), 0.1, "unstable", 0.7, None),
        (run("failed", None, None, "ValueError"), 0.5, "failed", None, "ValueError"),
        (run("killed", 0.5, None, "interrupted"), 0.5, "killed", 0.5, "interrupted"),
        (run("finished", None), 0.5, "finished", None, None),
    ],
)  # fmt: skip
def test_a_floor_applies_to_earlier_runs(
    before: Run, floor: float | None, status: str, score: float | None, error: str | None
) -> None:
    metric = METRIC.with_floor(floor)
    after = judged(before, metric)
    found = after.metrics.get("final/score")
    assert (after.status, after.error) == (status, error)
    assert found == score or (math.isnan(found or 0) and math.isnan(score or 0))
    assert judged(after, metric).status == status, "judging twice changes nothing"
    row = run_table([before], metric).iloc[0]
    assert row["status"] == status
    assert row["score"] == score or score is None or math.isnan(score)
