"""`ablate tune` of one recipe: run the search, write its report, print its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablate import console
from ablate.errors import UsageError
from ablate.report.tuning_report import TuningReport
from ablate.report.write import Report
from ablate.tuning.pruning import choose_pruner, describe_pruning
from ablate.tuning.run_search import check_baseline
from ablate.tuning.save_winner import save_study, tuned_study
from ablate.tuning.space import space_of
from ablate.tuning.types import SearchSpec, Trial, epochs_of, objectives_of, pareto
from ablate.workflows.search_session import SearchSession, format_values
from ablate.workflows.tune_request import TuneContext, TuneRequest, announce_space

TRIALS_SHOWN = 5


@dataclass(frozen=True)
class RecipeSearch:
    """A finished search.

    Attributes:
        trials: All trials, those of earlier commands included.
        winner: The best trial, by the first objective.
        summary: The result as plain data.
        report: The written report.
        spec: The specification.
    """

    trials: Sequence[Trial]
    winner: Trial
    summary: dict[str, Any]
    report: Report | TuningReport
    spec: SearchSpec


def tune_recipe(context: TuneContext, began: float) -> None:
    """Search the study's baseline recipe, write the report, print the result."""
    request = context.request
    search = search_recipe(context, began)
    if request.as_json:
        console.print_json({**search.summary, "report": str(search.report.folder / "report.md")})
        return
    for line in search.report.answer:
        console.result(line)
    _print(search)
    console.result(f"\n{search.report.folder / 'report.md'}")
    if request.save:
        console.info(f"Next: ablate sweep {request.save}")


def search_recipe(context: TuneContext, began: float) -> RecipeSearch:
    """Search the study's baseline recipe, write the report, and save the winner if the request names a file."""
    request = context.request
    spec = _search_spec(request)
    _announce(spec)
    session = SearchSession(
        context.task(spec),
        context.resources.executor,
        context.recorder,
        request.study.preset,
        request.command,
        request.max_failures,
    )
    earlier = {trial.number for trial in session.earlier if trial.is_over}
    session.run()
    baseline = check_baseline(session.trials, spec.name)
    report = context.write_report()
    if request.save:
        _save(request, session, baseline)
    summary = _summary(session, baseline, earlier, time.time() - began)
    return RecipeSearch(session.trials, _winner(session), summary, report, spec)


def _search_spec(request: TuneRequest) -> SearchSpec:
    study, settings = request.study, request.settings
    base = study.baseline.reseed(settings.seeds[0])
    space = space_of(base, settings.space)
    if not space.dimensions:
        raise UsageError(
            "This recipe has nothing to tune. Give a setting a range, with --space NAME=LOW:HIGH, or with ranges= in "
            "the file of a study with a custom training"
        )
    objectives = objectives_of(study.workload.validation, study.workload.name, settings.objectives)
    is_fixed = "epochs" not in space.names
    pruner = choose_pruner(
        settings.pruner, len(settings.seeds), len(objectives), epochs=epochs_of(base), is_fixed=is_fixed
    )
    return SearchSpec(
        study.name, base, space, settings.seeds, objectives, pruner, settings.sampler_seed, settings.trials
    )


def _announce(spec: SearchSpec) -> None:
    verbs = {"max": "maximise", "min": "minimise"}
    goals = " and ".join(f"{verbs[objective.goal]} {objective.label}" for objective in spec.objectives)
    console.info(f"{spec.name}: {spec.budget} trials of {spec.base.label} to {goals}. Search space:")
    announce_space(spec.space, spec.space.values(spec.base))
    console.info(f"Pruning: {describe_pruning(spec.pruner, len(spec.seeds), len(spec.objectives))}")


def _save(request: TuneRequest, session: SearchSession, baseline: Trial) -> None:
    winner, spec = _winner(session), session.task.spec
    assert request.save is not None
    origin = (
        f"The values are those of trial {winner.number} of search {spec.name}, with {spec.objectives[0].label} "
        f"{winner.values[0]:z.4f}. The baseline has {baseline.values[0]:z.4f}."
    )
    chosen = spec.base.effective(winner.params)
    save_study(request.save, tuned_study(request.study, chosen, origin, request.save.parent))


def _winner(session: SearchSession) -> Trial:
    winner = session.winner
    assert winner is not None  # the baseline is complete
    return winner


def _summary(session: SearchSession, baseline: Trial, earlier: set[int], seconds: float) -> dict[str, Any]:
    trials, spec, winner = session.trials, session.task.spec, _winner(session)
    counted = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed")}
    front = pareto(trials, [objective.goal for objective in spec.objectives]) if len(spec.objectives) > 1 else []
    return {
        "tuning": spec.name,
        "trials": len([trial for trial in trials if trial.is_over]),
        "made": len([trial for trial in trials if trial.is_over and trial.number not in earlier]),
        **counted,
        "reused_runs": sum(trial.reused for trial in trials),
        "saved_epochs": sum(trial.saved for trial in trials if trial.state == "pruned"),
        "objectives": [objective.name for objective in spec.objectives],
        "best": _as_dict(winner),
        "baseline": _as_dict(baseline),
        "front": [_as_dict(trial) for trial in front],
        "seconds": seconds,
        "training_seconds": sum(trial.seconds for trial in trials if trial.number not in earlier),
    }


def _as_dict(trial: Trial) -> dict[str, Any]:
    return {"trial": trial.number, "values": list(trial.values), "params": dict(trial.params)}


def _print(search: RecipeSearch) -> None:
    objectives, summary = search.spec.objectives, search.summary
    if len(objectives) > 1:
        title = "Pareto front"
        shown = pareto(search.trials, [objective.goal for objective in objectives])
    else:
        title = "Best trials"
        complete = [trial for trial in search.trials if trial.state == "complete"]
        is_max = objectives[0].goal == "max"
        shown = sorted(complete, key=lambda trial: trial.values[0], reverse=is_max)[:TRIALS_SHOWN]
    rows = [[trial.number, *trial.values, format_values(trial.params)] for trial in shown]
    console.table(["trial", *(objective.label for objective in objectives), "values"], rows, title=title)
    console.result(
        f"{search.spec.name}: {summary['trials']} trials, {summary['made']} new, {summary['pruned']} pruned, "
        f"{summary['failed']} failed, in {console.duration(summary['seconds'])}"
    )
