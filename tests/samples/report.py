"""Studies for the tests of reports: records and journals written by hand, so that no network is trained."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ablate.journal.run_journal import Journal
from ablate.report.sources.study import from_study
from ablate.studies.study import Study
from ablate.tracking import PlanEntry, StudyRecord, Tracker
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tracking import start

IMAGES = 2003  # no multiple of 8: the bits are padded


WORTH = {"augment": 4.0, "batch_norm": 2.0, "residual": 0.0, "dropout": -0.1}


Change = Callable[[str, int], Mapping[str, Any]]


def key_of(variant: str, seed: int) -> str:
    return hashlib.sha256(f"{variant}/{seed}".encode()).hexdigest()[:12]


def small_study(**changes: Any) -> Study:
    """Leave-one-out over four components at the demo's scale, called `small`, with 5 seeds unless changed."""
    return Study(
        **{"question": "Which of four components matter?", "preset": "demo", "seeds": 5, "name": "small",
           "factors": tuple(WORTH), **changes}
    )  # fmt: skip


def score(on: frozenset[str], seed: int) -> float:
    """A made-up accuracy: luck by seed, what each component is worth, and some noise of the arm's own."""
    luck = np.random.default_rng(seed).normal(0, 0.5)
    own = np.random.default_rng([seed, *sorted(map(len, on))]).normal(0, 0.1)
    return float(np.clip((85 + luck + own + sum(WORTH.get(name, 0) for name in on)) / 100, 0.1, 0.999))


def record_of(study: Study, **changes: Any) -> StudyRecord:
    planned = [
        PlanEntry(key_of(recipe.label, recipe.seed), "feed", recipe.label, recipe.seed,
                f"{key_of(recipe.label, recipe.seed)}-feed-0")
        for recipe in study.recipes()
    ]  # fmt: skip
    fields = {"name": study.name, "question": study.question, "declared": study.declared, "planned_runs": planned,
              "status": "finished", "details": study.design_as_dict()}  # fmt: skip
    return StudyRecord(**{**fields, **changes})


def write_runs(study: Study, folder: Path, change: Change = lambda variant, seed: {}) -> list[Path]:
    """The journals of a whole study; `change` gives status, value, conditions, ... of a run, or `leave out`."""
    return [
        path
        for recipe in study.recipes()
        if (path := _write(recipe, study.name, folder, change(recipe.label, recipe.seed))) is not None
    ]


def _write(recipe: Any, study: str, folder: Path, changed: Mapping[str, Any]) -> Path | None:
    if changed.get("leave out"):
        return None
    key, seed = key_of(recipe.label, recipe.seed), recipe.seed
    value = changed.get("value", score(frozenset(recipe.factors), seed))
    with Journal(folder / f"{key}-feed-0.jsonl") as journal:
        fields = {name: changed[name] for name in ("conditions", "environment", "study", "tags") if name in changed}
        start(journal, key=key, variant=recipe.label, recipe={"seed": seed}, params=recipe.params,
              **{"study": study, **fields})  # fmt: skip
        history = [
            {"step": step, "val/accuracy": value * step / 4, "val/loss": 2 - step / 4, "lr": 0.01}
            for step in range(1, 5)
        ]
        for row in history:
            journal.write("metrics", step=row["step"], values={n: v for n, v in row.items() if n != "step"})
        status = changed.get("status", "finished")
        if status != "running":
            _files(journal, history, value)
            metrics = {"test/accuracy": _bits(value).sum() / IMAGES, "time/total_s": 10.0}
            metrics = metrics if status in ("finished", "unstable") else {"time/total_s": 2.0}
            params = {"weights_digest": changed.get("digest", key)}
            journal.write("end", status=status, metrics=metrics, params=params, error=changed.get("error"), trace=None)
    return journal.path


def _bits(value: float) -> np.ndarray[Any, Any]:
    bits = np.zeros(IMAGES, dtype=np.uint8)
    bits[: round(value * IMAGES)] = 1
    return bits


def _files(journal: Journal, history: list[dict[str, float]], value: float) -> None:
    journal.files.mkdir(parents=True)
    np.save(journal.files / "correct.npy", np.packbits(_bits(value)))
    with (journal.files / "history.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(history[0]))
        table.writeheader()
        table.writerows(history)


def tracked(study: Study, folder: Path, change: Change = lambda variant, seed: {}, **record: Any) -> MemoryTracker:
    """A study in a tracker, ready to be reported on."""
    tracker = MemoryTracker(write_runs(study, folder, change))
    tracker.open_study(record_of(study, **record))
    return tracker


def report_text(tracker: Tracker, name: str = "small") -> str:
    """The report of a study as text; its figures are planned, but not drawn."""
    from ablate.report.analysis import analyse
    from ablate.report.plots.study_plots import study_plots
    from ablate.report.sections.document import markdown

    found = analyse(from_study(name, tracker))
    return markdown(found, study_plots(found), ["effects.csv"])
