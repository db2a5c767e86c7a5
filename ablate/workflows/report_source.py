"""The runs of a report: a study of this project, or runs of other programs in files, folders or MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ablate.errors import UserError
from ablate.redaction import mask_uri
from ablate.report.analysis import Analysis, analyse
from ablate.report.marks.study_values import StudyValues
from ablate.report.plots import render
from ablate.report.report_folder import folder_name, free_folder, note_origin, study_folder
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.study_data import StudyData
from ablate.report.write import Report, write_report
from ablate.tracking import Project, Tracker, attach_report
from ablate.wording import unknown
from ablate.workflows.store import open_current_store

if TYPE_CHECKING:
    from ablate.report.tuning_report import TuningReport


_DRAWING = render.Drawing()


class UnknownStudyError(UserError):
    """A study is not in the store."""


def name_of(paths: Sequence[Path]) -> str:
    """Return the default name of a report on runs in files or folders: that of the first one, without its suffix."""
    if not paths:
        return ""
    return paths[0].resolve().name if paths[0].is_dir() else paths[0].stem


@dataclass(frozen=True)
class ReportSource:
    """Where the runs of a report come from, and how to read them.

    With `table` (runs in memory), `files`, `folder`, `tensorboard`, `experiments`, `wandb` or `optuna` the runs are
    external: `options` maps their columns, `sheet` is that of workbooks, `metrics_file` the name of files in `folder`,
    `run_filter` a filter in MLflow's syntax, `optuna_study` the name of a study in the storage `optuna`, and `command`
    the command line that the report quotes. Otherwise they are the runs of the study `name`, and only `options.margin`
    and `options.floor` count.
    """

    name: str
    project: Project
    options: TableOptions
    table: RunTable | None = None
    files: Sequence[Path] = ()
    sheet: str | None = None
    folder: Path | None = None
    metrics_file: str | None = None
    tensorboard: Path | None = None
    experiments: Sequence[str] = ()
    run_filter: str = ""
    wandb: str | None = None
    optuna: str | None = None
    optuna_study: str | None = None
    command: str = ""
    tracking_uri: str | None = None
    offline: bool = False

    @property
    def is_external(self) -> bool:
        """Whether the runs are not those of a study of this project."""
        return bool(self.table is not None or self._paths or self.experiments or self.wandb or self.optuna)

    def named(self) -> Self:
        """Return this source with its default name unless it has one."""
        return self if self.name else replace(self, name=self.default_name)

    @property
    def default_name(self) -> str:
        """The name of the report without a name of its own: that of the runs' place."""
        if self.table is not None:
            return "runs"
        if self.optuna:
            return self.optuna_study or Path(mask_uri(self.optuna).partition("?")[0]).stem
        if self.wandb:
            path = Path(self.wandb)
            return name_of([path]) if path.is_dir() else path.name
        return name_of(self._paths) or next(iter(self.experiments), "")

    @property
    def _paths(self) -> list[Path]:
        return [*self.files, *(path for path in (self.folder, self.tensorboard) if path)]

    def read(self) -> StudyData:
        """Read the runs."""
        if self.is_external:
            commands = [self.command] if self.command else []
            return replace(study_of(self.name, self._runs(), self.options), commands=commands)
        from ablate.report.sources.study import from_study

        return from_study(self.name, self._tracker(), self.options.margin, self.options.floor)

    def _runs(self) -> RunTable:
        """Return the runs of other programs. Files do without the modules that the other sources need."""
        if self.table is not None:
            return self.table
        if self.files:
            return read_table_files(self.files, self.sheet)
        if self.folder:
            from ablate.report.sources.readers.run_folders import read_run_folders

            return read_run_folders(self.folder, self.options.step_param, self.metrics_file)
        if self.tensorboard:
            from ablate.report.sources.readers.tensorboard_runs import read_tensorboard

            return read_tensorboard(self.tensorboard)
        if self.wandb:
            from ablate.report.sources.readers.wandb_project import read_wandb

            return read_wandb(self.wandb, self.options)
        if self.optuna:
            from ablate.report.sources.readers.optuna_runs import read_optuna

            return read_optuna(self.optuna, self.optuna_study, self.options)
        from ablate.report.sources.mlflow_experiment import read_experiments

        return read_experiments(self.experiments, self._tracker(), self.options, self.run_filter)

    def analyse(self) -> Analysis:
        """Read and compare the runs, and write nothing."""
        return analyse(self.read())

    def write(self, folder: Path | None, *, as_html: bool, drawing: render.Drawing = _DRAWING) -> Report | TuningReport:
        """Write the report into `folder` (default: `reports/NAME`); attach that of a study to the study."""
        if self.is_external:
            return self._write_external(folder, as_html=as_html, drawing=drawing)
        from ablate.report.write_study import write_study_report

        folder = folder or study_folder(self.project.reports, self.name)
        changed = {"margin": self.options.margin, "floor": self.options.floor}
        tracker = self._tracker()
        report = write_study_report(self.name, tracker, folder, as_html=as_html, drawing=drawing, **changed)
        attach_report(tracker, self.project, self.name, report.folder, report.note, report.metrics)
        return report

    def _write_external(self, folder: Path | None, *, as_html: bool, drawing: render.Drawing) -> Report:
        """Write the report of runs of other programs; without a name of their own, sources get separate folders."""
        if folder or self.name != self.default_name:
            folder = folder or self.project.reports / folder_name(self.name)
            return write_report(self.read(), folder, as_html=as_html, drawing=drawing)
        place, origin = self._origin()
        folder = free_folder(self.project.reports, (self.name, f"{place}-{self.name}"), origin)
        written = write_report(self.read(), folder, as_html=as_html, drawing=drawing)
        note_origin(folder, origin)
        return written

    def _origin(self) -> tuple[str, str]:
        """Return the first word of the folder's name if the plain name is taken, and what identifies the runs."""
        if self.wandb:
            return "wandb", str(Path(self.wandb).resolve()) if Path(self.wandb).is_dir() else self.wandb
        if self.optuna:
            return "optuna", f"{mask_uri(self.optuna)} {self.optuna_study}"
        if not self._paths:
            return "experiment", f"{self._tracker().uri} {' '.join([*self.experiments, self.run_filter]).strip()}"
        paths, root = [path.resolve() for path in self._paths], self.project.root.resolve()
        origins = [str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths]
        return paths[0].parent.name, "\n".join(origins)

    def values_of(self, study: str) -> StudyValues:
        """Return the values of a study: of this source if it has that name, or else of a study of the project.

        Raises UnknownStudyError for an unknown study.
        """
        if study == self.name:
            return StudyValues(analyse(self.read()))
        tracker = self._tracker()
        names = tracker.studies()
        if study not in names:
            raise UnknownStudyError(unknown("study", study, [*([self.name] if self.is_external else []), *names]))
        from ablate.report.sources.study import from_study

        return StudyValues(analyse(from_study(study, tracker)))

    def has_report(self, name: str) -> bool:
        """Return whether the project has a report of that name, such as one on runs of other programs."""
        return (self.project.reports / folder_name(name) / "report.md").is_file()

    def _tracker(self) -> Tracker:
        return open_current_store(self.project, self.tracking_uri, offline=self.offline)
