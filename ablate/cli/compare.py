"""`ablate compare`: two runs or variants side by side."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Annotated, Any

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.journal.run_journal import Run
from ablate.tracking import Project, Tracker, run_title
from ablate.workflows.messages import format_parameter, headline_metric, settings_of


@expand_groups
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="Run (no-augment/s0) or variant (no-augment).")],
    other: Annotated[str, typer.Argument(metavar="B", help="Run or variant to compare with it.")],
    store: TrackingFlags,
    as_json: JsonFlag = False,
) -> None:
    """Compare two runs, or two variants over their seeds.

    Prints the parameters that differ, then the metrics.

    Examples:
      ablate compare baseline/s0 no-augment/s0

      ablate compare baseline no-augment
    """
    tracker = store.open_current(Project.find())
    left, right = _side(one, tracker), _side(other, tracker)
    different = _differences(left[0].params, right[0].params, many=len(left) + len(right) > 2)
    metrics = _metrics(left, right)
    if as_json:
        console.emit(
            {
                "A": [run_title(run) for run in left],
                "B": [run_title(run) for run in right],
                "differs": different,
                "metrics": metrics,
            }
        )
        return
    heads = [f"A: {_name(one, left)}", f"B: {_name(other, right)}"]
    if different:
        console.table(
            ["differs", *heads],
            [[name, format_parameter(name, a), format_parameter(name, b)] for name, (a, b) in different.items()],
        )
    else:
        console.say("Both have the same recipe")
    columns = ["metric", *heads, "B - A"]
    console.table(columns, [[name, *_cells(name, left, right)] for name in metrics], title="")
    if max(len(left), len(right)) > 1:
        study = _study([*left, *right], tracker)
        console.say(f"± is the standard deviation over seeds. For intervals: ablate report {study}")


def _side(text: str, tracker: Tracker) -> list[Run]:
    """Return the run of that name, or the newest run of each seed of the variant of that name, all at one scale."""
    runs = [run for run in tracker.runs() if run.variant == text and run.is_result]
    if not runs:
        return [tracker.find(text)]
    scale = _scale(runs[-1])
    return list({run.seed: run for run in runs if _scale(run) == scale}.values())


def _scale(run: Run) -> tuple[Any, ...]:
    return (run.data, headline_metric(run), *sorted((name, str(value)) for name, value in settings_of(run).items()))


def _name(text: str, runs: Sequence[Run]) -> str:
    return run_title(runs[0]) if len(runs) == 1 else f"{text}, {len(runs)} seeds"


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], *, many: bool) -> dict[str, tuple[Any, Any]]:
    left_out = {"weights_digest"} | ({"seed"} if many else set())
    names = [name for name in {**one, **other} if name not in left_out]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _metrics(left: Sequence[Run], right: Sequence[Run]) -> dict[str, tuple[float, float, float]]:
    """Return the means and their difference for each metric that both have, times last."""
    names = [name for name in left[0].metrics if name in right[0].metrics]
    means = {name: (mean(_values(left, name)), mean(_values(right, name))) for name in names}
    ordered = sorted(names, key=lambda name: name.startswith("time/"))
    return {name: (means[name][0], means[name][1], means[name][1] - means[name][0]) for name in ordered}


def _cells(name: str, left: Sequence[Run], right: Sequence[Run]) -> list[str]:
    """Return a metric of both sides and their difference, with the same number of decimals."""
    one, other = _values(left, name), _values(right, name)
    if all(value.is_integer() for value in (*one, *other)) and len({*one}) == len({*other}) == 1:
        return [f"{one[0]:,.0f}", f"{other[0]:,.0f}", f"{other[0] - one[0]:+,.0f}"]
    digits = console.decimals([mean(one), mean(other)])
    difference = mean(other) - mean(one)
    return [_spread(one, digits), _spread(other, digits), f"{difference:+,.{digits}f}"]


def _spread(values: Sequence[float], digits: int) -> str:
    """Return the mean, with the standard deviation of several seeds."""
    shown = f"{mean(values):,.{digits}f}"
    return f"{shown} ± {stdev(values):,.{digits}f}" if len(values) > 1 and all(map(math.isfinite, values)) else shown


def _values(runs: Sequence[Run], name: str) -> list[float]:
    return [run.metrics.get(name, math.nan) for run in runs]


def _study(runs: Sequence[Run], tracker: Tracker) -> str:
    """Return the shell-quoted name of the study of all runs, or `STUDY` if they have several."""
    names = {run.study for run in runs}
    return shlex.quote(names.pop()) if len(names) == 1 and names <= {*tracker.studies()} else "STUDY"
