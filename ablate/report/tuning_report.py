"""The report of a search of one recipe: what was found, how, at what cost, and what it does not mean."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.formats.html import html
from ablate.report.formats.markdown_text import bullets, code, escape, fenced, image, table
from ablate.report.plots.render import Plot, draw_all
from ablate.report.plots.tuning_plots import budget_plots, search_plots
from ablate.report.search_data import SearchResult
from ablate.report.sections.tuning_text import (
    MOST_ROWS,
    answer_lines,
    edge_lines,
    facts,
    importances_table,
    trials_table,
)
from ablate.report.sources.searches import read_searches
from ablate.report.write import take_over
from ablate.tracking import StudyRecord


@dataclass(frozen=True)
class TuningReport:
    """A report on a search that was written."""

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
        """Best and first score by name, as the store keeps them."""
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
    """Whether a record is that of a search of one recipe."""
    return record.details.get("kind") == "tuning"


def write_tuning(record: StudyRecord, folder: Path, *, as_html: bool, pool: Executor | None) -> TuningReport:
    """Write the report of a search into `folder`. Raises UserError for a folder that cannot be written."""
    searches = read_searches(record.details)
    if searches is None:
        raise UserError(f"the record of {record.name} holds no search: run `ablate tune` on it once more")
    search = searches.first
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            made = Path(temporary)
            plots = [*search_plots(search), *budget_plots(searches.by_arm)]
            draw_all(plots, made, pool)
            _write_trials(search, made / "trials.csv")
            text = _markdown(record, search, plots, searches.command)
            (made / "report.md").write_text(text, encoding="utf-8")
            if as_html:
                (made / "report.html").write_text(html(text, record.name, made), encoding="utf-8")
            take_over(made, folder)
    except OSError as error:
        raise UserError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    note = "\n\n".join([_head(record), bullets(map(escape, answer_lines(search)))])
    return TuningReport(record.name, folder, files, search, note)


def _head(record: StudyRecord) -> str:
    return f"# {escape(record.name)} ({escape(_scale(record))})"


def _scale(record: StudyRecord) -> str:
    scale, data = record.details.get("scale"), record.details.get("data", {}).get("name", "")
    said = ", ".join([*([scale] if scale else []), f"data {data}"])
    return f"{record.declared.get('workload')}, preset {record.declared.get('preset')}: {said}"


def _markdown(record: StudyRecord, search: SearchResult, plots: Sequence[Plot], command: str) -> str:
    several = len(search.objectives) > 1
    parts = [
        _head(record),
        f"**Question:** {escape(record.question)}",
        *(f"> **Caution:** {escape(line)}" for line in edge_lines([search])),
        "## Answer",
        bullets(map(escape, answer_lines(search))),
        "## How it was searched",
        facts(search),
    ]
    if several:
        parts += ["## Pareto front", "No trial beats these in all objectives.", trials_table(search.front, search)]
        parts += _shown(plots, "pareto.png")
    parts += ["## The best trials", trials_table(_best(search), search), *_shown(plots, "history.png")]
    if search.failed:
        parts.append(bullets(escape(f"Trial {trial.number} failed: {trial.error}") for trial in search.failed))
    parts += ["## Which settings mattered here"]
    parts += [importances_table(search)] if search.importances else ["Too few complete trials to tell."]
    parts += _shown(plots, "importances.png", "slices.png", "parallel.png")
    if _shown(plots, "budget.png"):
        parts += ["## Was the budget enough?", *_shown(plots, "budget.png")]
    parts += ["## Values as they were", _base(record)]
    parts += ["## Reproduce", fenced(f"{command}\nablate report {record.name}", "sh")]
    parts.append(f"Every trial is in `trials.csv`, and in Optuna's storage (study {code(search.name)}).")
    return "\n\n".join(parts) + "\n"


def _best(search: SearchResult) -> list[Any]:
    ranked = search.ranked[:MOST_ROWS]
    before = search.baseline
    return ranked if before is None or before in ranked else [*ranked, before]


def _shown(plots: Sequence[Plot], *files: str) -> list[str]:
    chosen = [one for one in plots if one.file in files]
    return [f"{image(one.path, one.words)}\n\n*{escape(one.caption)}*" for one in chosen]


def _base(record: StudyRecord) -> str:
    values: Mapping[str, Any] = record.details.get("base", {}).get("values", {})
    return table(["setting", "value"], [[code(name), code(value)] for name, value in values.items()], numeric=(1,))


def _write_trials(search: SearchResult, path: Path) -> None:
    names = [f"{one.name}" for one in search.objectives]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", "as_it_was", *names, *search.space.names, "epochs", "saved", "seconds",
                         "reused_runs", "runs", "error"])  # fmt: skip
        for trial in search.trials:
            values = [*trial.values, *([""] * (len(names) - len(trial.values)))]
            params = [trial.params.get(name, "") for name in search.space.names]
            runs = " ".join(trial.runs.values())
            writer.writerow([trial.number, trial.state, trial.is_baseline, *values, *params, trial.epochs,
                             trial.saved, f"{trial.seconds:.3f}", trial.reused, runs, trial.error])  # fmt: skip
