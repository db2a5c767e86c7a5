"""Write the report of a search for the settings of one recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.formats.csv_writer import write_rows
from ablate.report.formats.markdown_text import bullets, caution, code, escape, fenced, table
from ablate.report.plots.render import Drawing, Plot, draw_all
from ablate.report.plots.tuning_plots import budget_plots, search_plots
from ablate.report.report_folder import files_in, replaced_report, write_document
from ablate.report.search_data import SearchResult
from ablate.report.sections.plots import plot_text
from ablate.report.sections.tuning_text import (
    answer_lines,
    edge_lines,
    importances_table,
    search_facts,
    trials_table,
)
from ablate.report.sources.searches import read_searches
from ablate.tracking import StudyRecord

_BEST_TRIALS = 10


@dataclass(frozen=True)
class TuningReport:
    """A written report of a search: its folder, its files relative to it, and its contents."""

    name: str
    folder: Path
    files: Sequence[str]
    search: SearchResult
    note: str

    @property
    def answer(self) -> list[str]:
        """The answer as plain lines."""
        return [*answer_lines(self.search), *edge_lines([self.search])]

    @property
    def metrics(self) -> dict[str, float]:
        """Best and original score as MLflow metrics."""
        named = {"best": self.search.winner, "as_it_was": self.search.baseline}
        objective = self.search.objective
        return {f"{word}/{objective.name}": trial.values[0] for word, trial in named.items() if trial}

    @property
    def facts(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "tuning": self.name,
            "folder": str(self.folder),
            "files": list(self.files),
            "answer": self.answer,
            "importances": {name: dict(shares) for name, shares in self.search.importances.items()},
            "front": [trial.number for trial in self.search.front],
            "trials": [trial.plain for trial in self.search.trials],
        }


def is_tuning(record: StudyRecord) -> bool:
    """Return whether a record is that of a search for the settings of one recipe."""
    return record.details.get("kind") == "tuning"


def write_tuning(record: StudyRecord, folder: Path, *, as_html: bool, drawing: Drawing) -> TuningReport:
    """Write the report of a search into `folder`. Raises UserError for a folder that cannot be written."""
    searches = read_searches(record.details)
    if searches is None:
        raise UserError(f"The record of {record.name} contains no search. Run `ablate tune` again to complete it")
    search = searches.first
    plots = [*search_plots(search), *budget_plots(searches.by_arm)]
    with replaced_report(folder) as made:
        plots = draw_all([*plots, *drawing.again(plots)], made, drawing.pool)
        _write_trials(search, made / "trials.csv")
        document = (
            "\n".join([_markdown(record, search, plots, searches.command), drawing.description()]).rstrip() + "\n"
        )
        write_document(document, record.name, made, as_html=as_html)
    title = f"**{_title(record).removeprefix('# ')}**"  # MLflow truncates headings
    note = "\n\n".join([title, bullets(map(escape, answer_lines(search)))])
    return TuningReport(record.name, folder, files_in(folder), search, note)


def _title(record: StudyRecord) -> str:
    scale, data = record.details.get("scale"), record.details.get("data", {}).get("name", "")
    words = ", ".join([*([scale] if scale else []), f"data {data}"])
    recipe = f"{record.declared.get('workload')}, preset {record.declared.get('preset')}"
    return f"# {escape(record.name)} ({escape(f'{recipe}: {words}')})"


def _markdown(record: StudyRecord, search: SearchResult, plots: Sequence[Plot], command: str) -> str:
    by_file = {plot.file: plot_text(plot) for plot in plots}
    parts = [
        _title(record),
        f"**Question:** {escape(record.question)}",
        *map(caution, edge_lines([search])),
        "## Answer",
        bullets(map(escape, answer_lines(search))),
        "## Search",
        search_facts(search),
    ]
    if len(search.objectives) > 1:
        parts += ["## Pareto front", "No trial is better than one of these in all objectives."]
        parts += [trials_table(search.front, search), by_file.get("pareto.png", "")]
    parts += ["## Best trials", trials_table(_best(search), search), by_file.get("history.png", "")]
    parts.append(bullets(escape(f"Trial {trial.number} failed: {trial.error}") for trial in search.failed))
    parts += ["## Importance of the settings"]
    parts.append(importances_table(search) if search.importances else "Too few complete trials for importances.")
    parts += [by_file.get(name, "") for name in ("importances.png", "slices.png", "parallel.png")]
    if "budget.png" in by_file:
        parts += ["## Budget", by_file["budget.png"]]
    parts += ["## Original values", _original_values(record)]
    parts += ["## Reproduce", fenced(f"{command}\nablate report {record.name}", "sh")]
    parts.append(f"All trials are in `trials.csv` and in Optuna's storage (study {code(search.name)}).")
    return "\n\n".join(part for part in parts if part) + "\n"


def _best(search: SearchResult) -> list[Any]:
    """Return the best trials, and the original recipe if it is not one of them."""
    ranked, original = search.ranked[:_BEST_TRIALS], search.baseline
    return ranked if original is None or original in ranked else [*ranked, original]


def _original_values(record: StudyRecord) -> str:
    values: Mapping[str, Any] = record.details.get("base", {}).get("values", {})
    return table(["setting", "value"], [[code(name), code(value)] for name, value in values.items()], numeric=(1,))


def _write_trials(search: SearchResult, path: Path) -> None:
    names = [one.name for one in search.objectives]
    header = ["trial", "state", "as_it_was", *names, *search.space.names, "epochs", "saved", "seconds", "reused_runs",
              "runs", "error"]  # fmt: skip
    rows: list[list[object]] = []
    for trial in search.trials:
        values = [*trial.values, *([""] * (len(names) - len(trial.values)))]
        params = [trial.params.get(name, "") for name in search.space.names]
        runs = " ".join(trial.runs.values())
        rows.append([trial.number, trial.state, trial.is_baseline, *values, *params, trial.epochs, trial.saved,
                     f"{trial.seconds:.3f}", trial.reused, runs, trial.error])  # fmt: skip
    write_rows(header, rows, path)
