"""`ablate compare`: two runs or variants side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.wording import fixed


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
    from ablate.tracking import Project
    from ablate.workflows.compare_runs import SideBySide, find_side
    from ablate.workflows.messages import format_parameter

    tracker = store.open_current(Project.find())
    pair = SideBySide(find_side(one, tracker), find_side(other, tracker))
    if as_json:
        names = {"A": pair.a.titles, "B": pair.b.titles}
        cautions = [pair.caution] if pair.caution else []
        console.print_json({**names, "differs": pair.differences, "metrics": pair.metrics, "cautions": cautions})
        return
    headings = [f"A: {pair.a.heading}", f"B: {pair.b.heading}"]
    if pair.differences:
        rows = [[name, *(format_parameter(name, value) for value in both)] for name, both in pair.differences.items()]
        console.table(["differs", *headings], rows)
    else:
        console.info("Both have the same recipe")
    rows = [[name, *_cells(pair.a.values(name), pair.b.values(name))] for name in pair.metrics]
    console.table(["metric", *headings, "B - A"], rows, title="")
    if pair.caution:
        console.warning(pair.caution)
    if pair.has_several_seeds:
        study = pair.study(tracker)
        console.info(f"± is the standard deviation over seeds. For intervals: ablate report {study}")


def _cells(one: Sequence[float], other: Sequence[float]) -> list[str]:
    """Return a metric of both sides and their difference, with the same number of decimals."""
    if all(value.is_integer() for value in (*one, *other)) and len({*one}) == len({*other}) == 1:
        return [fixed(one[0], 0, ","), fixed(other[0], 0, ","), fixed(other[0] - one[0], 0, "+,")]
    digits = console.decimals([mean(one), mean(other)])
    difference = mean(other) - mean(one)
    return [_with_spread(one, digits), _with_spread(other, digits), fixed(difference, digits, "+,")]


def _with_spread(values: Sequence[float], digits: int) -> str:
    """Return the mean, with the standard deviation of several seeds."""
    text = fixed(mean(values), digits, ",")
    known = len(values) > 1 and all(map(math.isfinite, values))
    return f"{text} ± {fixed(stdev(values), digits, ',')}" if known else text
