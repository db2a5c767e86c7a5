"""One sweep command from plan to summary: how workers, journals, store and terminal come together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor
from ablate.runs.journal_watcher import LOOKAHEAD, Follower
from ablate.runs.runner import Purpose
from ablate.runs.sweep import Planned, Progress, Task, TooManyFailures, carry_out
from ablate.runs.until_clear import planned_looks, run_until_clear, spared
from ablate.studies.job import Job
from ablate.studies.study import Study
from ablate.tracking import PlanEntry, StudyRecord, run_title
from ablate.workflows.messages import running_row
from ablate.workflows.study_record import Recording


@dataclass
class SweepSession:
    """A study that is being run: its plan, and the runs that answer it so far, by key.

    `on_idle` is called when a worker has no more runs while others still have: time to get ready for what comes next.
    """

    study: Study
    planned: list[Planned]
    journals: Journals
    purpose: Purpose
    executor: Executor
    recording: Recording
    until_clear: bool = False
    retry_failed: bool = False
    max_failures: int | None = None
    on_idle: Callable[[], object] | None = None
    answers: dict[str, Run] = field(default_factory=dict)
    made: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers |= {
            entry.job.recipe.key: entry.run for entry in self.planned if entry.run and not self.is_open(entry)
        }

    def is_open(self, entry: Planned) -> bool:
        """Return whether a planned run is to be made by this command."""
        if entry.job.recipe.key in {run.key for run in self.made}:
            return False
        return self.purpose.again or (not entry.is_done and (self.retry_failed or not entry.has_failed))

    @property
    def open_jobs(self) -> list[Job]:
        """The planned runs that are to be made, in their order."""
        return [entry.job for entry in self.planned if self.is_open(entry)]

    @property
    def failed(self) -> list[Run]:
        """The answers that are no results."""
        return [run for run in self.answers.values() if not run.is_result]

    def run(self) -> None:
        """Make the planned runs that are not there, and keep the study's record in the store up to date.

        Raises UserError when too many of them failed.
        """
        if self.is_recorded:
            return
        self.recording.open(self.record)
        try:
            if self.until_clear:
                self._run_until_clear()
            else:
                self._make(self.open_jobs)
        except TooManyFailures:
            self.recording.close(self.record, "failed")
            raise UserError(
                f"{self.max_failures} runs failed, the last: {self.made[-1].error}; mend it and run the same command "
                "with --retry-failed (--max-failures N bears more)"
            ) from None
        except BaseException:
            self.recording.close(self.record, "killed")
            raise
        self.recording.close(self.record, "failed" if self.failed else "finished")

    def _run_until_clear(self) -> None:
        jobs = {(entry.job.recipe.label, entry.job.recipe.seed): entry for entry in self.planned}

        def make(missing: Sequence[tuple[str, int]]) -> None:
            self._make([jobs[pair].job for pair in missing if self.is_open(jobs[pair])])

        state = run_until_clear(
            self.study,
            lambda: list(self.answers.values()),
            make,
            lambda decision: console.say(decision.sentence),
            self.planned[0].job.data.floor,
        )
        saved = spared(state, len(self.study.resolved_design.arms))
        console.say(f"stopping early spared {saved} of {len(self.planned)} runs")

    def _make(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        tasks = [Task(job, self.journals.folder, self.purpose) for job in jobs]
        pending = {job.recipe.key: job for job in jobs}
        with ExitStack() as stack:
            writer = stack.enter_context(self.recording.writer())
            view = stack.enter_context(self._view(len(tasks)))

            def running(found: Sequence[tuple[Path, Run]]) -> None:
                for path, _ in found:
                    writer.follow(path)
                view.running([running_row(run) for _, run in found])

            def ended(job: Job, run: Run, is_new: bool) -> None:
                pending.pop(job.recipe.key)
                self.answers[run.key] = run
                self._doubt(run)
                self.made += [run] if is_new else []
                writer.follow(self.journals.path(run.name))
                view.known(run.variant, run.seed, self._score(run))
                view.ended(
                    self._title(run.key), self._facts(run, is_new), run.metrics.get("time/total_s") if is_new else None
                )
                if self.on_idle and 0 < len(pending) < self.executor.slots:
                    self.on_idle()

            def front() -> Sequence[Job]:
                return list(pending.values())[: LOOKAHEAD * self.executor.slots]

            stack.enter_context(Follower(self.journals, front, running))
            progress = Progress(ended, self._say_lost, self._say_claimed)
            carry_out(tasks, self.executor, progress, max_failures=self.max_failures)

    def _doubt(self, run: Run) -> None:
        """Say so, once, where a metric in points is no fraction."""
        metric, score = self.study.workload.metric, self._score(run)
        if not self.made and metric.in_points and score is not None and not 0 <= score <= 1:
            console.warn(
                f"{metric.name} is {score:g}, which is no fraction: differences are shown as percentage points of it. "
                f'Metric("{metric.name}", unit="") shows them as they are; the runs stay valid'
            )

    def _say_lost(self, job: Job, reason: str) -> None:
        console.warn(f"{job.recipe.label}/s{job.recipe.seed}: {reason}; it is tried once more")

    def _say_claimed(self, job: Job, holder: str) -> None:
        console.say(f"{job.recipe.label}/s{job.recipe.seed} is being run already ({holder}): its result is waited for")

    def _view(self, total: int) -> console.SweepView:
        metric = self.study.workload.metric
        view = console.SweepView(total, self.executor.slots, self._comparisons(), metric.scale, metric.with_unit)
        for run in self.answers.values():
            view.known(run.variant, run.seed, self._score(run))
        return view

    def _comparisons(self) -> dict[str, str]:
        return {row.variant: row.reference for row in self.study.comparisons()}

    def _title(self, key: str) -> str:
        return run_title(self.answers[key])

    def _score(self, run: Run) -> float | None:
        return run.metrics.get(self.study.workload.metric.tracked)

    def _facts(self, run: Run, is_new: bool) -> str:
        if not run.is_result:
            return f"{run.status}: {run.error}"
        state = "" if run.status == "finished" else f", {run.status}: {run.error}"
        spent = f" in {console.duration(run.metrics['time/total_s'])}" if is_new else ", made by another process"
        return f"{self.study.workload.metric.describe(self._score(run))}{state}{spent}"

    @property
    def record(self) -> StudyRecord:
        """What the store keeps of the study: its declarations, its plan, and the runs that answer it."""
        listed = []
        for entry in self.planned:
            recipe, run = entry.job.recipe, self.answers.get(entry.job.recipe.key)
            fingerprint = entry.job.data.fingerprint
            listed.append(PlanEntry(recipe.key, fingerprint, recipe.label, recipe.seed, run.name if run else None))
        study, looks = self.study, {"looks": planned_looks()} if self.until_clear else {}
        data = self.planned[0].job.data
        described = {"data": data.provenance}
        declared, layout = {**study.declared, **looks}, {**study.design_as_dict(), **looks, **described}
        return StudyRecord(study.name, study.question, declared, listed, details=layout)

    @property
    def is_recorded(self) -> bool:
        """Whether nothing is left to do: every run is there, and the store has the study as it is."""
        return not self.open_jobs and self.recording.studies.is_current(self.record) and self.recording.is_delivered

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return what came of the sweep as plain data."""
        return {
            "study": self.study.name,
            "planned": len(self.planned),
            "reused": len(self.answers) - len(self.made),
            "ran": len(self.made),
            "failed": len(self.failed),
            "seconds": seconds,
            "runs": [self._row(entry.job) for entry in self.planned],
        }

    def _row(self, job: Job) -> dict[str, Any]:
        run = self.answers.get(job.recipe.key)
        return {
            "variant": job.recipe.label,
            "seed": job.recipe.seed,
            "key": job.recipe.key,
            "run": run.name if run else None,
            "status": run.status if run else "missing",
            self.study.workload.metric.name: self._score(run) if run else None,
        }
