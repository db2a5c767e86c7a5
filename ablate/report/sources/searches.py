"""Read the searches of a study from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ablate.errors import UserError
from ablate.report.search_data import Searches, SearchResult
from ablate.stats.effects import Comparison
from ablate.tuning.space import Dimension, Space, space_from
from ablate.tuning.types import Objective, Trial


def read_searches(details: Mapping[str, Any]) -> Searches | None:
    """Return the searches in the details of a study's record, or None if it was not tuned."""
    plain = details.get("tuning") or {}
    if not plain.get("searches"):
        return None
    by_arm = {label: _read(label, search) for label, search in plain["searches"].items()}
    comparisons = [Comparison.from_dict(row) for row in plain.get("comparisons", ())]
    return Searches(by_arm, comparisons, str(plain.get("command") or details.get("command", "")))


def _read(label: str, plain: Mapping[str, Any]) -> SearchResult:
    """Return a search. Raises UserError if its trials do not fit its space and its objectives."""
    trials = [Trial.from_plain(_known(Trial, trial)) for trial in plain["trials"]]
    objectives = [Objective(**_known(Objective, objective)) for objective in plain["objectives"]]
    space = space_from(_known(Dimension, dimension) for dimension in plain["space"])
    by_number, front = {trial.number: trial for trial in trials}, plain.get("front") or ()
    wrong = [trial.number for trial in trials if not _fits(trial, space, len(objectives))]
    wrong += [number for number in front if number not in by_number]
    if wrong:
        raise UserError(f"The record of the search of {label} is damaged: trial {wrong[0]} is incomplete")
    return SearchResult(
        **{
            **_known(SearchResult, plain),
            "label": label,
            "objectives": objectives,
            "space": space,
            "trials": trials,
            "front": [by_number[number] for number in front],
        }
    )


def _known(kind: type[Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a dataclass's fields. Unknown fields, of newer versions, are left out."""
    names = {entry.name for entry in fields(kind)}
    return {name: value for name, value in plain.items() if name in names and value is not None}


def _fits(trial: Trial, space: Space, objectives: int) -> bool:
    """Return whether a trial, if it is complete, has a value per objective and one for each dimension of the space."""
    if trial.state != "complete":
        return True
    numbers = [trial.params.get(dimension.name) for dimension in space.dimensions if not dimension.words]
    return (
        len(trial.values) == objectives
        and all(name in trial.params for name in space.names)
        and all(isinstance(number, int | float) for number in numbers)
    )
