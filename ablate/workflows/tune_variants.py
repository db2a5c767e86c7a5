"""`ablate tune --per-variant`: every arm of a study tuned alike, the winners and the drop-in arms on fresh seeds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.retune_session import RetuneSession
from ablate.retune_session import tune_arms as make_searches
from ablate.tuning import objectives_of
from ablate.tuning.importances import importances
from ablate.tuning.per_variant import check_arms, final_recipes, fresh, retuned_comparisons, tunings, winners
from ablate.tuning.save_winner import save_study, study_file
from ablate.tuning.search import Search
from ablate.tuning.search_record import search_record
from ablate.wording import count
from ablate.workflows.tune_context import Context

if TYPE_CHECKING:
    from ablate.studies.study import Study
    from ablate.tuning import Ticket, Trial
    from ablate.tuning.per_variant import Values


def tune_arms(context: Context, began: float) -> None:
    """Tune the arms, make the runs that count, write the report."""
    from ablate.workflows.tune_one import write_report

    study, flags = fresh(context.study), context.search
    check_arms(study, flags.seed_list)
    if flags.multi:
        raise UsageError("--per-variant compares arms by one objective: leave --multi out")
    (objective,) = objectives_of(study.workload.validation, study.workload.name)
    searches = tunings(study, flags.asked, flags.seed_list, objective, flags.pruner, flags.sampler_seed, flags.trials)
    tickets = {label: context.ticket(tuning) for label, tuning in searches.items()}
    _announce(study, tickets)
    trials = make_searches(tickets, _session(context, study, tickets, {}, {}))
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
    from ablate.journal.run_journal import Journals
    from ablate.runs.runner import Purpose
    from ablate.runs.sweep import plan

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
