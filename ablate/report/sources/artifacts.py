"""What runs keep beside their numbers: histories and per-image correctness, read for many runs at once."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.study_data import History
from ablate.tracking import PlanEntry, Tracker


def read_curves(results: Mapping[PlanEntry, Run], tracker: Tracker) -> dict[str, list[History]]:
    """The histories by variant: from the tables that ended runs keep, quicker to read, else from the store."""
    tables = tracker.artifacts(results.values(), "history.csv")
    found: dict[str, list[History]] = {}
    for planned, run in results.items():
        rows = _read_history(tables[run.name]) if run.name in tables else tracker.history(run)
        found.setdefault(planned.variant, []).append(rows)
    return found


def _read_history(path: Path) -> History:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(text) for name, text in row.items() if text not in (None, "")} for row in csv.DictReader(file)
        ]


def read_correct(results: Mapping[PlanEntry, Run], tracker: Tracker, tracked: str) -> dict[str, dict[int, Any]]:
    """Per-image correctness by variant and seed, of the runs that kept it."""
    import numpy as np

    paths = tracker.artifacts(results.values(), "correct.npy")
    found: dict[str, dict[int, Any]] = {}
    for planned, run in results.items():
        if run.name not in paths:
            continue
        try:
            bits = np.unpackbits(np.load(paths[run.name], allow_pickle=False))
        except (OSError, ValueError, TypeError):
            continue  # no such array: the report goes without the second scope
        images = _images(int(bits.sum()), run.metrics.get(tracked, math.nan), len(bits))
        if images is not None:
            found.setdefault(planned.variant, {})[planned.seed] = bits[:images]
    return found


def _images(correct: int, share: float, padded: int) -> int | None:
    """How many images stand behind padded bits: what fits the recorded accuracy; None if nothing does."""
    if correct == 0:
        return padded if share == 0 else None
    images = round(correct / share) if share > 0 else 0
    return images if padded - 8 < images <= padded else None
