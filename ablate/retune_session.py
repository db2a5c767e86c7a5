"""Fair ablations from the first trial to the last run: each arm is tuned, then drop-in and re-tuned arms are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.studies.recipe import Recipe
from ablate.tracking import Planned as Listed
from ablate.tracking import StudyRecord
from ablate.tuning import Ticket, Trial, best
from ablate.workflows.sweep import SweepSession
from ablate.workflows.tune import make_trials, shown


@dataclass
class RetuneSession(SweepSession):
    """The runs that count: drop-in and re-tuned arms on fresh seeds; `tuning` is what the searches came to."""

    listed: list[tuple[str, Recipe]] = field(default_factory=list)
    tuning: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> StudyRecord:
        """What the store keeps: the plan names both kinds of arms, also where one run answers both."""
        record, fingerprint = super().record, self.planned[0].job.data.fingerprint
        runs = {key: run.name for key, run in self.answers.items()}
        plan = [
            Listed(recipe.key, fingerprint, variant, recipe.seed, runs.get(recipe.key))
            for variant, recipe in self.listed
        ]
        declared = {**record.declared, "tuning": self.tuning["declared"]}
        return replace(record, declared=declared, plan=plan, layout={**record.layout, "tuning": self.tuning})

    def _comparisons(self) -> dict[str, str]:
        return {}  # the live tally goes by the runs' own names, which both kinds of arms share

    def _title(self, key: str) -> str:
        names = dict.fromkeys(variant for variant, recipe in self.listed if recipe.key == key)
        seed = next(recipe.seed for _, recipe in self.listed if recipe.key == key)
        return f"{' = '.join(names)}/s{seed}"


def tune_arms(tickets: Mapping[str, Ticket], session: RetuneSession) -> dict[str, list[Trial]]:
    """Make the searches of all arms, one after the other, and return their trials by arm.

    What an earlier command made is taken over. Raises UserError when a search fails.
    """
    trials: dict[str, list[Trial]] = {}
    session.recording.open(session.record)
    try:
        for number, (label, ticket) in enumerate(tickets.items(), start=1):
            console.say(f"tuning {label} ({number} of {len(tickets)} arms)")
            trials[label] = make_trials(
                ticket, session.executor, session.recording, max_failures=session.max_failures or 5
            )
            winner = best(trials[label], ticket.tuning.objectives[0].goal)
            if winner:
                told = "as it is" if winner.is_baseline else shown(winner.params)
                console.say(f"{label}: best {winner.values[0]:.4f}, {told}")
    except BaseException as error:
        session.recording.close(session.record, "failed" if isinstance(error, UserError) else "killed")
        raise
    return trials
