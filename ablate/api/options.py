"""Turn arguments of Python, or options of the command line, into the source of a report and the reading of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ablate.api.arguments import SOURCES, AnyPath, ChosenColumns, ComparisonOptions
from ablate.errors import UsageError
from ablate.report.sources.declared_comparison import read_fold_ratio
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.metric_choice import MetricChoice
from ablate.report.sources.readers.frame import is_frame, read_frame, value_as_text
from ablate.report.sources.readers.run_table import RunTable, cell
from ablate.tracking import Project
from ablate.wording import nearest, unknown, unknown_name
from ablate.workflows.report_source import ReportSource


def report_source(
    runs: Any, columns: ChosenColumns, options: ComparisonOptions, *, command: str = "", is_study: bool = False
) -> ReportSource:
    """Return the source of the runs of a report, which are not read yet.

    Args:
        runs: A data frame, a table of runs, or paths of files with one row per run; None for other sources.
        columns: What is compared.
        options: Other sources, and how they are read.
        command: The command line, for the report.
        is_study: Whether `options["name"]` is a study of the project, whose runs need no source.

    Raises:
        UsageError: Unknown options, several sources, or none; options that exclude each other.
        UserError: A frame has no rows.
    """
    _check(runs, options, is_study=is_study)
    table = runs if isinstance(runs, RunTable) else read_frame(runs) if is_frame(runs) else None
    found = ReportSource(
        name=options.get("name") or "",
        project=Project.find(),
        options=table_options(columns, options),
        table=table,
        files=() if runs is None or table is not None else _paths(runs),
        sheet=options.get("sheet"),
        folder=_path(options.get("folder")),
        metrics_file=options.get("metrics_file"),
        tensorboard=_path(options.get("tensorboard")),
        experiments=_words(options.get("experiment")),
        run_filter=options.get("filter") or "",
        wandb=None if (wandb := options.get("wandb")) is None else str(wandb),
        optuna=options.get("optuna"),
        optuna_study=options.get("study"),
        command=command,
        tracking_uri=options.get("tracking_uri"),
        offline=options.get("offline", False),
    )
    return found.named()


def table_options(columns: ChosenColumns, options: ComparisonOptions) -> TableOptions:
    """Return how to read the runs. Raises UsageError for values that are not those of the options."""
    metric, *secondary = _metrics(columns, options).metrics()
    step = options.get("step")
    return TableOptions(
        margin=metric.margin,
        baseline=value_as_text(columns.get("baseline", "baseline")),
        variant=",".join(_words(columns.get("variant"))) or None,
        factors=_listed(options.get("factor_params")),
        seed=str(columns.get("seed", "seed")),
        status=options.get("status_param"),
        finished_words=() if (words := options.get("finished_word")) is None else _listed(words, keep_empty=True),
        metric=metric.name or None,
        goal=metric.goal,
        unit=metric.unit,
        floor=metric.floor,
        target=options.get("target"),
        secondary=secondary,
        step=None if step is None else str(step),
        step_param=options.get("step_param"),
        exploratory=options.get("exploratory", False),
        where=_conditions(options.get("where")),
        dataset=options.get("dataset_param"),
        unpaired=options.get("unpaired", False),
        all_pairs=options.get("all_pairs", False),
        fold_ratio=read_fold_ratio(options.get("folds")),
    )


def check_sources(runs: object, options: ComparisonOptions) -> list[str]:
    """Return the source that is given, if any. Raises UsageError for several, and for options of other sources."""
    given = {**options, "runs": runs}
    found = [f"--{name}" for name in SOURCES if given.get(name) is not None]
    if options.get("study") and not options.get("optuna"):
        raise UsageError(
            "--study is for --optuna. For a study of this project, give its name alone: ablate report NAME"
        )
    if options.get("filter") and not options.get("experiment"):
        raise UsageError("--filter is for --experiment. Select runs of other sources with --where KEY=VALUE")
    if len(found) > 1:
        raise UsageError(f"{' and '.join(found)} exclude each other. Give one of them")
    return found


def _check(runs: object, options: ComparisonOptions, *, is_study: bool) -> None:
    """Raise UsageError for unknown options, several sources or none."""
    known = ComparisonOptions.__optional_keys__
    for name in options:
        if name not in known:
            raise UsageError(unknown_name("argument", name, nearest(name, known | ChosenColumns.__optional_keys__)))
    if not check_sources(runs, options) and not is_study:
        others = ", ".join(f"{name}=" for name in SOURCES[1:])
        raise UsageError(f"No runs to compare. Pass a data frame or paths of files, or one of {others}")


def _metrics(columns: ChosenColumns, options: ComparisonOptions) -> MetricChoice:
    names = _words(columns.get("metric"))
    return MetricChoice(
        names,
        goals=_by_metric("--metric-goal", options.get("metric_goal"), names),
        units=_by_metric("--unit", options.get("unit"), names),
        margins=_by_metric("--margin", columns.get("margin"), names),
        floors=_by_metric("--floor", options.get("floor"), names),
    )


def _by_metric(flag: str, given: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return values by metric. A value without a name is that of the first metric."""
    first = names[0] if names else ""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {first: given}
    for name in given:
        if name not in (*names, first):
            raise UsageError(f"{flag} {dict(given)}: {unknown('metric', name, names)}")
    return given


def _words(given: object) -> tuple[str, ...]:
    """Return one text, or several. The name of a column may be a number."""
    if given is None:
        return ()
    return tuple(map(str, given)) if isinstance(given, Iterable) and not isinstance(given, str) else (str(given),)


def _listed(given: str | Sequence[str] | None, *, keep_empty: bool = False) -> tuple[str, ...]:
    """Return texts, of one text its parts between commas."""
    parts = given.split(",") if isinstance(given, str) else _words(given)
    return tuple(parts) if keep_empty else tuple(part.strip() for part in parts if part.strip())


def _conditions(given: str | Sequence[str] | Mapping[str, object] | None) -> tuple[str, ...]:
    if isinstance(given, Mapping):
        return tuple(f"{name}={cell(value)}" for name, value in given.items())
    return _words(given)


def _paths(given: AnyPath | Sequence[AnyPath]) -> tuple[Path, ...]:
    several = [given] if isinstance(given, str | PathLike) else given
    try:
        if isinstance(several, Mapping):
            raise TypeError
        return tuple(Path(one).expanduser() for one in several)
    except TypeError:
        raise UsageError(f"Runs must be a data frame or paths of files, not {type(given).__name__}") from None


def _path(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given).expanduser()
