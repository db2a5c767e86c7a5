"""Anyone's runs, as a table: which columns mean what, what is wrong with the rows, what is compared with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import find_factors, find_metric, label_variants, read_metric, require
from ablate.report.sources.infer_design import InferredDesign, infer_design
from ablate.report.sources.row_checks import check_rows, read_seeds, read_statuses, said
from ablate.report.study_data import RunCounts, StudyData
from ablate.stats.effects import STATUSES, Protocol
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableOptions:
    """How somebody's runs are to be read; None means: find out, or say what is missing.

    `margin` is in points for fractions, in the metric's own unit else. `floor` is what an unstable run without a value
    counts as, in the table's unit. `exploratory` says that the comparisons were not planned.
    """

    margin: float | None = None
    baseline: str = "baseline"
    variant: str | None = None
    factors: Sequence[str] = ()
    seed: str = "seed"
    metric: str | None = None
    goal: str | None = None
    floor: float | None = None
    exploratory: bool = False


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file as it stands, each cell as text; the index counts the file's lines, the first row being line 2.

    Raises UserError for what is no table.
    """
    import pandas as pd

    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read as CSV: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of rows that are longer than the head
        raise UserError(f"{path} has rows with more cells than its first line has names: give every column a name")
    table.index = table.index + 2
    table.columns = [str(name).strip() for name in table.columns]
    doubled = [name for name in table.columns if table.columns.tolist().count(name) > 1]
    if doubled:
        raise UserError(f"{path} has more than one column {doubled[0]!r}")
    table = table.map(str.strip)
    return table[~(table == "").all(axis=1)]


def from_table(name: str, source: str, table: pd.DataFrame, options: TableOptions, row_word: str = "line") -> StudyData:
    """The study of anyone's runs: `table` has a row a run, its cells text; `row_word` names a row in messages.

    Every other variant is held against the baseline, unless the arms are those of a named design (see `infer_design`).
    Raises UserError, naming the rows, for what cannot be read; what can be read but should be known is a caution.
    """
    if table.empty:
        raise UserError(f"{source} holds no runs")
    cautions: list[str] = []
    given_factors = [require(table, factor, "factor", "--factor-params") for factor in options.factors]
    table = label_variants(table, options.variant, given_factors, options.baseline)
    column = find_metric(table, options.metric, options.seed, given_factors)
    seeds = require(table, options.seed, "seed", "--seed-param")
    table = table.rename(columns={column: _as_name(column), seeds: "seed"})
    column = _as_name(column)
    table, found = read_statuses(table, row_word)
    cautions += found
    table = read_seeds(table, row_word)
    table, metric, found = read_metric(table, column, options.goal, options.floor, row_word)
    cautions += found
    cautions += check_rows(table, row_word, column)
    margin = _margin(options.margin, metric)
    factors, design = find_factors(table, given_factors, row_word)
    _require_baseline(table, options.baseline)
    usable = table[table["status"].isin(STATUSES)].reset_index(drop=True)
    inferred = infer_design(usable, design, options.baseline, planned=not options.exploratory)
    return StudyData(
        name=name,
        question="",
        scale=f"scale not stated; runs from {source}",
        runs=_arranged(usable, metric, factors),
        metric=metric,
        margin=margin,
        comparisons=inferred.comparisons,
        factors=factors,
        design=inferred.design,
        baseline=options.baseline,
        counts=_run_counts(table),
        protocol=Protocol(planned=not options.exploratory),
        design_name=inferred.name,
        seeds=sorted(set(usable["seed"])),
        facts=[("Source", source), ("Compared", inferred.words)],
        cautions=cautions,
        notes=_assumptions(options, metric, inferred),
        limits=_limits(),
        commands=[],
    )


def _as_name(column: str) -> str:
    """A metric's name as it stands everywhere but in MLflow: `test/accuracy` is `test_accuracy`."""
    return column.removeprefix("metrics.").replace("/", "_")


def _margin(margin: float | None, metric: Metric) -> float:
    if margin is not None:
        return margin
    if metric.in_points:
        return 0.5
    raise UsageError(
        f"--margin is needed: the smallest difference in {metric.name} that matters, in its own unit (accuracies have "
        "0.5 points)"
    )


def _require_baseline(table: pd.DataFrame, baseline: str) -> None:
    variants = list(dict.fromkeys(table["variant"]))
    if baseline not in variants:
        shown = ", ".join(variants[:10]) + (" ..." if len(variants) > 10 else "")
        raise UserError(f"no run has the variant {baseline!r}: name the baseline with --baseline (there is: {shown})")
    if len(variants) == 1:
        raise UserError(f"every run has the variant {baseline!r}: there is nothing to compare it with")


def _arranged(table: pd.DataFrame, metric: Metric, factors: Sequence[str]) -> pd.DataFrame:
    first = ["variant", "seed", "status", metric.name, *factors]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _run_counts(table: pd.DataFrame) -> RunCounts:
    statuses = table["status"].value_counts().to_dict()
    open_runs = table[table["status"] == "running"]
    running = list(zip(map(str, open_runs["variant"]), map(int, open_runs["seed"]), strict=True))
    return RunCounts(
        planned=None, statuses={str(name): int(count) for name, count in statuses.items()}, running=running
    )


def _assumptions(options: TableOptions, metric: Metric, inferred: InferredDesign) -> list[str]:
    """What was taken for granted, since the runs themselves do not say it."""
    assumed = (
        "were declared exploratory: each verdict says so"
        if options.exploratory
        else "were taken as planned before the runs; if they were not, --exploratory says so in each verdict"
    )
    better = "lower" if metric.goal == "min" else "higher"
    margin = "as given" if options.margin is not None else "the default, which nobody chose for these runs"
    return [
        f"The comparisons ({said(inferred.comparisons)}) {assumed}.",
        f"{metric.name}: {better} is better{'' if options.goal else ' (assumed; --metric-goal says otherwise)'}. "
        f"The margin is {margin}.",
        "Runs of one seed were taken as paired: the same data order, initial weights and splits in every arm. If your "
        "seeds do not do that, pairing is still valid but gains little: see rho, and Welch's test under Diagnostics.",
        "How many runs were planned is not known, so runs that were left out cannot be seen here.",
    ]


def _limits() -> list[str]:
    return [
        "These runs were not made by this tool: that each value is the final one, and was not chosen on the test set, "
        "is the word of whoever made them."
    ]
