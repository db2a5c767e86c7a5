"""`ablate tune` of one recipe: the search, its report, and what is printed of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import console
from ablate.errors import UsageError
from ablate.tuning import Tuning, check_baseline, choose_pruner, epochs_of, objectives_of, pareto, space_of
from ablate.tuning.pruning import pruning_words
from ablate.tuning.save_winner import save_study, study_file
from ablate.workflows.tune import TuneSession, shown
from ablate.workflows.tune_context import Context, announce_space

if TYPE_CHECKING:
    from ablate.tuning import Trial


def tune_one(context: Context, began: float) -> None:
    """Search the study's baseline, write the report, print the answer."""
    tuning = _tuning(context)
    ticket = context.ticket(tuning)
    console.say(f"{tuning.name}: {tuning.budget} trials of {tuning.base.label} for {_goals(tuning)}, over")
    announce_space(tuning.space, tuning.space.values(tuning.base))
    console.say(f"stopped early: {pruning_words(tuning.pruner, len(tuning.seeds), len(tuning.objectives))}")
    question = f"Which values make {tuning.base.label} best on validation?"
    session = TuneSession(
        ticket,
        context.executor,
        context.recording,
        question,
        context.study.preset,
        context.command,
        context.how.max_failures,
    )
    before = {trial.number for trial in session.earlier if trial.is_over}
    session.run()
    baseline = check_baseline(session.trials, tuning.name)
    winner = session.winner
    assert winner is not None  # the baseline is complete
    folder = write_report(context, as_json=context.how.as_json)
    if context.how.save:
        story = (
            f"The values are those of trial {winner.number} of the search {tuning.name}: "
            f"{tuning.objectives[0].words} {winner.values[0]:.4f}, {baseline.values[0]:.4f} as it was."
        )
        save_study(context.how.save, study_file(context.study, winner.params, story, context.how.save.parent))
    summary = _summary(session, baseline, before, time.time() - began)
    if context.how.as_json:
        console.emit({**summary, "report": str(folder)})
        return
    _print(session, summary)
    if context.how.save:
        console.say(f"next: ablate sweep {context.how.save}")


def _tuning(context: Context) -> Tuning:
    study, flags = context.study, context.search
    seeds = flags.seed_list
    base = study.baseline.reseed(seeds[0])
    space = space_of(base, flags.asked)
    if not space.dimensions:
        raise UsageError(
            "nothing of this recipe can be tuned: give a setting a range, by --space NAME=LOW:HIGH, or by "
            "ranges= in the file of a study that brings its own training"
        )
    multi = [name.strip() for name in (flags.multi or "").split(",") if name.strip()]
    objectives = objectives_of(study.workload.validation, study.workload.name, multi)
    pruner = choose_pruner(
        flags.pruner, len(seeds), len(objectives), epochs=epochs_of(base), is_fixed="epochs" not in space.names
    )
    return Tuning(study.name, base, space, seeds, objectives, pruner, flags.sampler_seed, flags.trials)


def _goals(tuning: Tuning) -> str:
    words = {"max": "high", "min": "low"}
    return " and ".join(f"{words[objective.goal]} {objective.words}" for objective in tuning.objectives)


def write_report(context: Context, *, as_json: bool) -> Path:
    """Write the report of a tuning and print its answer; returns its file."""
    from ablate.report.plots.render import figure_pool
    from ablate.workflows.study_record import write_recorded

    with figure_pool() as pool:
        written = write_recorded(context.recording, context.project.reports / context.study.name, pool)
    if not as_json:
        for line in written.answer:
            console.result(line)
    return written.folder / "report.md"


def _summary(session: TuneSession, baseline: Trial, before: set[int], seconds: float) -> dict[str, Any]:
    trials, tuning = session.trials, session.ticket.tuning
    counted = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed")}
    winner = session.winner
    assert winner is not None
    return {
        "tuning": tuning.name,
        "trials": len([trial for trial in trials if trial.is_over]),
        "made": len([trial for trial in trials if trial.is_over and trial.number not in before]),
        **counted,
        "reused_runs": sum(trial.reused for trial in trials),
        "saved_epochs": sum(trial.saved for trial in trials if trial.state == "pruned"),
        "objectives": [objective.name for objective in tuning.objectives],
        "best": {"trial": winner.number, "values": list(winner.values), "params": dict(winner.params)},
        "baseline": {"trial": baseline.number, "values": list(baseline.values), "params": dict(baseline.params)},
        "front": [
            {"trial": trial.number, "values": list(trial.values), "params": dict(trial.params)}
            for trial in pareto(trials, [objective.goal for objective in tuning.objectives])
        ]
        if len(tuning.objectives) > 1
        else [],
        "seconds": seconds,
        "training_seconds": sum(trial.seconds for trial in trials if trial.number not in before),
    }


def _print(session: TuneSession, summary: dict[str, Any]) -> None:
    tuning, winner = session.ticket.tuning, session.winner
    assert winner is not None
    objectives = tuning.objectives
    chosen = (
        pareto(session.trials, [objective.goal for objective in objectives])
        if len(objectives) > 1
        else sorted(
            (trial for trial in session.trials if trial.state == "complete"),
            key=lambda trial: trial.values[0],
            reverse=objectives[0].goal == "max",
        )[:5]
    )
    rows = [[trial.number, *trial.values, shown(trial.params)] for trial in chosen]
    title = "not beaten in both" if len(objectives) > 1 else "the best trials"
    console.table(["trial", *(objective.words for objective in objectives), "values"], rows, title=title)
    console.result(
        f"{tuning.name}: {summary['trials']} trials, {summary['made']} of them made just now, {summary['pruned']} "
        f"stopped early, {summary['failed']} failed, in {console.duration(summary['seconds'])}"
    )
