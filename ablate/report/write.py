"""Write the report of a study: Markdown, CSV and LaTeX tables, plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis, analyse
from ablate.report.formats.csv_writer import interactions_rows, write_csv
from ablate.report.formats.latex import latex_table
from ablate.report.formats.paper_table import markdown_table
from ablate.report.plots.render import Drawing, draw_all
from ablate.report.plots.study_plots import for_phones, study_plots
from ablate.report.plots.tuning_plots import retuning_plots
from ablate.report.report_folder import files_in, replaced_report, write_document
from ablate.report.sections.answer import answer, answer_facts, plain_answer
from ablate.report.sections.document import markdown
from ablate.report.sections.head import head, incomplete_lines, runs_line
from ablate.report.sections.results_table import console_table
from ablate.report.study_data import StudyData
from ablate.stats.effects import MAX_EFFECT_SIZE, MIN_SEEDS, Effect, effects_table

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
            "effects": [_effect_facts(effect) for effect in self.analysis.effects],
            "interactions": interactions_rows(self.analysis),
        }


def _effect_facts(effect: Effect) -> dict[str, Any]:
    """Return the columns of an effect, and why it has no minimum detectable effect, which JSON writes as null.

    If seeds were added after a report, also the intervals that allow for them.
    """
    facts = {**effect.row(), "mde_reason": _mde_reason(effect)}
    return {**facts, **(_for_added_seeds(effect) if effect.evidence.extended else {})}


def _for_added_seeds(effect: Effect) -> dict[str, float]:
    names = (f"added_seeds_{end}" for end in ("low", "high", "fw_low", "fw_high"))
    return dict(zip(names, (*effect.interval, *effect.verdict_interval), strict=True))


def _mde_reason(effect: Effect) -> str | None:
    """Return why the minimum detectable effect is not a number."""
    if math.isfinite(effect.mde):
        return None
    if effect.n < MIN_SEEDS:
        return f"fewer than {MIN_SEEDS} seeds"
    if math.isinf(effect.mde):
        return f"only differences above {MAX_EFFECT_SIZE:g} SD are detectable"
    return "no finite scores" if not effect.evidence.paired.is_scored else "the difference does not vary"


def write_report(study: StudyData, folder: Path, *, as_html: bool = False, drawing: Drawing = _DRAWING) -> Report:
    """Write the report of a study into `folder` and return it.

    An older report is replaced as a whole, or kept if this one fails. Raises UserError for scores that cannot be
    compared and for a folder that cannot be written.
    """
    analysis = analyse(study)
    with replaced_report(folder) as made:
        plots = [*study_plots(analysis), *retuning_plots(analysis)]
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

    rows = [*analysis.effects, *analysis.retuned]
    effects = effects_table(rows)
    if any(effect.evidence.extended for effect in rows):
        effects = effects.join(pd.DataFrame([_for_added_seeds(effect) for effect in rows]))
    tables = {
        "runs.csv": analysis.study.runs,
        "effects.csv": effects,
        **({"interactions.csv": pd.DataFrame(interactions_rows(analysis))} if analysis.interactions else {}),
    }
    for name, table in tables.items():
        write_csv(table, folder / name)
    (folder / "table.tex").write_text(latex_table(analysis), encoding="utf-8")
    (folder / "table.md").write_text(markdown_table(analysis), encoding="utf-8")
    return [*tables, "table.md", "table.tex"]
