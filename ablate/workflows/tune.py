"""One search from its first trial to its record: how workers, journals, store and terminal come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run
from ablate.runs.executors import Executor
from ablate.runs.journal_watcher import Follower
from ablate.studies.job import Job
from ablate.tracking import BackgroundDelivery, StudyRecord
from ablate.tuning import Following, Ticket, TooManyFailures, Trial, best, carry_out
from ablate.tuning.importances import importances
from ablate.tuning.search import Search
from ablate.tuning.search_record import planned_runs, search_record
from ablate.workflows.messages import running_row
from ablate.workflows.study_record import Recording


def shown(values: Mapping[str, Any]) -> str:
    """Return the values of a trial in words: `lr 0.0123, dropout.p 0.2`."""
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in values.items())  # fmt: skip


@dataclass
class Making:
    """The trials of a search while they are made: what they are at, and what came of them, for terminal and store."""

    ticket: Ticket
    search: Search
    journals: Journals
    writer: BackgroundDelivery
    view: console.SweepView

    def __post_init__(self) -> None:
        self.known = self.search.trials()

    def jobs(self) -> Sequence[Job]:
        """Return the runs of the trials that somebody is at."""
        running = [trial for trial in self.search.trials() if trial.state == "running"]
        return [self.ticket.job(trial, seed) for trial in running for seed in self.ticket.tuning.seeds]

    def running(self, found: Sequence[tuple[Path, Run]]) -> None:
        """Show how far runs are, and have them delivered."""
        for path, _ in found:
            self.writer.follow(path)
        self.view.running([running_row(run) for _, run in found])

    def ended(self, trial: Trial) -> None:
        """Tell what came of a trial."""
        self.known.append(trial)
        for name in trial.runs.values():
            self.writer.follow(self.journals.path(name))
        self.view.ended(f"trial {trial.number}", _facts(trial, self.known, self.ticket), trial.seconds or None)

    def lost(self, reason: str) -> None:
        """Tell of a worker that died."""
        console.warn(f"{reason}; its trial is made again")

    def waiting(self, others: Sequence[Trial]) -> None:
        """Tell what is waited for."""
        numbers = ", ".join(str(trial.number) for trial in others)
        console.say(f"waiting for what another process makes: trial {numbers}")


def make_trials(ticket: Ticket, executor: Executor, recording: Recording, *, max_failures: int = 5) -> list[Trial]:
    """Make the trials of a search while its runs are delivered as they go; return all trials.

    Raises UserError when too many trials failed.
    """
    search = Search(ticket.tuning, ticket.place)
    search.close_lost()
    scale = ticket.tuning.objectives[0].scale
    with ExitStack() as stack:
        writer = stack.enter_context(recording.writer())
        view = stack.enter_context(console.SweepView(search.missing, executor.slots, {}, scale, str))
        making = Making(ticket, search, recording.journals, writer, view)
        stack.enter_context(Follower(recording.journals, making.jobs, making.running))
        following = Following(making.ended, making.lost, making.waiting)
        try:
            return carry_out(ticket, executor, following, max_failures=max_failures)
        except TooManyFailures as error:
            raise UserError(
                f"{max_failures} trials failed, the last: {error}; the same command goes on with the search "
                "(--max-failures N bears more)"
            ) from None


def _facts(trial: Trial, known: Sequence[Trial], ticket: Ticket) -> str:
    """Return what came of a trial, in words."""
    if trial.state == "failed":
        return f"failed: {trial.error}"
    where = f"; {shown(trial.params)}"
    if trial.state == "pruned":
        return f"stopped early, {trial.saved} epoch{'s' * (trial.saved != 1)} saved{where}"
    objectives = ticket.tuning.objectives
    scores = ", ".join(f"{one.words} {value:.4g}" for one, value in zip(objectives, trial.values, strict=True))
    leader = best(known, objectives[0].goal)
    told = " (the recipe as it is)" if trial.is_baseline else " (best so far)" if leader == trial else ""
    reused = f", {trial.reused} of {len(trial.runs)} runs were there" if trial.reused else ""
    return f"{scores}{told}{reused}{where}"


@dataclass
class TuneSession:
    """A search of one recipe that is being made, and its record in the store."""

    ticket: Ticket
    executor: Executor
    recording: Recording
    question: str
    preset: str
    command: str
    max_failures: int = 5
    trials: list[Trial] = field(default_factory=list)
    importances: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def earlier(self) -> list[Trial]:
        """The trials that are there before the command makes any."""
        return Search(self.ticket.tuning, self.ticket.place).trials()

    @property
    def winner(self) -> Trial | None:
        """The trial with the best value of the first objective."""
        return best(self.trials, self.ticket.tuning.objectives[0].goal)

    def run(self) -> None:
        """Make the trials, and keep the record in the store up to date."""
        search = Search(self.ticket.tuning, self.ticket.place)
        self.trials = search.trials()
        self.recording.open(self.record)
        try:
            self.trials = make_trials(self.ticket, self.executor, self.recording, max_failures=self.max_failures)
        except BaseException as error:
            self.trials = search.trials()
            self.recording.close(self.record, "failed" if isinstance(error, UserError) else "killed")
            raise
        self.importances = importances(search)
        self.recording.close(self.record, "finished")

    @property
    def record(self) -> StudyRecord:
        """What the store keeps of the search."""
        tuning, data = self.ticket.tuning, self.ticket.data
        fixed = {name: value for name, value in tuning.base.settings.items() if name not in tuning.space.names}
        declared = {
            "workload": tuning.base.workload.name,
            "kind": "tuning",
            "objectives": [objective.name for objective in tuning.objectives],
            "seeds": list(tuning.seeds),
            "sampler_seed": tuning.sampler_seed,
            "pruner": tuning.pruner,
            "preset": self.preset,
            **{f"space.{dimension.name}": dimension.text for dimension in tuning.space.dimensions},
            **fixed,
        }
        layout = {
            "kind": "tuning",
            "scale": tuning.base.workload.scale_of(fixed),
            "data": data.provenance,
            "base": {"label": tuning.base.label, "values": tuning.space.values(tuning.base)},
            "command": self.command,
            "tuning": {"searches": {tuning.base.label: search_record(self.ticket, self.trials, self.importances)}},
        }
        plan = planned_runs(self.ticket, self.trials)
        return StudyRecord(tuning.name, self.question, declared, plan, details=layout)
