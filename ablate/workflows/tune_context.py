"""What a tune command resolved before its first trial, and the space as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate import console
from ablate.journal.run_journal import Journals
from ablate.runs.runner import Purpose
from ablate.tuning import Space, Ticket, Tuning
from ablate.workflows.study_record import Recording

if TYPE_CHECKING:
    from ablate.cli.options.tune import SearchFlags, TrialFlags
    from ablate.runs.executors import Executor
    from ablate.studies.conditions import Conditions
    from ablate.studies.job import Data
    from ablate.studies.study import Study
    from ablate.tracking import Project, Tracker


@dataclass(frozen=True)
class Context:
    """All that a tune command resolved before its first trial."""

    search: SearchFlags
    how: TrialFlags
    study: Study
    data: Data
    conditions: Conditions
    project: Project
    tracker: Tracker
    executor: Executor
    deadline: float
    command: str

    @cached_property
    def recording(self) -> Recording:
        """The record of the study: one for all that the command does, so that a store that fails is told once."""
        return Recording(self.study.name, self.tracker, Journals(self.project.journals))

    def ticket(self, tuning: Tuning) -> Ticket:
        """Return the ticket of a search."""
        purpose = Purpose(self.project.root, self.study.name, mix=self.how.mix)
        place = self.how.place(self.project, self.study.name)
        return Ticket(tuning, place, self.data, self.conditions, purpose, self.project.journals, self.deadline)


def announce_space(space: Space, values: Mapping[str, Any]) -> None:
    """Print what is searched, and what the recipe has."""
    for dimension in space.dimensions:
        value = values[dimension.name]
        now = f"{value:g}" if isinstance(value, float) else str(value)
        console.say(f"  {dimension.name}: {dimension.text} (now {now})")
