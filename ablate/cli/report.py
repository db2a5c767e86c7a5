"""`ablate report`: write the report of a study, or of runs recorded elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.report import ExternalRunFlags, ReportFlags
from ablate.cores import collector_paused
from ablate.errors import UsageError, UserError

if TYPE_CHECKING:
    from ablate.report.check_claims import NumericClaim
    from ablate.report.tuning_report import TuningReport
    from ablate.report.write import Report

_OPTIONAL_COLUMNS = ("reference", "p (Holm)", "seeds")
"""Columns of the main table that a narrow terminal leaves out; the sentences above the table contain them too."""


@expand_groups
def report(
    flags: ReportFlags,
    external: ExternalRunFlags,
    store: TrackingFlags,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY", help="Name of the study, or of the report on runs recorded elsewhere.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the report of a study: Markdown, tables and figures.

    The study may still be running: the report lists the missing runs.

    Examples:

      ablate report demo --html

      ablate report --runs runs.csv --baseline full --margin 0.5

      ablate report --experiment theirs --metric val_acc --variant-param model

      ablate report demo --check README.md
    """
    _check_usage(flags, external, study)
    from ablate.tracking import Project

    with collector_paused():  # imports and tables create many objects and no garbage
        from ablate.workflows.report_source import ReportSource

        source = ReportSource(
            name=study or (external.runs.stem if external.runs else external.experiment) or "",
            project=Project.find(),
            options=external.table_options(flags.margin),
            table=external.runs,
            experiment=external.experiment,
            command=external.command(study, flags.margin),
            tracking_uri=store.tracking_uri,
            offline=store.offline,
        )
        if flags.check:
            _print_claims(source.check(flags.check), source.name, flags.check, as_json=flags.as_json)
            return
        written = source.write(flags.output, as_html=flags.html)
    if flags.as_json:
        console.print_json(written.facts)
    else:
        show_report(written)


def _check_usage(flags: ReportFlags, external: ExternalRunFlags, study: str | None) -> None:
    if external.runs and external.experiment:
        raise UsageError("--runs and --experiment exclude each other. Give one of them")
    if not (study or external.runs or external.experiment):
        raise UsageError("Name a study (ablate report NAME), or give --runs FILE.csv or --experiment NAME")
    unused = [] if external.runs or external.experiment else external.given()
    if unused:
        raise UsageError(f"{unused[0]} is for runs of other programs (--runs, --experiment). A study declares its own")
    if flags.margin is not None and not 0 < flags.margin < float("inf"):
        raise UsageError(f"--margin must be above 0, not {flags.margin:g}")


def show_report(written: Report | TuningReport) -> None:
    """Print the answer, the main table, and the path of the report."""
    from ablate.report.write import Report

    if not isinstance(written, Report):
        for line in written.answer:
            console.result(line)
        console.result(f"\n{written.folder / 'report.md'}")
        return
    data = written.analysis.study
    console.result(f"{data.name}: {written.runs}")
    for text in [*written.incomplete, *data.cautions]:
        console.warning(text)
    for line in written.answer:
        console.result(line, wrap=True)
    columns, rows = written.table
    console.table(columns, rows, title="", optional=[name for name in _OPTIONAL_COLUMNS if name in columns])
    if len(rows) < len(written.analysis.headline):
        total = len(written.analysis.headline)
        console.result(f"The {len(rows)} lowest of {total:,} differences; all are in effects.csv")
    console.result(f"\n{written.folder / 'report.md'}")


def _print_claims(claims: Sequence[NumericClaim], study: str, file: Path, *, as_json: bool) -> None:
    """Print the numbers that a text states; raise UserError if one is wrong."""
    wrong = [claim for claim in claims if not claim.agrees]
    if as_json:
        found = [vars(claim) for claim in claims]
        console.print_json(
            {"study": study, "file": str(file), "claims": len(claims), "wrong": len(wrong), "found": found}
        )
    else:
        if claims:
            columns = ["line", "variant", "number", "in the text", "in the study", ""]
            rows = [
                [claim.line, claim.variant, claim.what, claim.claimed, claim.known, "" if claim.agrees else "WRONG"]
                for claim in claims
            ]
            console.table(columns, rows)
        console.result(f"{len(claims)} numbers about {study} found in {file}, {len(wrong)} of them wrong")
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{len(wrong)} of {len(claims)} numbers disagree with {study}. The first, in line {first.line}: "
            f"{first.what} of {first.variant} is {first.known}, not {first.claimed}"
        )
