"""The two sides of a gate: variants of one source, of the project's runs, or the runs of two files or frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.api.arguments import ChosenColumns, ComparisonOptions
from ablate.api.options import check_sources, report_source
from ablate.errors import UsageError, UserError
from ablate.report.sources.readers.frame import is_frame, read_frame
from ablate.report.sources.readers.run_table import RunTable, table_of_rows
from ablate.report.sources.readers.table_files import joined, read_table_files
from ablate.report.sources.units import FRACTION, OWN, PERCENT
from ablate.report.study_data import StudyData
from ablate.stats.effects import Comparison
from ablate.stats.metric import Metric
from ablate.tracking import Project, Tracker
from ablate.wording import listed, unknown
from ablate.workflows.compare_runs import SideBySide, find_side
from ablate.workflows.messages import headline_metric, settings_of
from ablate.workflows.store import open_current_store

if TYPE_CHECKING:
    import pandas as pd

VARIANT = "variant"
PERCENTAGE = 100
"""The scale of a metric whose values are fractions and are shown as percentages."""


@dataclass(frozen=True)
class GatedRuns:
    """The study with one comparison, and the names of its two variants."""

    study: StudyData
    new: str
    against: str


def gated_runs(new: Any, against: Any, runs: Any, columns: ChosenColumns, options: ComparisonOptions) -> GatedRuns:
    """Return the runs of two sides as a study with one comparison.

    Raises UsageError and UserError as `report_source` does, and for sides that are the same.
    """
    if check_sources(runs, options):
        return _within(runs, str(new), str(against), columns, options)
    if is_frame(new) and is_frame(against):
        return _of_two([read_frame(new), read_frame(against)], ["new", "old"], columns, options)
    if all(isinstance(side, str | PathLike) and Path(side).expanduser().is_file() for side in (new, against)):
        paths = [Path(side).expanduser() for side in (new, against)]
        if paths[0].resolve() == paths[1].resolve():
            raise UsageError(f"{paths[0]} is given twice. Give the old runs with --against")
        tables = [read_table_files([path], options.get("sheet")) for path in paths]
        return _of_two(tables, [str(path) for path in paths], columns, options)
    for side in (new, against):
        if isinstance(side, PathLike) or (isinstance(side, str) and Path(side).suffix and not _is_variant(side)):
            raise UserError(f"File not found: {side}")
        if not isinstance(side, str):
            raise UsageError("Both sides of a gate must be of one kind: data frames, files or names of variants")
    return _of_project(new, against, columns, options)


def _is_variant(name: str) -> bool:
    """Return whether a name with a point is a variant of a project, such as `lr=0.1`, rather than a file."""
    return "=" in name or Path(name).suffix[1:].isdigit()


def _within(runs: Any, new: str, against: str, columns: ChosenColumns, options: ComparisonOptions) -> GatedRuns:
    """Return two variants of one source."""
    source = report_source(runs, {**columns, "baseline": against}, options)
    return GatedRuns(_restricted(source.read(), new, against), new, against)


def _of_two(
    tables: Sequence[RunTable], names: Sequence[str], columns: ChosenColumns, options: ComparisonOptions
) -> GatedRuns:
    """Return the runs of two tables, each of which is one variant."""
    if columns.get("variant"):
        raise UsageError(
            "--variant-param applies to variants in one source. Give it with --runs, or omit it for two files"
        )
    for name, runs in zip(names, tables, strict=True):
        if runs.table.empty:
            raise UserError(f"No runs in {name}")
        own = runs.table[VARIANT].unique().tolist() if VARIANT in runs.table.columns else []
        if len(own) > 1:
            raise UsageError(
                f"{name} has {len(own)} variants ({listed(map(str, own), 5)}). Name two of them, with --runs {name}"
            )
    runs = joined(names, tables, {VARIANT: names})
    source = report_source(runs, {**columns, "baseline": names[1], "variant": VARIANT}, options)
    return GatedRuns(_restricted(source.read(), *names), *names)


def _of_project(new: str, against: str, columns: ChosenColumns, options: ComparisonOptions) -> GatedRuns:
    """Return two variants of the project's runs, at the newest scale of each."""
    project = Project.find()
    tracker = open_current_store(project, options.get("tracking_uri"), offline=options.get("offline", False))
    sides = SideBySide(find_side(against, tracker), find_side(new, tracker))
    data = {run.data for side in (sides.a, sides.b) for run in side.runs}
    metrics = {headline_metric(run) for side in (sides.a, sides.b) for run in side.runs}
    if len(data) > 1 or len(metrics) > 1:
        raise UserError(f"The newest runs of {new} and {against} have different data or metrics and cannot be compared")
    table = RunTable("this project", _table(sides), "run", cautions=_cautions(sides))
    chosen: ChosenColumns = {**columns, "variant": VARIANT, "baseline": against}
    source = report_source(table, {**chosen, **_metric(sides, columns)}, {**_recorded(sides, tracker), **options})
    return GatedRuns(_restricted(source.read(), new, against), new, against)


def _table(sides: SideBySide) -> pd.DataFrame:
    return table_of_rows(
        {
            run.name: {
                VARIANT: side.name,
                "seed": str(run.seed),
                "status": run.status,
                **{_column(name): str(value) for name, value in run.metrics.items()},
            }
            for side in (sides.a, sides.b)
            for run in side.runs
        }
    )


def _metric(sides: SideBySide, columns: ChosenColumns) -> ChosenColumns:
    """Return the metric of the runs, unless another one is asked for."""
    headline = headline_metric(sides.a.runs[0])
    return {"metric": columns.get("metric") or _column(headline)}


def _recorded(sides: SideBySide, tracker: Tracker) -> ComparisonOptions:
    """Return the goal and the unit that the study of the runs declares, and the score that unstable runs count as."""
    runs = (*sides.a.runs, *sides.b.runs)
    floors = {run.floor for run in runs if run.floor is not None}
    found: ComparisonOptions = {"floor": floors.pop()} if len(floors) == 1 else {}
    known = [run.study for run in runs if run.study in tracker.studies()]
    declared = tracker.study(known[0]).details.get("metric") if known else None
    if declared is None:
        return found
    metric = Metric.from_dict(declared)
    unit = FRACTION if metric.scale == PERCENTAGE else PERCENT if metric.in_points else metric.own_unit or OWN
    return {**found, "metric_goal": metric.goal, "unit": unit}


def _cautions(sides: SideBySide) -> list[str]:
    """Return what differs besides the variant: settings, code and seeds."""
    known = settings_of(sides.a.runs[0])
    settings = [f"{name} {old} and {new}" for name, (old, new) in sides.differences.items() if name in known]
    return [*([f"The settings differ: {listed(settings, 5)}"] if settings else []), *filter(None, [sides.caution])]


def _column(name: str) -> str:
    return name.replace("/", "_")


def _restricted(study: StudyData, new: str, against: str) -> StudyData:
    """Return the study with the comparison of two of its variants alone. Raises for variants that it does not have."""
    if new == against:
        raise UsageError(f"{new!r} cannot be compared with itself. Name another variant with --against")
    known = list(dict.fromkeys(study.runs["variant"].map(str)))
    if new not in known:
        raise UserError(unknown("variant", new, known))
    row = Comparison(new, against, new, "changed", "gate", n_planned=max(1, len(study.seeds)))
    empty = study.design.iloc[:0, :0]
    return replace(study, comparisons=[row], factors=(), design=empty, design_name="", secondary=())
