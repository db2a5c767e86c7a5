"""The report of a study, and the tuning of its baseline, from Python."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.api.messages import logged_messages
from ablate.api.progress import shown_progress
from ablate.api.resources import ComputeChoice, DataChoice, ExecutionChoice
from ablate.api.results import ComparisonResult
from ablate.api.sweeps import check_file, named
from ablate.api.training_options import SweepOptions, check_options, chosen
from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.metric_choice import margins_of
from ablate.report.write import Report
from ablate.studies.study import Study
from ablate.studies.study_checks import check_seeds
from ablate.tracking import Project
from ablate.tuning.types import SearchSettings, SearchStorage
from ablate.workflows.report_source import ReportSource
from ablate.workflows.store import open_store
from ablate.workflows.tune_recipe import RecipeSearch, search_recipe
from ablate.workflows.tune_request import TuneContext, TuneRequest, TuneResources

if TYPE_CHECKING:
    import pandas as pd

_SEARCH = ("trials", "jobs", "space", "seeds", "objectives", "pruner", "sampler_seed", "name")


@dataclass(frozen=True, repr=False, eq=False)
class StudyReport(ComparisonResult, Report):
    """The written report of a study, with its results.

    Attributes:
        analysis: The runs, the effects and everything else that the report is made of.
        folder: The folder of the report.
        files: Its files, relative to it.
    """


def report_study(
    study: Study,
    folder: str | PathLike[str] | None,
    *,
    html: bool,
    margin: float | None,
    tracking_uri: str | None,
    offline: bool,
) -> StudyReport:
    """Write the report of a study of this project."""
    with logged_messages():
        known = margins_of({} if margin is None else {"": margin})
        options = TableOptions(margin=known.get(""))
        name, project = named(study).name, Project.find()
        source = ReportSource(name, project, options, tracking_uri=tracking_uri, offline=offline)
        written = source.write(None if folder is None else Path(folder).expanduser(), as_html=html)
        if not isinstance(written, Report):
            raise UserError(f"{name} is a search, not a study")
        return StudyReport(written.analysis, written.folder, written.files)


@dataclass(frozen=True, repr=False, eq=False)
class SearchResult:
    """A search for settings and hyperparameters.

    Attributes:
        search: The trials, and the best of them.
    """

    search: RecipeSearch

    @property
    def best(self) -> dict[str, Any]:
        """The values of the best trial, by name."""
        return dict(self.search.winner.params)

    @property
    def trials(self) -> pd.DataFrame:
        """The trials: number, state, the objectives, then the values."""
        import pandas as pd

        names = [objective.name for objective in self.search.spec.objectives]
        rows: list[dict[str, Any]] = [
            {
                "trial": trial.number,
                "state": trial.state,
                **dict(zip(names, trial.values, strict=False)),
                **trial.params,
            }
            for trial in self.search.trials
        ]
        return pd.DataFrame(rows)

    @property
    def folder(self) -> Path:
        """The folder of the report."""
        return self.search.report.folder

    def __repr__(self) -> str:
        return "\n".join([*self.search.report.answer, str(self.folder / "report.md")])

    def _repr_html_(self) -> str:
        from ablate.report.formats.html import fragment
        from ablate.report.formats.markdown_text import bullets, escape

        return fragment(bullets(map(escape, self.search.report.answer)))


def tune_study(study: Study, options: Mapping[str, Any]) -> SearchResult:
    """Tune the baseline of a study."""
    check_options(options, SweepOptions.__optional_keys__ | set(_SEARCH))
    began = time.time()
    with shown_progress(options.get("progress")):
        return SearchResult(search_recipe(_context(study, options), began))


def _context(study: Study, options: Mapping[str, Any]) -> TuneContext:
    check_file(study)
    if study.baseline.settings.get("validate_on") == "test":
        raise UsageError("With --validate-on test, tuning would select by test images. Use --validate-on val")
    stem = study.name or study.preset
    study, project = study.change(name=options.get("name") or f"{stem}-tuning"), Project.find()
    execution, compute = chosen(ExecutionChoice, options), chosen(ComputeChoice, options)
    request = TuneRequest(
        study, _settings(options), f"study.tune(trials={options['trials']})", execution.max_failures, math.inf,
        mix=execution.mix,
    )  # fmt: skip
    conditions, executor = execution.workers(study.baseline, compute)
    data = chosen(DataChoice, options).open(study.baseline, study.preset)
    tracker = open_store(project, options.get("tracking_uri"), offline=options.get("offline", False))
    folder = project.mlruns / "optuna"
    storage = SearchStorage(str(folder / f"{study.name}.log"), folder)
    resources = TuneResources(data, conditions, executor, project, tracker, storage)
    return TuneContext(request, resources, has_pool=False)


def _settings(options: Mapping[str, Any]) -> SearchSettings:
    seeds = options.get("seeds", 1)
    check_seeds(seeds)
    return SearchSettings(
        options["trials"],
        tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds)),
        _words(options.get("space")),
        _words(options.get("objectives")),
        options.get("pruner"),
        options.get("sampler_seed", 0),
    )


def _words(given: str | Sequence[str] | None) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else given or ()
    return tuple(part.strip() for part in parts if part.strip())
