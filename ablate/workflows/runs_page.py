"""The page of the MLflow UI with the runs of a study, including those that it reuses from other experiments."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.tracking import SINGLE_RUNS, TRIAL_TAG, VARIANT_TAG, MlflowTracker, RunsView, StudyRecord
from ablate.wording import unknown
from ablate.workflows.messages import headline_metric
from ablate.workloads.resnet9.workload import WORKLOAD

_CURVES = ("val/", "train/")
"""Metrics of this kind are charted first."""


def runs_page(tracker: MlflowTracker, study: str | None = None) -> str:
    """Return the page of a study's runs, relative to the address of the UI. Its columns and charts are saved there.

    Args:
        tracker: The store.
        study: Name of the study, or `ablate` for the runs of no study. Default: the one that was active last.

    Raises:
        UserError: The study is unknown.
    """
    names = list(tracker.studies())
    if study not in (None, SINGLE_RUNS, *names):
        raise UserError(unknown("study", str(study), names))
    name = study or next(reversed(names), SINGLE_RUNS)
    record = tracker.study(name) if name in names else None
    runs = tracker.runs()
    if record and not study and any(run.study == SINGLE_RUNS and run.started > record.recorded for run in runs):
        name, record = SINGLE_RUNS, None
    shown = [run for run in runs if _is_shown(run, name, record)]
    experiments = list(dict.fromkeys([name, *(run.study for run in shown)]))
    hidden = [run for run in runs if run.study in experiments and not _is_shown(run, name, record)]
    metric = _metric(record, shown)
    logged = _logged_metrics(tracker, shown)
    curves = [other for other in logged if other.startswith(_CURVES)]
    return tracker.save_view(
        RunsView(
            experiments=experiments,
            shown=[tracker.identifier(run) for run in shown],
            hidden=[tracker.identifier(run) for run in hidden],
            metric=metric,
            curves=curves,
            other_metrics=[other for other in _metrics(logged, shown) if other not in (metric, *curves)],
            group=_group(record),
        )
    )


def _is_shown(run: Run, study: str, record: StudyRecord | None) -> bool:
    """Return whether a run provides a result of a study, or is a run of the study for a result that is missing."""
    if record is None or not record.planned_runs:
        return run.study == study
    answers = {entry.run for entry in record.planned_runs if (entry.key, entry.data) == (run.key, run.data)}
    return run.name in answers or (None in answers and run.study == study)


def _metric(record: StudyRecord | None, runs: Sequence[Run]) -> str:
    """Return the tracked name of the headline metric: the study's, the search's objective, or that of its runs."""
    details = record.details if record else {}
    if "metric" in details:
        return str(details["metric"]["tracked"])
    for search in details.get("tuning", {}).get("searches", {}).values():
        return str(search["objectives"][0]["tracked"])
    return headline_metric(runs[-1]) if runs else WORKLOAD.metric.tracked


def _group(record: StudyRecord | None) -> str | None:
    """Return the tag that groups the runs: variants of a study, trials of a search; single runs may differ in scale."""
    if record is None:
        return None
    return TRIAL_TAG if record.details.get("kind") == "tuning" else VARIANT_TAG


def _logged_metrics(tracker: MlflowTracker, runs: Sequence[Run]) -> list[str]:
    """Return the names of the metrics with one value per epoch, those of the newest result."""
    newest = next((run for run in reversed(runs) if run.is_result), None)
    rows = tracker.history(newest) if newest else ()
    return [name for name in dict.fromkeys(name for row in rows for name in row) if name != "step"]


def _metrics(logged: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """Return the names of all metrics."""
    return list(dict.fromkeys([*logged, *(name for run in runs for name in run.metrics)]))
