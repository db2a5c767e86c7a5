"""The results of an analysis in the forms in which they are shown: sentences, tables, plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis
from ablate.report.effect_rows import effects_facts, secondary_facts
from ablate.report.formats.csv_writer import interactions_rows
from ablate.report.sections.answer import answer, answer_facts, plain_answer
from ablate.report.sections.datasets import pooled_rows
from ablate.report.sections.head import head, incomplete_lines, runs_line
from ablate.report.sections.levels import level_facts
from ablate.report.sections.results_table import console_table
from ablate.report.sections.target import target_rows


@dataclass(frozen=True)
class Results:
    """The results of an analysis."""

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
            **({"levels": level_facts(self.analysis)} if self.analysis.levels.every else {}),
            "secondary": [secondary_facts(other) for other in self.analysis.secondary],
            "interactions": interactions_rows(self.analysis),
        }
