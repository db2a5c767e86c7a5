"""`ablate report`: write the report of a study, or of runs recorded elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.cli.found_variants import print_found, print_preview, shown_if_unclear
from ablate.cli.options.common import TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.report import ExternalRunFlags
from ablate.cli.options.report_output import ReportFlags
from ablate.cli.options.run_source import SOURCE_FLAGS
from ablate.cores import collector_paused
from ablate.errors import UsageError, UserError
from ablate.wording import count

if TYPE_CHECKING:
    from ablate.report.marks.check import CheckedValue
    from ablate.report.tuning_report import TuningReport
    from ablate.report.write import Report
    from ablate.workflows.report_marks import MarkedFile
    from ablate.workflows.report_source import ReportSource

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

      ablate report --folder lightning_logs --metric val_acc --step best:val_loss

      ablate report --tensorboard logs --metric val/acc --step last

      ablate report --experiment theirs --metric val_acc --variant-param model

      ablate report --optuna tuning.db --variant-param optimizer --baseline sgd

      ablate report demo --figures pdf --figure-width column

      ablate report demo --check README.md

      ablate report --fill README.md
    """
    _check_usage(flags, external, store, study)
    with collector_paused():  # imports and tables create many objects and no garbage
        source = _source(flags, external, store, study)
        text = flags.check or flags.fill
        if text is not None:
            from ablate.workflows.report_marks import read_marks

            (_check if flags.check else _fill)(read_marks(text, source), as_json=flags.as_json)
            return
        with shown_if_unclear():
            if external.dry_run:
                print_preview(source.analyse(), as_json=flags.as_json)
                return
            written = _write(source, flags)
    _print(written, as_json=flags.as_json, is_study=not external.sources)


def _write(source: ReportSource, flags: ReportFlags) -> Report | TuningReport:
    from ablate.report.plots import render

    with render.figure_pool() as pool:  # it starts while the runs are read
        return source.write(flags.output, as_html=flags.html, drawing=replace(flags.drawing(), pool=pool))


def _print(written: Report | TuningReport, *, as_json: bool, is_study: bool) -> None:
    """Print the report. Raises UserError if it compares nothing, because no two arms share a seed."""
    if as_json:
        console.print_json(written.facts)
    else:
        show_report(written)
    from ablate.report.accounting import compares_nothing, nothing_shared
    from ablate.report.write import Report

    if isinstance(written, Report) and compares_nothing(written.analysis):
        reason, advice = nothing_shared(written.analysis)
        advice = "Run the study again for its missing and failed runs" if is_study else advice
        raise UserError(f"The report compares nothing: {reason}. {advice}")


def _source(flags: ReportFlags, external: ExternalRunFlags, store: TrackingFlags, study: str | None) -> ReportSource:
    from ablate.api.options import report_source

    options = external.options(store)
    if study:
        options["name"] = study
    command, is_study = external.command(study, flags.margin), not external.sources
    return report_source(external.runs, external.columns(flags.margin), options, command=command, is_study=is_study)


def _check_usage(flags: ReportFlags, external: ExternalRunFlags, store: TrackingFlags, study: str | None) -> None:
    from ablate.api.options import check_sources

    sources = check_sources(external.runs, external.options(store))
    flags.drawing()
    is_named = bool(study or sources)
    if flags.check or flags.fill:
        _check_usage_of_marks(flags, external, is_named=is_named)
    elif not is_named:
        raise UsageError(f"Name a study (ablate report NAME), or give {', '.join(SOURCE_FLAGS)}")
    unused = [] if sources else external.given()
    if unused:
        raise UsageError(
            f"{unused[0]} is for runs of other programs ({', '.join(SOURCE_FLAGS)}). A study declares its own"
        )


