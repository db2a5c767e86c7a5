"""Read the searches of a study from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ablate.report.search_data import Searches, SearchResult
from ablate.stats.effects import Comparison
from ablate.tuning.space import space_from
from ablate.tuning.types import Objective, Trial


def read_searches(details: Mapping[str, Any]) -> Searches | None:
    """Return the searches in the details of a study's record, or None if it was not tuned."""
    plain = details.get("tuning") or {}
    if not plain.get("searches"):
        return None
    by_arm = {label: _read(label, search) for label, search in plain["searches"].items()}
    comparisons = [Comparison(**row) for row in plain.get("comparisons", ())]
    return Searches(by_arm, comparisons, str(plain.get("command") or details.get("command", "")))


def _read(label: str, plain: Mapping[str, Any]) -> SearchResult:
    known = {field.name for field in fields(SearchResult)}
    rest = {name: value for name, value in plain.items() if name in known}
    trials = [Trial.from_plain(trial) for trial in plain["trials"]]
    by_number = {trial.number: trial for trial in trials}
    return SearchResult(
        **{
            **rest,
            "label": label,
            "objectives": [Objective(**objective) for objective in plain["objectives"]],
            "space": space_from(plain["space"]),
            "trials": trials,
            "front": [by_number[number] for number in plain.get("front", ())],
        }
    )
