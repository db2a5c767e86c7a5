"""The session of a sweep: train the missing runs of a study, record them and show their progress."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor
from ablate.runs.forecast import cautions
from ablate.runs.run_table import judged
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import (
    PlannedRun,
    RunEnded,
    RunEvent,
    RunInProgress,
    RunLost,
    RunTask,
    TooManyFailures,
    run_tasks,
)
from ablate.runs.until_clear import SequentialTest, planned_looks
from ablate.studies.job import Job
from ablate.studies.study import Study
from ablate.tracking import BackgroundDelivery, PlanEntry, StudyRecord, run_title
from ablate.workflows.journal_watcher import JournalWatcher, WatchedJob
from ablate.workflows.messages import running_already
from ablate.workflows.study_recorder import StudyRecorder

LOOKAHEAD = 4
"""Jobs start in order, so the running jobs are among the first LOOKAHEAD x slots pending ones."""


class Preparation(Protocol):
    """Work for after the runs that can start while the last runs are in progress."""

    def prepare(self) -> None:
        """Start the preparation; called once or more."""


@dataclass
class SweepSession:
    """A study in progress: the planned runs, and the finished runs by recipe key.

    `next_step` is prepared as soon as a worker is idle while others still have runs.
    """

    study: Study
    planned: list[PlannedRun]
    journals: Journals
    options: RunOptions
    executor: Executor
    recorder: StudyRecorder
    until_clear: bool = False
    retry_failed: bool = False
    max_failures: int | None = None
    next_step: Preparation | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    new_runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._metric = self.study.workload.metric.with_floor(self.planned[0].job.data.floor)
        for entry in self.planned:
            if entry.run and not self.is_open(entry):
                self._add(entry.run)

    @cached_property
    def _labels(self) -> dict[str, str]:
        """The names of variants by recipe key. A reused run may have another name in its own study."""
        return {entry.job.recipe.key: entry.job.recipe.label for entry in self.planned}

    def _add(self, run: Run) -> None:
        """Add a run. Raises UsageError if the metric is a fraction and the score is not."""
        self.runs[run.key] = judged(replace(run, variant=self._labels[run.key]), self._metric)
        score = run.metrics.get(self._metric.tracked, math.nan)
        self._metric.check_fraction(score, f"{self._metric.name} of {run.variant}/s{run.seed}")

    def is_open(self, entry: PlannedRun) -> bool:
        """Return whether this command has to make a planned run."""
        if entry.job.recipe.key in {run.key for run in self.new_runs}:
            return False
        return self.options.again or (not entry.is_done and (self.retry_failed or not entry.has_failed))

    @property
    def open_jobs(self) -> list[Job]:
        """The jobs of the runs to make, in order."""
        return [entry.job for entry in self.planned if self.is_open(entry)]

    @cached_property
    def cautions(self) -> list[str]:
        """Warnings before the first run: names that the training never reads, runs of other code."""
        return cautions(self.study, self.planned, self.journals)

    @property
    def failed(self) -> list[Run]:
        """The runs without a result."""
        return [run for run in self.runs.values() if not run.is_result]

    def run(self) -> None:
        """Train the missing runs, and keep the study's record in the store up to date.

        Raises UserError after too many failures.
        """
        if self.is_recorded:
            return
        self.recorder.open(self.record)
        try:
            if self.until_clear:
                self._run_until_clear()
            else:
                self._make(self.open_jobs)
        except UserError:
            self.recorder.close(self.record, "failed")
            raise
        except TooManyFailures as error:
            self.recorder.close(self.record, "failed")
            raise UserError(
                f"{self.max_failures} runs failed, the last one with: {str(error).rstrip('.')}. Fix the cause "
                "and repeat the command with --retry-failed. --max-failures N raises the limit"
            ) from None
        except BaseException:
            self.recorder.close(self.record, "killed")
            raise
        self.recorder.close(self.record, "failed" if self.failed else "finished")

    def _run_until_clear(self) -> None:
        planned = {(entry.job.recipe.label, entry.job.recipe.seed): entry for entry in self.planned}
        test = SequentialTest(self.study, self.planned[0].job.data.floor)
        while not test.is_done:
            missing = [planned[pair] for pair in test.missing_runs(list(self.runs.values()))]
            self._make([entry.job for entry in missing if self.is_open(entry)])
            console.info(test.analyse(list(self.runs.values())).sentence)
        console.info(f"Early stopping saved {test.runs_saved} of {len(self.planned)} runs")

    def _make(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        tasks = [RunTask(job, self.journals.folder, self.options) for job in jobs]
        pending = {job.recipe.key: job for job in jobs}
        with ExitStack() as stack:
            delivery = stack.enter_context(self.recorder.delivery())
            view = stack.enter_context(self._view(len(tasks)))

            def front() -> list[WatchedJob]:
                jobs = list(pending.values())[: LOOKAHEAD * self.executor.slots]
                return [WatchedJob(job, job.recipe.title) for job in jobs]

            stack.enter_context(JournalWatcher(self.journals, front, delivery, view))
            for event in stack.enter_context(closing(run_tasks(tasks, self.executor, max_failures=self.max_failures))):
                self._handle(event, delivery, view)
                if isinstance(event, RunEnded):
                    del pending[event.run.key]
                    if self.next_step and 0 < len(pending) < self.executor.slots:
                        self.next_step.prepare()

    def _handle(self, event: RunEvent, delivery: BackgroundDelivery, view: console.SweepView) -> None:
        match event:
            case RunEnded(run, is_new):
                delivery.follow(self.journals.path(run.name))
                self.new_runs += [run] if is_new else []
                self._add(run)
                if run.status == "finished" and run.error:
                    console.warning(f"{self._title(run.key)}: {run.error}")
                view.add_score(self._labels[run.key], run.seed, self._score(run))
                seconds = run.metrics.get("time/total_s") if is_new else None
                view.run_ended(self._title(run.key), self._outcome(run, is_new), seconds)
            case RunLost(job, reason):
                console.warning(f"{job.recipe.title}: {reason}. The run is tried a second time")
            case RunInProgress(job, owner):
                console.info(running_already(job, owner))

    def _view(self, total: int) -> console.SweepView:
        metric = self._metric
        view = console.SweepView(total, self.executor.slots, self._comparisons(), metric.scale, metric.with_unit)
        for run in self.runs.values():
            view.add_score(run.variant, run.seed, self._score(run))
        return view

    def _comparisons(self) -> dict[str, str]:
        """Return the reference of each variant; the first one where it has several."""
        return {row.variant: row.reference for row in reversed(self.study.comparisons())}

    def _title(self, key: str) -> str:
        return run_title(self.runs[key])

    def _score(self, run: Run) -> float | None:
        return run.metrics.get(self._metric.tracked)

    def _outcome(self, run: Run, is_new: bool) -> str:
        if not run.is_result:
            return f"{run.status}: {run.error}"
        state = "" if run.status == "finished" else f", {run.status}: {run.error}"
        spent = f" in {console.duration(run.metrics['time/total_s'])}" if is_new else ", made by another process"
        return f"{self._metric.describe(self._score(run))}{state}{spent}"

    @property
    def record(self) -> StudyRecord:
        """The record of the study: its declarations, its plan, and its finished runs."""
        entries = []
        for planned in self.planned:
            recipe, run = planned.job.recipe, self.runs.get(planned.job.recipe.key)
            fingerprint = planned.job.data.fingerprint
            entries.append(PlanEntry(recipe.key, fingerprint, recipe.label, recipe.seed, run.name if run else None))
        study, looks = self.study, {"looks": planned_looks()} if self.until_clear else {}
        data = self.planned[0].job.data
        declared = {**study.declared, **looks}
        details = {**study.design_as_dict(), **looks, "data": data.provenance, "floor": data.floor}
        return StudyRecord(study.name, study.question, declared, entries, details=details).without_secrets()

    @property
    def is_recorded(self) -> bool:
        """Whether no run is missing, and the store has the current record and the runs."""
        is_current = not self.open_jobs and self.recorder.studies.is_current(self.record)
        return is_current and self.recorder.has_delivered(self.runs.values())

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return the result of the sweep as JSON-compatible data."""
        new = {run.name for run in self.new_runs}
        return {
            "study": self.study.name,
            "planned": len(self.planned),
            "reused": sum(run.is_result for run in self.runs.values() if run.name not in new),
            "ran": len(self.new_runs),
            "failed": len(self.failed),
            "seconds": seconds,
            "cautions": self.cautions,
            "runs": [self._row(entry.job) for entry in self.planned],
        }

    def _row(self, job: Job) -> dict[str, Any]:
        run = self.runs.get(job.recipe.key)
        return {
            "variant": job.recipe.label,
            "seed": job.recipe.seed,
            "key": job.recipe.key,
            "run": run.name if run else None,
            "status": run.status if run else "missing",
            self._metric.name: self._score(run) if run else None,
        }
