"""`ablate tune --per-variant`: every arm of a study tuned alike, the winners and the drop-in arms on fresh seeds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals
from ablate.runs.runner import Purpose
from ablate.runs.sweep import plan
from ablate.studies.recipe import Recipe
from ablate.tracking import PlanEntry, StudyRecord
from ablate.tuning import Ticket, Trial, best, objectives_of
from ablate.tuning.importances import importances
from ablate.tuning.per_variant import check_arms, final_recipes, fresh, retuned_comparisons, tunings, winners
from ablate.tuning.save_winner import save_study, study_file
from ablate.tuning.search import Search
from ablate.tuning.search_record import search_record
from ablate.wording import count
from ablate.workflows.sweep import SweepSession
from ablate.workflows.tune import make_trials, shown
from ablate.workflows.tune_context import Context
from ablate.workflows.tune_one import write_report

if TYPE_CHECKING:
    from ablate.studies.study import Study
    from ablate.tuning.per_variant import Values


def tune_variants(context: Context, began: float) -> None:
    """Tune the arms, make the runs that count, write the report."""
    study, flags = fresh(context.study), context.search
    check_arms(study, flags.seed_list)
    if flags.multi:
        raise UsageError("--per-variant compares arms by one objective: leave --multi out")
    (objective,) = objectives_of(study.workload.validation, study.workload.name)
    searches = tunings(study, flags.asked, flags.seed_list, objective, flags.pruner, flags.sampler_seed, flags.trials)
    tickets = {label: context.ticket(tuning) for label, tuning in searches.items()}
    _announce(study, tickets)
    trials = search_every_variant(tickets, _session(context, study, tickets, {}, {}))
    chosen = winners(searches, trials)
    session = _session(context, study, tickets, trials, chosen)
    to_run = count(len(session.open_jobs), "run")
    console.say(f"{to_run} on fresh seeds, from {study.seed_list[0]}: drop-in and re-tuned arms")
    session.run()
    folder = write_report(context, as_json=context.how.as_json)
    if context.how.save:
        label = study.baseline.label
        story = f"The values are those that the search of {label} in {study.name} chose."
        save_study(
            context.how.save, study_file(context.study.change(name=""), chosen[label], story, context.how.save.parent)
        )
    summary = {**session.summary(time.time() - began), "chosen": chosen, "report": str(folder)}
    if context.how.as_json:
        console.emit(summary)
    else:
        console.result(
            f"{study.name}: {count(len(tickets), 'arm')} tuned with {count(flags.trials, 'trial')} each, "
            f"{count(summary['ran'], 'run')} on fresh seeds made, {summary['failed']} failed, "
            f"in {console.duration(summary['seconds'])}"
        )
    if session.failed:
        first = session.failed[0]
        raise UserError(f"{len(session.failed)} runs failed, the first: {first.variant}/s{first.seed} ({first.error})")


def _announce(study: Study, tickets: dict[str, Ticket]) -> None:
    tuned = next(iter(tickets.values())).tuning
    console.say(
        f"{study.name}: {count(len(tickets), 'arm')}, {count(tuned.budget, 'trial')} each under seeds "
        f"{', '.join(map(str, tuned.seeds))}, the same sampler (TPE, seed {tuned.sampler_seed}) and the same space, "
        "less the knobs of what is off:"
    )
    for label, ticket in tickets.items():
        console.say(f"  {label}: {', '.join(ticket.tuning.space.names)}")


def _session(
    context: Context,
    study: Study,
    tickets: dict[str, Ticket],
    trials: dict[str, list[Trial]],
    chosen: dict[str, Values],
) -> RetuneSession:
    """Return the session of the runs that count; as long as nothing is chosen, of the drop-in arms."""
    journals = Journals(context.project.journals)
    listed = final_recipes(study, chosen) if chosen else [(recipe.label, recipe) for recipe in study.recipes()]
    recipes = list(dict.fromkeys(recipe for _, recipe in listed))
    return RetuneSession(
        study,
        plan(recipes, context.data, context.conditions, journals, mix=context.how.mix),
        journals,
        Purpose(context.project.root, study.name, mix=context.how.mix),
        context.executor,
        context.recording,
        max_failures=context.how.max_failures,
        listed=listed,
        tuning=_tuning_record(context, study, tickets, trials, chosen),
    )


def _tuning_record(
    context: Context,
    study: Study,
    tickets: dict[str, Ticket],
    trials: dict[str, list[Trial]],
    chosen: dict[str, Values],
) -> dict[str, Any]:
    first = next(iter(tickets.values())).tuning
    space = list(dict.fromkeys(name for ticket in tickets.values() for name in ticket.tuning.space.names))
    return {
        "declared": f"{first.budget} trials an arm under seeds {', '.join(map(str, first.seeds))}, TPE with seed "
        f"{first.sampler_seed}, over {', '.join(space)}",
        "command": context.command,
        "comparisons": retuned_comparisons(study),
        "chosen": chosen,
        "searches": {
            label: search_record(ticket, trials[label], importances(Search(ticket.tuning, ticket.place)))
            for label, ticket in tickets.items()
            if label in trials
        },
    }


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
            PlanEntry(recipe.key, fingerprint, variant, recipe.seed, runs.get(recipe.key))
            for variant, recipe in self.listed
        ]
        declared = {**record.declared, "tuning": self.tuning["declared"]}
        return replace(record, declared=declared, planned_runs=plan, details={**record.details, "tuning": self.tuning})

    def _comparisons(self) -> dict[str, str]:
        return {}  # the live tally goes by the runs' own names, which both kinds of arms share

    def _title(self, key: str) -> str:
        names = dict.fromkeys(variant for variant, recipe in self.listed if recipe.key == key)
        seed = next(recipe.seed for _, recipe in self.listed if recipe.key == key)
        return f"{' = '.join(names)}/s{seed}"


def search_every_variant(tickets: Mapping[str, Ticket], session: RetuneSession) -> dict[str, list[Trial]]:
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
