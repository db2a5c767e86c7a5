"""One search from its first trial to its record: how workers, journals, store and terminal come together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.executors import Executor
from ablate.following import Follower
from ablate.journal import Journals, Run
from ablate.phrases import not_delivered, running_row
from ablate.tracking import StoreError, StudyRecord, Tracker, Writer
from ablate.tuning import Following, Ticket, TooManyFailures, Trial, best, carry_out
from ablate.workload import Job


def shown(values: Mapping[str, Any]) -> str:
    """Return the values of a trial in words: `lr 0.0123, dropout.p 0.2`."""
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in values.items())  # fmt: skip


def make_trials(
    ticket: Ticket, executor: Executor, tracker: Tracker, prepare: Callable[[], object], *, max_failures: int = 5
) -> list[Trial]:
    """Make the trials of a search while its runs are delivered as they go; return all trials.

    `prepare` is called before the first delivery. Raises UserError when too many trials failed.
    """
    from ablate.tuning.search import Search

    search, journals = Search(ticket.tuning, ticket.place), Journals(ticket.journals)
    search.close_lost()
    known = search.trials()
    objective = ticket.tuning.objectives[0]
    with ExitStack() as stack:
        writer = stack.enter_context(
            Writer(
                tracker,
                lambda error: console.warn(not_delivered(error)),
                prepare=prepare,
                tidy=lambda: tracker.close_orphans(journals.paths()),
            )
        )
        view = stack.enter_context(console.SweepView(search.missing, executor.slots, {}, objective.scale, str))

        def jobs() -> Sequence[Job]:
            running = [trial for trial in search.trials() if trial.state == "running"]
            return [ticket.job(trial, seed) for trial in running for seed in ticket.tuning.seeds]

        def running(found: Sequence[tuple[Path, Run]]) -> None:
            for path, _ in found:
                writer.follow(path)
            view.running([running_row(run) for _, run in found])

        def ended(trial: Trial) -> None:
            known.append(trial)
            for name in trial.runs.values():
                writer.follow(journals.path(name))
            view.ended(f"trial {trial.number}", _facts(trial, known, ticket), trial.seconds or None)

        def waiting(others: list[Trial]) -> None:
            numbers = ", ".join(str(trial.number) for trial in others)
            console.say(f"waiting for what another process makes: trial {numbers}")

        stack.enter_context(Follower(journals, jobs, running))
        following = Following(ended, lambda reason: console.warn(f"{reason}; its trial is made again"), waiting)
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
        return f"stopped early, {trial.saved} epochs saved{where}"
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
    tracker: Tracker
    question: str
    preset: str
    command: str
    max_failures: int = 5
    trials: list[Trial] = field(default_factory=list)
    importances: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def earlier(self) -> list[Trial]:
        """The trials that are there before the command makes any."""
        from ablate.tuning.search import Search

        return Search(self.ticket.tuning, self.ticket.place).trials()

    @property
    def winner(self) -> Trial | None:
        """The trial with the best value of the first objective."""
        return best(self.trials, self.ticket.tuning.objectives[0].goal)

    def run(self) -> None:
        """Make the trials, and keep the record in the store up to date."""
        from ablate.tuning.importances import importances
        from ablate.tuning.search import Search

        search = Search(self.ticket.tuning, self.ticket.place)
        self.trials = search.trials()
        try:
            self.trials = make_trials(
                self.ticket,
                self.executor,
                self.tracker,
                lambda: self.tracker.open_study(self.record),
                max_failures=self.max_failures,
            )
        except BaseException as error:
            self.trials = search.trials()
            self.close("failed" if isinstance(error, UserError) else "killed")
            raise
        self.importances = importances(search)
        self.close("finished")

    @property
    def record(self) -> StudyRecord:
        """What the store keeps of the search."""
        from ablate.tuning.summary import planned_runs, search_record

        tuning, data = self.ticket.tuning, self.ticket.data
        declared = {
            "workload": tuning.base.workload.name,
            "kind": "tuning",
            "objectives": [objective.name for objective in tuning.objectives],
            "seeds": list(tuning.seeds),
            "sampler_seed": tuning.sampler_seed,
            "pruner": tuning.pruner,
            "preset": self.preset,
            **{f"space.{dimension.name}": dimension.text for dimension in tuning.space.dimensions},
            **{name: value for name, value in tuning.base.settings.items() if name not in tuning.space.names},
        }
        layout = {
            "kind": "tuning",
            "data": {"name": data.name, "description": data.description},
            "base": {"label": tuning.base.label, "values": tuning.space.values(tuning.base)},
            "command": self.command,
            "tuning": {"searches": {tuning.base.label: search_record(self.ticket, self.trials, self.importances)}},
        }
        plan = planned_runs(self.ticket, self.trials)
        return StudyRecord(tuning.name, self.question, declared, plan, layout=layout)

    def close(self, status: str) -> None:
        """Write the record as it is now."""
        try:
            self.tracker.open_study(self.record)
            self.tracker.close_study(self.ticket.tuning.name, status)
        except StoreError as error:
            console.warn(str(error))
