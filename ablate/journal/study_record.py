"""The record of a study: what it declared and planned, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Planned:
    """One run that a study plans, and the name of the run that answers it, once there is one."""

    key: str
    data: str
    variant: str
    seed: int
    run: str | None = None


@dataclass(frozen=True)
class StudyRecord:
    """What a study declared before it ran, and what it plans.

    `declared` holds metric, margin, seeds, protocol and the like, as plain values. `earlier` lists what was declared
    before and changed since, oldest first. `layout` is the design spelled out, so that a report needs no menu: metric,
    factors, arms (variant: factors on) and planned comparisons. `recorded` says when, in seconds since the epoch, and
    `since` when there was a record of the study first, 0 where that is not known.
    """

    name: str
    question: str
    declared: Mapping[str, Any]
    plan: Sequence[Planned]
    status: str = "running"
    earlier: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    layout: Mapping[str, Any] = field(default_factory=dict)
    recorded: float = field(default=0.0, compare=False)
    since: float = field(default=0.0, compare=False)


def merged(study: StudyRecord, before: StudyRecord) -> StudyRecord:
    """Return `study` with what was declared `before` among the earlier declarations if it differs."""
    earlier = list(before.earlier)
    if dict(before.declared) != dict(study.declared):
        earlier.append(before.declared)
    later = [declared for declared in study.earlier if declared not in earlier]
    return replace(study, earlier=(*earlier, *later), since=min(filter(None, (before.since, study.since)), default=0.0))


def plan_of(study: StudyRecord) -> dict[str, Any]:
    """Return a study as plain data."""
    return {
        "name": study.name,
        "question": study.question,
        "declared": dict(study.declared),
        "earlier": [dict(declared) for declared in study.earlier],
        "layout": dict(study.layout),
        "plan": [asdict(planned) for planned in study.plan],
        "recorded": study.recorded,
        "since": study.since,
    }


def study_from(plain: Mapping[str, Any], status: str) -> StudyRecord:
    """Return the study that `plan_of` described."""
    plan = tuple(Planned(**planned) for planned in plain["plan"])
    times = {name: plain.get(name, 0.0) for name in ("recorded", "since")}
    earlier, layout = tuple(plain["earlier"]), plain.get("layout", {})
    return StudyRecord(plain["name"], plain["question"], plain["declared"], plan, status, earlier, layout, **times)
