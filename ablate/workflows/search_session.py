"""The session of a search: run its trials, record them and show their progress."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journals
from ablate.runs.executors import Executor
from ablate.runs.sweep import TooManyFailures
from ablate.tracking import BackgroundDelivery, StudyRecord
from ablate.tuning.importances import importances
from ablate.tuning.run_search import TrialEnded, TrialEvent, TrialLost, TrialsAwaited, run_trials
from ablate.tuning.search import Search
from ablate.tuning.search_record import planned_runs, search_record
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import Trial, best
from ablate.wording import count
from ablate.workflows.journal_watcher import JournalWatcher, WatchedJob
from ablate.workflows.study_recorder import StudyRecorder


def format_values(values: Mapping[str, Any]) -> str:
    """Return the values of a trial for display, e.g. `lr 0.0123, dropout.p 0.2`."""
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in values.items())  # fmt: skip


def run_search(task: TrialTask, executor: Executor, recorder: StudyRecorder, *, max_failures: int) -> list[Trial]:
    """Run the missing trials of a search while their runs are delivered, and return all trials.

    Raises UserError after too many failures.
    """
    search = Search(task.spec, task.storage)
    search.close_lost()
    with ExitStack() as stack:
        delivery = stack.enter_context(recorder.delivery())
        scale = task.spec.objectives[0].scale
        view = stack.enter_context(console.SweepView(search.missing, executor.slots, {}, scale, str, "trials"))
        stack.enter_context(JournalWatcher(recorder.journals, lambda: _jobs_in_progress(search, task), delivery, view))
        display = _TrialDisplay(task, recorder.journals, delivery, view, search.trials())
        try:
            for event in stack.enter_context(closing(run_trials(task, executor, max_failures=max_failures))):
                display.show(event)
        except TooManyFailures as error:
            raise UserError(
                f"{max_failures} trials failed, the last one with: {error}. The same command resumes the search. "
                "--max-failures N raises the limit"
            ) from None
    return search.trials()


def _jobs_in_progress(search: Search, task: TrialTask) -> list[WatchedJob]:
    running = [trial for trial in search.trials() if trial.state == "running"]
    return [_watched(task, trial, seed) for trial in running for seed in task.spec.seeds]


def _watched(task: TrialTask, trial: Trial, seed: int) -> WatchedJob:
    """Return a run of a trial, with its values: the runs of all trials have one name."""
    which = f"/s{seed}" if len(task.spec.seeds) > 1 else ""
    facts = [format_values({name: value}) for name, value in trial.params.items()]
    return WatchedJob(task.job(trial.params, seed), f"trial {trial.number}{which}", facts)


@dataclass
class _TrialDisplay:
    """Shows the events of a search and has the runs of its trials delivered. `trials` are those known so far."""

    task: TrialTask
    journals: Journals
    delivery: BackgroundDelivery
    view: console.SweepView
    trials: list[Trial]

    def show(self, event: TrialEvent) -> None:
        match event:
            case TrialEnded(trial):
                self.trials.append(trial)
                self._show_best()
                for name in trial.runs.values():
                    self.delivery.follow(self.journals.path(name))
                self.view.run_ended(f"trial {trial.number}", self._outcome(trial), trial.seconds or None)
            case TrialLost(reason):
                console.warning(f"A trial was lost: {reason}. Its values are tried again")
            case TrialsAwaited(others):
                numbers = ", ".join(str(trial.number) for trial in others)
                console.info(f"Waiting for the trials of another process: {numbers}")

    def _show_best(self) -> None:
        objectives = self.task.spec.objectives
        if leader := best(self.trials, objectives[0].goal):
            score = f"{objectives[0].label} {console.number(leader.values[0])}"
            self.view.show_best(f"trial {leader.number}, {score}; {format_values(leader.params)}")

    def _outcome(self, trial: Trial) -> str:
        if trial.state == "failed":
            return f"failed: {trial.error}"
        values = f"; {format_values(trial.params)}"
        if trial.state == "pruned":
            return f"pruned, {count(trial.saved, 'epoch')} saved{values}"
        objectives = self.task.spec.objectives
        pairs = zip(objectives, trial.values, strict=True)
        scores = ", ".join(f"{one.label} {console.number(value)}" for one, value in pairs)
        leader = best(self.trials, objectives[0].goal)
        remark = " (baseline)" if trial.is_baseline else " (best so far)" if leader == trial else ""
        reused = f", {trial.reused} of {len(trial.runs)} runs reused" if trial.reused else ""
        return f"{scores}{remark}{reused}{values}"


@dataclass
class SearchSession:
    """The search of one recipe, and its record in the store."""

    task: TrialTask
    executor: Executor
    recorder: StudyRecorder
    preset: str
    command: str
    max_failures: int
    trials: list[Trial] = field(default_factory=list)
    importances: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def earlier(self) -> list[Trial]:
        """The trials of earlier commands."""
        return Search(self.task.spec, self.task.storage).trials()

    @property
    def winner(self) -> Trial | None:
        """The trial with the best value of the first objective."""
        return best(self.trials, self.task.spec.objectives[0].goal)

    def run(self) -> None:
        """Run the trials, and keep the record in the store up to date."""
        search = Search(self.task.spec, self.task.storage)
        self.trials = search.trials()
        self.recorder.open(self.record)
        try:
            self.trials = run_search(self.task, self.executor, self.recorder, max_failures=self.max_failures)
        except BaseException as error:
            self.trials = search.trials()
            self.recorder.close(self.record, "failed" if isinstance(error, UserError) else "killed")
            raise
        self.importances = importances(search)
        self.recorder.close(self.record, "finished")

    @property
    def record(self) -> StudyRecord:
        """The record of the search for the store."""
        spec, data = self.task.spec, self.task.data
        question = f"Which values make {spec.base.label} best on validation?"
        fixed = {name: value for name, value in spec.base.settings.items() if name not in spec.space.names}
        declared = {
            "workload": spec.base.workload.name,
            "kind": "tuning",
            "objectives": [objective.name for objective in spec.objectives],
            "seeds": list(spec.seeds),
            "sampler_seed": spec.sampler_seed,
            "pruner": spec.pruner,
            "preset": self.preset,
            **{f"space.{dimension.name}": dimension.text for dimension in spec.space.dimensions},
            **fixed,
        }
        details = {
            "kind": "tuning",
            "scale": spec.base.workload.scale_of(fixed),
            "data": data.provenance,
            "base": {"label": spec.base.label, "values": spec.space.values(spec.base)},
            "command": self.command,
            "tuning": {"searches": {spec.base.label: search_record(self.task, self.trials, self.importances)}},
        }
        plan = planned_runs(self.task, self.trials)
        return StudyRecord(spec.name, question, declared, plan, details=details).without_secrets()
