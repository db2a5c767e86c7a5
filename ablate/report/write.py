"""From the study to the files of a report."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import UserError
from ablate.report.analysis import Analysis, analyse
from ablate.report.formats.html import html
from ablate.report.formats.latex import latex_table
from ablate.report.plots.render import Plot, draw_all
from ablate.report.plots.study_plots import study_plots
from ablate.report.plots.tuning_plots import retuning_plots
from ablate.report.sections.answer import answer, answer_facts, plain_answer
from ablate.report.sections.document import markdown
from ablate.report.sections.head import head, incomplete_lines, runs_line
from ablate.report.sections.results_table import console_rows
from ablate.report.study_data import StudyData
from ablate.stats.effects import effects_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """A report that was written: its folder, its files by name, and what it says."""

    folder: Path
    files: Sequence[str]
    analysis: Analysis

    @property
    def note(self) -> str:
        """The summary for the store: what a reader sees first, as Markdown.

        MLflow shows one line of it until it is opened, and cuts a heading in half: the title is bold text here.
        """
        title, _, rest = head(self.analysis.study).partition("\n")
        return "\n\n".join([f"**{title.removeprefix('# ')}**\n{rest}", answer(self.analysis)])

    @property
    def runs(self) -> str:
        """How many runs stand behind it, in one line."""
        return runs_line(self.analysis.study.counts)

    @property
    def incomplete(self) -> list[str]:
        """What has no result, or was unstable, a line a kind."""
        return incomplete_lines(self.analysis.study)

    @property
    def answer(self) -> list[str]:
        """The answer as plain lines."""
        return plain_answer(self.analysis)

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """The main table as plain cells: column names and rows."""
        return console_rows(self.analysis)

    @property
    def metrics(self) -> dict[str, float]:
        """Deltas and intervals by name, as the store keeps them; names that sort so that the deltas come first."""
        found = {}
        for effect in self.analysis.effects:
            name = "".join(char if char.isalnum() or char in "_-./ " else "_" for char in effect.variant)
            for column, group in (("delta", "delta"), ("ci_low", "delta_ci_low"), ("ci_high", "delta_ci_high")):
                value = getattr(effect, column)
                if value == value:
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
            "answer": answer_facts(self.analysis),
            "cautions": list(study.cautions),
            "effects": [effect.row() for effect in self.analysis.effects],
            "interactions": interactions_rows(self.analysis),
        }


def folder_name(name: str) -> str:
    """The name of a report's folder: letters, digits, dots, dashes and underscores of the study's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "report"


def write_report(study: StudyData, folder: Path, *, as_html: bool = False, pool: Executor | None = None) -> Report:
    """Write the report of `study` into `folder`, replacing the files of an older one, and return it.

    Everything is made beside the folder first, so that a failure leaves the older report whole. `pool`
    draws the figures (see `figure_pool`), else they are drawn here. Raises UserError for
    runs that cannot be read and for a folder that cannot be written.
    """
    found = analyse(study)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            made = Path(temporary)
            plots = [*study_plots(found), *retuning_plots(found)]
            draw_all(plots, made, pool)
            _write_files(found, made, plots, as_html=as_html)
            take_over(made, folder)
    except OSError as error:
        raise UserError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return Report(folder, files, found)


def _write_files(analysis: Analysis, folder: Path, plots: Sequence[Plot], *, as_html: bool) -> None:
    plain_cells(analysis.study.runs).to_csv(folder / "runs.csv", index=False)
    plain_cells(effects_table([*analysis.effects, *analysis.retuned])).to_csv(folder / "effects.csv", index=False)
    names = ["runs.csv", "effects.csv", "table.tex"]
    if analysis.interactions:
        plain_cells(interactions_table(analysis)).to_csv(folder / "interactions.csv", index=False)
        names.insert(2, "interactions.csv")
    (folder / "table.tex").write_text(latex_table(analysis), encoding="utf-8")
    text = markdown(analysis, plots, [*names, *(["report.html"] if as_html else [])])
    (folder / "report.md").write_text(text, encoding="utf-8")
    if as_html:
        page = html(text, analysis.study.name, folder)
        (folder / "report.html").write_text(page, encoding="utf-8")


def plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table for a CSV file in which no text is a formula: spreadsheets run cells that begin with one of `= + - @`.

    Such text, unless it is a number, gets an apostrophe before it (OWASP, CSV injection).
    """
    return table.map(_plain_cell).rename(columns=_plain_cell)


def _plain_cell(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def interactions_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """The rows of interactions.csv."""
    return [
        {
            "pair": row.term, "aliases": " = ".join(row.aliases), "family": row.family, "n": row.n,
            "estimate": row.estimate, "synergy": row.synergy, "level": row.level, "ci_low": row.low,
            "ci_high": row.high,
            "fw_low": row.fw_low, "fw_high": row.fw_high, "p": row.p, "p_holm": row.p_holm, "p_tost": row.p_tost,
            "p_tost_holm": row.p_tost_holm, "verdict": row.verdict,
        }
        for row in analysis.interactions
    ]  # fmt: skip


def interactions_table(analysis: Analysis) -> pd.DataFrame:
    """The estimable interactions, a row each."""
    import pandas as pd

    return pd.DataFrame(interactions_rows(analysis))


_OURS = ("report.md", "report.html", "runs.csv", "effects.csv", "interactions.csv", "table.tex", "trials.csv")


def take_over(made: Path, folder: Path) -> None:
    """Replace what an older report wrote, file by file; what else lies in the folder stays."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    new = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for path in sorted(new):
        (made / path).replace(folder / path)
    old = [*(folder / name for name in _OURS), *(folder / "figures").glob("*.png")]
    for path in old:
        if path.relative_to(folder) not in new:
            path.unlink(missing_ok=True)