def _check_usage_of_marks(flags: ReportFlags, external: ExternalRunFlags, *, is_named: bool) -> None:
    if flags.check and flags.fill:
        raise UsageError("--check and --fill exclude each other. Give one of them")
    if flags.html or flags.output or flags.figures:
        raise UsageError("--check and --fill write no report. Omit --html, --output and --figures")
    if external.dry_run:
        raise UsageError("--check and --fill exclude --dry-run. Give one of them")
    if not is_named and (flags.margin is not None or external.floor is not None):
        raise UsageError("--margin and --floor are for one study. Name it (ablate report NAME)")


def show_report(written: Report | TuningReport) -> None:
    """Print the answer, the main table, and the path of the report."""
    from ablate.report.write import Report

    if not isinstance(written, Report):
        for line in written.answer:
            console.result(line)
        _print_paths(written)
        return
    data = written.analysis.study
    print_found(data.found)
    console.result(f"{data.name}: {written.runs}")
    for text in [*written.incomplete, *data.cautions]:
        console.warning(text)
    for line in written.answer:
        console.result(line)
    columns, rows = written.table
    console.table(columns, rows, title="", optional=[name for name in _OPTIONAL_COLUMNS if name in columns])
    if len(rows) < len(written.analysis.headline):
        total = len(written.analysis.headline)
        console.result(f"The {len(rows)} lowest of {total:,} differences; all are in effects.csv")
    _print_paths(written)


def _print_paths(written: Report | TuningReport) -> None:
    """Print the paths of the report, below an empty line."""
    pages = [name for name in ("report.md", "report.html") if name in written.files]
    console.result("\n" + "\n".join(str(written.folder / name) for name in pages))


def _check(file: MarkedFile, *, as_json: bool) -> None:
    """Print the marked values that are wrong. Raises UserError if there are any."""
    checked = file.check()
    wrong = [item for item in checked if not item.agrees]
    if as_json:
        console.print_json({**_facts(file, checked), "claims": len(checked), "wrong": len(wrong)})
    else:
        _print_values(wrong, "in the study")
        console.result(f"{count(len(checked), 'marked value')} checked in {file.file}, {len(wrong)} wrong")
        _print_studies(file, wrong)
    _warn_skipped(file)
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{len(wrong)} of {count(len(checked), 'marked value')} wrong in {file.file}. The first, in line "
            f"{first.line}: {first.subject} is {first.known!r}, not {first.claimed!r}"
        )


def _fill(file: MarkedFile, *, as_json: bool) -> None:
    """Fill in the marks of a file, and print the values that changed."""
    checked = file.fill()
    changed = [item for item in checked if not item.agrees]
    if as_json:
        console.print_json({**_facts(file, checked), "marked": len(checked), "changed": len(changed)})
    else:
        _print_values(changed, "now")
        console.result(f"{count(len(checked), 'marked value')} in {file.file}, {len(changed)} changed")
        _print_studies(file, changed)
    _warn_skipped(file)
    for line in dict.fromkeys(file.unfilled_tables()):
        console.warning(
            f"Line {line}: a table without a mark disagrees with {file.study}. Only tables between "
            f"<!-- ablate: {file.study} results --> and <!-- /ablate --> are filled in"
        )


def _print_studies(file: MarkedFile, values: Sequence[CheckedValue]) -> None:
    """Print the runs and the scale of the studies of values: the text may quote other ones of the same name."""
    for name in dict.fromkeys(item.study for item in values):
        facts = file.studies[name].study_row.columns
        console.result(f"Values of {name}: {count(facts['runs'], 'run')}, {facts['scale']}")


def _facts(file: MarkedFile, checked: Sequence[CheckedValue]) -> dict[str, Any]:
    return {
        "study": file.study,
        "file": str(file.file),
        "found": [vars(item) for item in checked],
        "not_checked": list(file.skipped),
    }


def _print_values(values: Sequence[CheckedValue], known: str) -> None:
    if values:
        columns = ["line", "study", "variant", "value", "in the text", known]
        rows = [[item.line, item.study, item.variant, item.what, item.claimed, item.known] for item in values]
        console.table(columns, rows)


def _warn_skipped(file: MarkedFile) -> None:
    for name in file.skipped:
        console.warning(f"Marks of {name} were not checked. Give its runs with --runs or --experiment")
