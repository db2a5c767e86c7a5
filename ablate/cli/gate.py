"""`ablate gate`: accept or reject a change by its runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.report import ExternalRunFlags
from ablate.errors import UsageError
from ablate.stats.metric import DEFAULT_MARGIN

_EXCLUDED = ("baseline", "exploratory", "factor_params", "dataset_param", "target", "dry_run")
"""Options of reports on runs recorded elsewhere that a gate does not take."""


@expand_groups
def gate(
    new: Annotated[str, typer.Argument(metavar="NEW", help="New runs: a file, or a variant.", show_default=False)],
    external: ExternalRunFlags,
    store: TrackingFlags,
    against: Annotated[
        str, typer.Option("--against", metavar="OLD", help="Old runs: a file, or a variant.", show_default=False)
    ],
    margin: Annotated[
        float | None,
        typer.Option(
            help="Smallest loss that matters, in percentage points or the metric's unit.",
            metavar="FLOAT",
            show_default=f"{DEFAULT_MARGIN:g} points; none for other metrics",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Accept or reject a change: are the new runs no worse than the old ones?

    Exit code 0: no worse (better, equivalent, or a loss as large as the margin is excluded). 3: clearly worse. 4: the
    seeds do not decide; the output states how many more do. Variants are those of this project's runs, or of another
    source.

    Examples:

      ablate gate new.csv --against old.csv --metric accuracy --margin 0.5

      ablate gate pr-12 --against main --runs runs.csv --metric loss --metric-goal min --margin 0.02

      ablate gate no-augment --against baseline --json
    """
    from ablate.api.gate import gate as decide

    _check_usage(external)
    columns, options = external.columns(None), external.options(store)
    found = decide(
        new,
        against,
        runs=external.runs,
        metric=columns["metric"],
        variant=columns["variant"],
        margin=margin,
        seed=columns["seed"],
        **options,
    )
    for text in found.cautions:
        console.warning(text)
    if as_json:
        console.print_json(found.facts)
    else:
        for line in found.summary:
            console.result(line)
    raise typer.Exit(found.exit_code)


def _check_usage(external: ExternalRunFlags) -> None:
    """Raise UsageError for options of reports that a gate does not take."""
    for name in external.given():
        if name.removeprefix("--").replace("-", "_") in _EXCLUDED:
            hint = ". Name the old variant with --against" if name == "--baseline" else ""
            raise UsageError(f"{name} is for ablate report{hint}")
