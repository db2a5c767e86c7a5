"""Write the report of a study: Markdown, CSV and LaTeX tables, plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report.analysis import Analysis, analyse
from ablate.report.effect_rows import effects_file
from ablate.report.formats.csv_writer import interactions_rows, write_csv
from ablate.report.formats.latex import latex_table
from ablate.report.formats.means_table import has_means_table, means_latex
from ablate.report.formats.paper_table import markdown_table
from ablate.report.plots.level_plots import level_plots
from ablate.report.plots.rank_plots import rank_plots
from ablate.report.plots.render import Drawing, draw_all
from ablate.report.plots.study_plots import study_plots
from ablate.report.plots.tuning_plots import retuning_plots
from ablate.report.report_folder import files_in, replaced_report, write_document
from ablate.report.results import Results
from ablate.report.sections.datasets import pooled_rows
from ablate.report.sections.document import markdown
from ablate.report.sections.levels import level_facts
from ablate.report.sections.target import target_rows
from ablate.report.study_data import StudyData
from ablate.wording import count

if TYPE_CHECKING:
    import pandas as pd

_DRAWING = Drawing()


@dataclass(frozen=True, repr=False)
class Report(Results):
    """A written report: its results, its folder, and its files relative to it."""

    folder: Path
    files: Sequence[str]

    def __repr__(self) -> str:
        return f"{self.folder / 'report.md'} ({count(len(self.files), 'file')})"

    @property
    def facts(self) -> dict[str, Any]:
        """The report as plain data."""
        results = super().facts
        return {
            "study": results.pop("study"), "folder": str(self.folder), "files": list(self.files), **results,
        }  # fmt: skip


def write_report(study: StudyData, folder: Path, *, as_html: bool = False, drawing: Drawing = _DRAWING) -> Report:
    """Write the report of a study into `folder` and return it.

    Raises UserError for scores that cannot be compared, and as `write_results` does.
    """
    return write_results(analyse(study), folder, as_html=as_html, drawing=drawing)


def write_results(analysis: Analysis, folder: Path, *, as_html: bool = False, drawing: Drawing = _DRAWING) -> Report:
    """Write the report of an analysis into `folder` and return it.

    An older report is replaced as a whole, or kept if this one fails. Raises UserError for a folder that cannot be
    written.
    """
    with replaced_report(folder) as made:
        makers = study_plots, level_plots, rank_plots, retuning_plots
        plots = [plot for maker in makers for plot in maker(analysis)]
        plots = draw_all([*plots, *drawing.again(plots)], made, drawing.pool)
        tables = _write_tables(analysis, made)
        files = [*tables, *(["report.html"] if as_html else [])]
        document = markdown(analysis, plots, files, drawing.description())
        write_document(document, analysis.study.name, made, as_html=as_html)
    return Report(analysis, folder, files_in(folder))


def _write_tables(analysis: Analysis, folder: Path) -> list[str]:
    """Write the CSV and LaTeX tables and return their names."""
    import pandas as pd

    tables = {
        "runs.csv": _runs_file(analysis.study),
        "effects.csv": effects_file(analysis),
        **({"target.csv": pd.DataFrame(target_rows(analysis))} if analysis.targets else {}),
        **({"datasets.csv": pd.DataFrame(pooled_rows(analysis))} if analysis.pooled else {}),
        **({"levels.csv": pd.DataFrame(level_facts(analysis))} if analysis.levels.every else {}),
        **({"interactions.csv": pd.DataFrame(interactions_rows(analysis))} if analysis.interactions else {}),
    }
    for name, table in tables.items():
        write_csv(table, folder / name)
    (folder / "table.tex").write_text(latex_table(analysis), encoding="utf-8")
    (folder / "table.md").write_text(markdown_table(analysis), encoding="utf-8")
    if not has_means_table(analysis):
        return [*tables, "table.md", "table.tex"]
    (folder / "means.tex").write_text(means_latex(analysis), encoding="utf-8")
    return [*tables, "table.md", "table.tex", "means.tex"]


def _runs_file(study: StudyData) -> pd.DataFrame:
    """Return the table of runs.csv, whose variants are named without the data set."""
    if not study.datasets:
        return study.runs
    return study.runs.assign(variant=[study.datasets[name].variant for name in study.runs["variant"].tolist()])
