"""Write the report of a study: Markdown, CSV and LaTeX tables, plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis, analyse
from ablate.report.effect_rows import effects_facts, effects_file, secondary_facts
from ablate.report.formats.csv_writer import interactions_rows, write_csv
from ablate.report.formats.latex import latex_table
from ablate.report.formats.means_table import has_means_table, means_latex
from ablate.report.formats.paper_table import markdown_table
from ablate.report.plots.rank_plots import rank_plots
from ablate.report.plots.render import Drawing, draw_all
from ablate.report.plots.study_plots import for_phones, study_plots
from ablate.report.plots.tuning_plots import retuning_plots
from ablate.report.report_folder import files_in, replaced_report, write_document
from ablate.report.sections.answer import answer, answer_facts, plain_answer
from ablate.report.sections.datasets import pooled_rows
from ablate.report.sections.document import markdown
from ablate.report.sections.head import head, incomplete_lines, runs_line
from ablate.report.sections.results_table import console_table
from ablate.report.sections.target import target_rows
from ablate.report.study_data import StudyData

if TYPE_CHECKING:
    import pandas as pd

_DRAWING = Drawing()


@dataclass(frozen=True)
class Report:
    """A written report: its folder, its files relative to it, and its contents."""

    folder: Path
    files: Sequence[str]
    analysis: Analysis

    @property
    def note(self) -> str:
        """The description of the experiment in MLflow: title, runs and answer, as Markdown.

        The title is bold instead of a heading, because MLflow shows one line of it and truncates headings.
        """
        title, _, rest = head(self.analysis.study).partition("\n")
        return "\n\n".join([f"**{title.removeprefix('# ')}**\n{rest}", answer(self.analysis)])

    @property
    def runs(self) -> str:
        """Numbers of runs, in one line."""
        return runs_line(self.analysis.study.counts)

    @property
    def incomplete(self) -> list[str]:
        """Running, missing, failed and unstable runs, one line per status."""
        return incomplete_lines(self.analysis.study)

    @property
    def answer(self) -> list[str]:
        """The answer as plain lines."""
        return plain_answer(self.analysis)

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the results as plain text."""
        return console_table(self.analysis)

    @property
    def metrics(self) -> dict[str, float]:
        """Differences and intervals as MLflow metrics; sorted by name, the differences come first."""
        found = {}
        for effect in self.analysis.effects:
            name = "".join(char if char.isalnum() or char in "_-./ " else "_" for char in effect.variant)
            values = dict(
                zip(("delta", "delta_ci_low", "delta_ci_high"), (effect.delta, *effect.interval), strict=True)
            )
            for group, value in values.items():
                if math.isfinite(value):
                    found[f"{group}/{name}"[:250]] = value
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """The report as plain data."""
        study = self.analysis.study
        return {
            "study": study.name,
            "folder": str(self.folder),
            "files": list(self.files),
            "metric": study.metric.name,
            "goal": study.metric.goal,
            "margin": study.margin,
            "runs": asdict(study.counts),
            "accounting": asdict(account_for(self.analysis)),
            "answer": answer_facts(self.analysis),
            "cautions": list(study.cautions),
            "effects": effects_facts(self.analysis),
            **({"target": target_rows(self.analysis)} if self.analysis.targets else {}),
            **({"datasets": pooled_rows(self.analysis)} if self.analysis.pooled else {}),
            "secondary": [secondary_facts(other) for other in self.analysis.secondary],
            "interactions": interactions_rows(self.analysis),
        }


def write_report(study: StudyData, folder: Path, *, as_html: bool = False, drawing: Drawing = _DRAWING) -> Report:
    """Write the report of a study into `folder` and return it.

    An older report is replaced as a whole, or kept if this one fails. Raises UserError for scores that cannot be
    compared and for a folder that cannot be written.
    """
    analysis = analyse(study)
    with replaced_report(folder) as made:
        plots = [*study_plots(analysis), *rank_plots(analysis), *retuning_plots(analysis)]
        plots = [*plots, *for_phones(plots), *drawing.again(plots)]
        plots = draw_all(plots, made, drawing.pool)
        tables = _write_tables(analysis, made)
        files = [*tables, *(["report.html"] if as_html else [])]
        document = markdown(analysis, plots, files, drawing.description())
        write_document(document, study.name, made, as_html=as_html)
    return Report(folder, files_in(folder), analysis)


def _write_tables(analysis: Analysis, folder: Path) -> list[str]:
    """Write the CSV and LaTeX tables and return their names."""
    import pandas as pd

    tables = {
        "runs.csv": _runs_file(analysis.study),
        "effects.csv": effects_file(analysis),
        **({"target.csv": pd.DataFrame(target_rows(analysis))} if analysis.targets else {}),
        **({"datasets.csv": pd.DataFrame(pooled_rows(analysis))} if analysis.pooled else {}),
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
