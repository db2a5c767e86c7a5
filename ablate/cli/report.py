"""The command that writes a report: on a study of ours, or on anyone's runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.cli.options.report import ForeignFlags, Source
from ablate.errors import UsageError, UserError
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.report import Report, TuningReport

_SPARE = ("reference", "p (Holm)", "seeds")
"""Columns of the main table that a narrow terminal does without; the sentences above it hold them too."""


@grouped(WORKLOAD)
def report(
    foreign: ForeignFlags,
    store: StoreFlags,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY", help="A study's name; for other runs, what to call the report.", show_default=False
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The smallest difference that matters, in points of accuracy; the study's own unless given.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The folder to write; reports/STUDY unless given.", metavar="PATH", show_default=False),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Also write one self-contained HTML file.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Check the numbers that a text states about the study; write nothing.",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what a study found: reports/STUDY with report.md, tables and figures.

    Works while the study still runs, and says what is missing.

    Examples:

      ablate report demo --html

      ablate report --runs runs.csv --baseline full --margin 0.5

      ablate report --experiment their-study --metric val_acc --variant-param model --seed-param random_state

      ablate report demo --check README.md
    """
    from ablate.cores import collector_paused
    from ablate.tracking import Project

    if foreign.runs and foreign.experiment:
        raise UsageError("--runs and --experiment name two sources: give one of them")
    if not (study or foreign.runs or foreign.experiment):
        raise UsageError("which study? ablate report NAME, or --runs FILE.csv, or --experiment NAME")
    if margin is not None and not 0 < margin < float("inf"):
        raise UsageError(f"--margin is the smallest difference that matters, above 0, not {margin:g}")
    project = Project.find()
    source = Source(study, foreign, margin, store, project)
    if check is not None:
        _check(source, check, as_json=as_json)
        return
    with collector_paused():  # imports and tables make many objects and no garbage
        written = source.write(output, as_html=html)
    if as_json:
        console.emit(written.facts)
    else:
        show_report(written)


def show_report(written: Report | TuningReport) -> None:
    """Print the answer, the main table, and where the files are."""
    from ablate.report import TuningReport

    if isinstance(written, TuningReport):
        for line in written.answer:
            console.result(line)
        console.result(f"\n{written.folder / 'report.md'}")
        return
    material = written.analysis.material
    console.result(f"{material.name}: {written.runs}")
    for text in [*written.incomplete, *material.cautions]:
        console.warn(text)
    for line in written.answer:
        console.prose(line)
    columns, rows = written.table
    console.table(columns, rows, title="", spare=[name for name in _SPARE if name in columns])
    console.result(f"\n{written.folder / 'report.md'}")


def _check(source: Source, file: Path, *, as_json: bool) -> None:
    """Hold the numbers of a text against the study's; exit 1 if any disagrees."""
    from ablate.report import check_material

    if not file.is_file():
        raise UsageError(f"there is no file {file} to check")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{file} is no text in UTF-8") from None
    claims = check_material(source.material(), text)
    wrong = [claim for claim in claims if not claim.agrees]
    if as_json:
        console.emit(
            {
                "study": source.name,
                "file": str(file),
                "claims": len(claims),
                "wrong": len(wrong),
                "found": [vars(claim) for claim in claims],
            }
        )
    else:
        if claims:
            columns = ["line", "variant", "what", "says", "the study has", ""]
            rows = [
                [claim.line, claim.variant, claim.what, claim.claimed, claim.known, "" if claim.agrees else "WRONG"]
                for claim in claims
            ]
            console.table(columns, rows)
        console.result(f"{len(claims)} numbers about {source.name} found in {file}, {len(wrong)} of them wrong")
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{len(wrong)} of {len(claims)} numbers disagree with {source.name}, the first in line {first.line}: "
            f"{first.what} of {first.variant} is {first.known}, not {first.claimed}"
        )
