"""Read the artifacts of many runs at once: histories, per-image correctness, a batch of training images."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.study_data import History
from ablate.tracking import PlanEntry, Tracker


def read_curves(results: Mapping[PlanEntry, Run], tracker: Tracker) -> dict[str, list[History]]:
    """Return the histories by variant: from the `history.csv` of finished runs (faster), else from the store."""
    tables = tracker.artifacts(results.values(), "history.csv")
    found: dict[str, list[History]] = {}
    for entry, run in results.items():
        rows = _read_history(tables.get(run.name))
        found.setdefault(entry.variant, []).append(tracker.history(run) if rows is None else rows)
    return found


def _read_history(path: Path | None) -> History | None:
    """Return the rows of a file; None without one, or if it is gone: deliveries and deletions move files meanwhile."""
    if path is None or not path.is_file():
        return None
    with suppress(OSError, ValueError), path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(text) for name, text in row.items() if text not in (None, "")} for row in csv.DictReader(file)
        ]
    return None


def read_correct(results: Mapping[PlanEntry, Run], tracker: Tracker, tracked: str) -> dict[str, dict[int, Any]]:
    """Return per-image correctness by variant and seed, of the runs that kept it; `tracked` names the accuracy."""
    import numpy as np

    paths = tracker.artifacts(results.values(), "correct.npy")
    found: dict[str, dict[int, Any]] = {}
    for entry, run in results.items():
        if run.name not in paths:
            continue
        try:
            bits = np.unpackbits(np.load(paths[run.name], allow_pickle=False))
        except (OSError, ValueError, TypeError):
            continue  # unreadable: the report omits the second scope of noise
        images = _images(int(bits.sum()), run.metrics.get(tracked, math.nan), len(bits))
        if images is not None:
            found.setdefault(entry.variant, {})[entry.seed] = bits[:images]
    return found


def _images(correct: int, accuracy: float, padded: int) -> int | None:
    """Return the number of images in `padded` bits that agrees with the recorded accuracy; None if none does."""
    if correct == 0:
        return padded if accuracy == 0 else None
    images = round(correct / accuracy) if accuracy > 0 else 0
    return images if padded - 8 < images <= padded else None


def read_labels(fingerprints: Collection[str]) -> tuple[Sequence[str], Any] | None:
    """Return classes and test labels of the only data set of these fingerprints, if it is in the cache."""
    from ablate.data.cache import cached_labels

    return cached_labels(next(iter(fingerprints))) if len(fingerprints) == 1 else None


def find_batch(results: Mapping[PlanEntry, Run], tracker: Tracker, baseline: str) -> Path | None:
    """Return the picture of training images of the baseline's first run that has one."""
    paths = tracker.artifacts([run for entry, run in results.items() if entry.variant == baseline], "batch.png")
    return next(iter(paths.values()), None)
