"""One sweep command from plan to summary: what it says, and how workers, journals, store and terminal come together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.executors import Executor
from ablate.following import LOOKAHEAD, Follower
from ablate.journal import Journals, Run
from ablate.runner import Purpose
from ablate.study import Study
from ablate.sweep import Planned, Progress, Task, TooManyFailures, carry_out
from ablate.tracking import Planned as Listed
from ablate.tracking import StoreError, StudyRecord, Tracker, Writer, title
from ablate.workload import Job


@dataclass
class SweepSession:
    """A study that is being run: the plan, and the runs that answer it so far."""

    study: Study
    planned: list[Planned]
    journals: Journals
    purpose: Purpose
    executor: Executor
    retry_failed: bool = False
    max_failures: int | None = None
    answers: dict[str, Run] = field(default_factory=dict)
    made: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        for entry in self.planned:
            if entry.run and not self._is_open(entry):
                self.answers[entry.job.recipe.key] = entry.run

    def _is_open(self, entry: Planned) -> bool:
        """Return whether a planned run is to be made now."""
        if self.purpose.again:
            return True
        return not entry.is_done and (self.retry_failed or not entry.has_failed)

    @property
    def record(self) -> StudyRecord:
        """What the store keeps of the study: its declarations, its plan, and the runs that answer it."""
        listed = [
            Listed(job.recipe.key, job.data.fingerprint, job.recipe.label, job.recipe.seed, self._answer(job))
            for job in (entry.job for entry in self.planned)
        ]
        study = self.study
        return StudyRecord(study.name, study.question, study.declared, listed, layout=study.plain_layout)

    def _answer(self, job: Job) -> str | None:
        run = self.answers.get(job.recipe.key)
        return run.name if run else None

    def run(self, tracker: Tracker) -> None:
        """Make the planned runs that are not there, and keep the study's record up to date in the store.

        Raises UserError when too many of them failed.
        """
        try:
            self._make([entry.job for entry in self.planned if self._is_open(entry)], tracker)
        except TooManyFailures:
            self._close(tracker, "failed")
            raise UserError(
                f"{self.max_failures} runs failed, the last: {self.made[-1].error}; mend it and run the same command "
                "with --retry-failed (--max-failures N bears more)"
            ) from None
        except BaseException:
            self._close(tracker, "killed")
            raise
        self._close(tracker, "failed" if self.failed else "finished")

    def _close(self, tracker: Tracker, status: str) -> None:
        try:
            tracker.open_study(self.record)
            tracker.close_study(self.study.name, status)
        except StoreError as error:
            console.warn(str(error))

    def _make(self, jobs: Sequence[Job], tracker: Tracker) -> None:
        tasks = [Task(job, self.journals.folder, self.purpose) for job in jobs]
        pending = {job.recipe.key: job for job in jobs}
        with ExitStack() as stack:
            first = _StudyFirst(tracker, self.record)
            writer = stack.enter_context(Writer(first, lambda error: console.warn(str(error)), self.journals.paths))
            view = stack.enter_context(self._view(len(tasks)))

            def running(found: Sequence[tuple[Path, Run]]) -> None:
                for path, _ in found:
                    writer.follow(path)
                view.running([_running_row(run) for _, run in found])

            def ended(job: Job, run: Run, is_new: bool) -> None:
                pending.pop(job.recipe.key, None)
                self._take(run, is_new)
                writer.follow(self.journals.path(run.name))
                metric = self.study.workload.metric
                view.known(run.variant, run.seed, run.metrics.get(metric.tracked))
                view.ended(title(run), self._facts(run, is_new), run.metrics["time/total_s"] if is_new else None)

            def lost(job: Job, reason: str) -> None:
                console.warn(f"{job.recipe.label}/s{job.recipe.seed}: {reason}; it is tried once more")

            def front() -> Sequence[Job]:
                return list(pending.values())[: LOOKAHEAD * self.executor.slots]

            stack.enter_context(Follower(self.journals, front, running))
            carry_out(tasks, self.executor, Progress(ended, lost), max_failures=self.max_failures)

    def _take(self, run: Run, is_new: bool) -> None:
        self.answers[run.key] = run
        if is_new:
            self.made.append(run)

    def _facts(self, run: Run, is_new: bool) -> str:
        metric = self.study.workload.metric
        if not run.is_result:
            return f"{run.status}: {run.error}"
        value = run.metrics.get(metric.tracked, float("nan"))
        state = "" if run.status == "finished" else f", {run.status}: {run.error}"
        spent = f" in {console.duration(run.metrics['time/total_s'])}" if is_new else ", made by another process"
        return f"{metric.name.replace('_', ' ')} {value:.4f}{state}{spent}"

    def _view(self, total: int) -> console.SweepView:
        comparisons = {row.variant: row.reference for row in self.study.comparisons()}
        view = console.SweepView(total, self.executor.slots, comparisons, self.study.workload.metric.scale)
        for run in self.answers.values():
            view.known(run.variant, run.seed, run.metrics.get(self.study.workload.metric.tracked))
        return view

    @property
    def failed(self) -> list[Run]:
        """The answers that are no results."""
        return [run for run in self.answers.values() if not run.is_result]

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return the sweep's result as plain data."""
        return {
            "study": self.study.name,
            "planned": len(self.planned),
            "reused": sum(entry.job.recipe.key in self.answers for entry in self.planned) - len(self.made),
            "ran": len(self.made),
            "failed": len(self.failed),
            "seconds": seconds,
            "runs": [self._row(entry.job) for entry in self.planned],
        }

    def _row(self, job: Job) -> dict[str, Any]:
        run = self.answers.get(job.recipe.key)
        metric = self.study.workload.metric
        return {
            "variant": job.recipe.label,
            "seed": job.recipe.seed,
            "key": job.recipe.key,
            "run": run.name if run else None,
            "status": run.status if run else "missing",
            metric.name: run.metrics.get(metric.tracked) if run else None,
        }


def _running_row(run: Run) -> str:
    last = run.history[-1] if run.history else {}
    shown = [f"{name} {last[name]:.4g}" for name in ("train/loss", "val/accuracy") if name in last]
    epochs = run.params.get("epochs")
    where = f"epoch {last['step']:.0f}/{epochs}" if last and epochs else "starting"
    return "  ".join(["  running", title(run), where, *shown])


class _StudyFirst:
    """A tracker that records the study before its first run arrives, so that the runs find their parent."""

    def __init__(self, tracker: Tracker, record: StudyRecord) -> None:
        self._tracker, self._record, self._is_open = tracker, record, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracker, name)

    def deliver(self, journal: Path) -> str | None:
        if not self._is_open:
            self._tracker.open_study(self._record)
            self._is_open = True
        return self._tracker.deliver(journal)
