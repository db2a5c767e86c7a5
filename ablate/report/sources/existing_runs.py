"""Convert a table of existing runs, of any reader, to the data of a report.

Finds the columns, checks the rows, infers the comparisons.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from ablate.errors import UserError
from ablate.report.sources.choose_baseline import require_baseline
from ablate.report.sources.columns import (
    by_role,
    find_column,
    find_factors,
    find_roles,
    metric_name,
    plain,
    require,
)
from ablate.report.sources.datasets import dataset_design, label_by_dataset
from ablate.report.sources.declared_comparison import (
    ABOUT_REPLICATES,
    check_combination,
    declared_design,
    declared_words,
)
from ablate.report.sources.infer_design import InferredDesign
from ablate.report.sources.level_design import components_of, levels_by_variant, with_all_pairs
from ablate.report.sources.row_checks import check_rows, read_seed_column
from ablate.report.sources.run_names import in_one_form, similar_names
from ablate.report.sources.scores import MetricColumn, read_metric
from ablate.report.sources.statuses import read_statuses, status_columns
from ablate.report.sources.units import MetricOptions, NamedMetric
from ablate.report.study_data import DatasetArm, RunCounts, StudyData
from ablate.stats.effects import STATUSES, Protocol
from ablate.stats.effects.types import Replicates
from ablate.stats.metric import Metric
from ablate.wording import count, listed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableOptions(MetricOptions):
    """How to read a table of runs and its metric; None where the table itself shows it.

    Attributes:
        baseline: Name of the variant that the others are compared with.
        variant: Column of the variant.
        factors: True/false columns that are factors.
        components: Columns whose values name the variants, with their names as components.
        seed: Column of the seed.
        status: Column of the status; `none` if no column is one.
        finished_words: Words of finished runs, in addition to the known ones.
        metric: Column of the metric.
        step: The step whose values count, where a run has several: `last`, a number, or `best:METRIC`.
        step_param: Column of the step.
        exploratory: Whether the comparisons were not planned.
        where: Conditions on the runs: `KEY=VALUE`, `KEY!=VALUE`.
        detect_factors: Whether true/false columns are factors, if none are given.
        secondary: Metrics that are reported in tables of their own.
        dataset: Column of the data set, of runs on several.
        unpaired: Whether all runs of two variants are compared, without pairs by seed.
        fold_ratio: If the seeds are folds of one data set, the number of test rows per training row; 0 otherwise.
        all_pairs: Whether levels, and other variants, are compared with each other as well.
    """

    baseline: str = "baseline"
    variant: str | None = None
    factors: Sequence[str] = ()
    components: Mapping[str, str] = field(default_factory=dict)
    seed: str = "seed"
    status: str | None = None
    finished_words: Sequence[str] = ()
    metric: str | None = None
    step: str | None = None
    step_param: str | None = None
    exploratory: bool = False
    where: Sequence[str] = ()
    detect_factors: bool = True
    secondary: Sequence[NamedMetric] = ()
    dataset: str | None = None
    unpaired: bool = False
    fold_ratio: float = 0.0
    all_pairs: bool = False

    def __post_init__(self) -> None:
        declared = {"unpaired": self.unpaired, "folds": bool(self.fold_ratio), "all_pairs": self.all_pairs}
        check_combination(**declared, target=self.target, dataset=self.dataset)

    def for_secondary(self, metric: NamedMetric) -> Self:
        """Return the options for the same runs with a secondary metric."""
        others = [NamedMetric(name=self.metric or ""), *self.secondary]
        changed = replace(self, metric=metric.name, secondary=others, goal=metric.goal, unit=metric.unit)
        return replace(changed, margin=metric.margin, floor=metric.floor, target=None)

    @property
    def protocol(self) -> Protocol:
        """What was declared about the comparisons."""
        replicates: Replicates = "runs" if self.unpaired else "folds" if self.fold_ratio else "seeds"
        return Protocol(planned=not self.exploratory, replicates=replicates, fold_ratio=self.fold_ratio)


def from_table(
    name: str,
    source: str,
    table: pd.DataFrame,
    options: TableOptions,
    row_word: str = "line",
    reading: str = "",
    diverged: Collection[Any] = (),
) -> StudyData:
    """Return the study in a table with one row per run and text cells; `row_word` names a row in messages.

    `reading` is how the source was read, for the answer. The runs of the rows `diverged` are unstable.

    Each variant is compared with the baseline, unless the variants are those of a named design (see `infer_design`).
    Raises UserError, naming the rows, for values that cannot be read, and UsageError for missing options.
    """
    if table.empty:
        raise UserError(f"No runs in {source}")
    options = replace(options, baseline=in_one_form([options.baseline])[0][0])
    rows, scores, read = _read(table, options, row_word, diverged)
    similar, statement = similar_names(rows["variant"]), "; ".join(filter(None, [read, reading]))
    rows, factors, design, arms = _design(rows, table, options, row_word)
    runs = _ordered(_usable(rows), scores.metric, factors)
    return StudyData(
        name=name,
        question="",
        scale=f"scale unknown; runs from {source}",
        runs=runs,
        metric=scores.metric,
        margin=scores.margin,
        comparisons=design.comparisons,
        factors=factors,
        design=design.variants,
        baseline=options.baseline,
        counts=_run_counts(rows),
        protocol=options.protocol,
        design_name=design.name,
        seeds=sorted(set(runs["seed"].tolist())),
        facts=[("Source", source), ("Comparisons", design.description), ("Read as", statement)],
        cautions=[*similar, *scores.cautions, *check_rows(rows, row_word, scores.metric.name)],
        statement=f"Read as: {statement}.",
        notes=_assumptions(options, scores.metric, len(design.comparisons)),
        limits=_LIMITS,
        row_names=rows.index[rows["status"].isin(STATUSES)].tolist(), datasets=arms, target=scores.target,
        levels=design.levels,
    )  # fmt: skip


def _usable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["status"].isin(STATUSES)].reset_index(drop=True)


def _design(
    rows: pd.DataFrame, table: pd.DataFrame, options: TableOptions, row_word: str
) -> tuple[pd.DataFrame, list[str], InferredDesign, dict[str, DatasetArm]]:
    """Return the rows, the factors and the comparisons; of several data sets also the variants by their new names."""
    require_baseline(rows, _usable(rows), options.baseline)
    factors, variants = find_factors(rows, options.factors, row_word, detect=options.detect_factors)
    if options.dataset is None:
        named = options.components or components_of(table, options.variant)
        levels = levels_by_variant(rows["variant"], table, named)
        design = declared_design(_usable(rows), variants, levels, options.baseline, options.protocol)
        return rows, factors, with_all_pairs(design, options.baseline) if options.all_pairs else design, {}
    taken = find_roles(
        table, variant=options.variant, seed=options.seed, metric=options.metric, factors=options.factors
    ).columns
    rows, arms = label_by_dataset(rows, table, options.dataset, taken, row_word)
    return rows, factors, dataset_design(_usable(rows), arms, options.baseline, options.protocol), arms


def _read(
    table: pd.DataFrame, options: TableOptions, row_word: str, diverged: Collection[Any]
) -> tuple[pd.DataFrame, MetricColumn, str]:
    """Return the table with known column names, statuses, seeds and scores, the scores, and how all was read."""
    roles = find_roles(
        table, variant=options.variant, seed=options.seed, metric=options.metric, factors=options.factors
    )
    asked = options.status and find_column(table, options.status)
    if options.status not in (None, "none") and not asked:
        require(table, str(options.status), "status", "--status-param")
    columns = status_columns(table, asked or options.status, roles.columns)
    rows = by_role(table, roles, columns, row_word, options.baseline)
    variants, several_forms = in_one_form(rows["variant"].map(str).tolist())
    rows = rows.assign(variant=variants)
    words = table[columns].assign(variant=rows["variant"], seed=rows["seed"])
    statuses, spoken = read_statuses(words, columns, options.finished_words, row_word)
    rows, words_pair = read_seed_column(rows.assign(status=statuses), row_word, plain(roles.seed))
    name = metric_name(table, roles)
    scores = read_metric(rows, name, plain(roles.metric), options, row_word)
    is_lost = rows.index.isin(list(diverged)) & (scores.statuses == "finished")
    rows = rows.assign(**{name: scores.values, "status": scores.statuses.mask(is_lost, "unstable")})
    seeds = "" if plain(roles.seed) == "seed" and not words_pair else f"; seed: column {plain(roles.seed)}"
    seeds += ", whose words pair the runs" if words_pair and not options.unpaired else ""
    forms = f"; variant: the Unicode forms of {listed(several_forms)} are one name" if several_forms else ""
    return rows, scores, f"{scores.statement}; {spoken}{seeds}{forms}{declared_words(options.protocol)}"


def _ordered(table: pd.DataFrame, metric: Metric, factors: Sequence[str]) -> pd.DataFrame:
    first = ["variant", "seed", "status", metric.name, *factors]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _run_counts(table: pd.DataFrame) -> RunCounts:
    statuses = {str(name): int(number) for name, number in table["status"].value_counts().items()}
    open_runs = table[table["status"] == "running"]
    running = list(zip(map(str, open_runs["variant"]), open_runs["seed"].tolist(), strict=True))
    return RunCounts(planned=None, statuses=statuses, running=running)


def _assumptions(options: TableOptions, metric: Metric, comparisons: int) -> list[str]:
    """Return the assumptions about these runs, and the flags that change them."""
    number = count(comparisons, "comparison")
    if options.exploratory:
        planned = f"{number}, declared exploratory in each verdict."
    else:
        planned = f"{number}, assumed to be planned before the runs. If they were not, use --exploratory."
    better = "lower" if metric.goal == "min" else "higher"
    goal = f"{better} is better" + ("" if options.goal else " (assumed; change it with --metric-goal)")
    margin = "as given" if options.margin is not None else "the default, not chosen for these runs"
    return [
        planned,
        f"{metric.name}: {goal}. Margin: {margin}.",
        ABOUT_REPLICATES[options.protocol.replicates],
        "The number of planned runs is unknown, so missing runs cannot be detected.",
    ]


_LIMITS = (
    "These runs were recorded by other software. This report cannot verify that each value is the final one and was "
    "not selected on the test set.",
)
