"""The record of a study: its declaration and its planned runs, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from ablate.redaction import mask_fields, mask_secrets, mask_tokens, mask_values


@dataclass(frozen=True)
class PlanEntry:
    """One planned run of a study, and the name of the run that provides its result, if there is one yet."""

    key: str
    data: str
    variant: str
    seed: int
    run: str | None = None

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the entry of its plain data. Unknown fields, of newer versions, are ignored."""
        return cls(plain["key"], plain["data"], plain["variant"], plain["seed"], plain.get("run"))


@dataclass(frozen=True)
class StudyRecord:
    """A study's declaration and its planned runs.

    Attributes:
        name: Name of the study.
        question: The question that the study answers.
        declared: Metric, margin, seeds, protocol and the like, as plain values.
        planned_runs: Every run that the study needs.
        status: `running`, `finished`, `failed` or `killed`.
        earlier: Earlier, different values of `declared`, oldest first.
        details: The design in full, so that a report needs no study file: metric, factors, variants (with the factors
            that are on) and planned comparisons.
        recorded: Time of this record, in seconds since the epoch.
        since: Time of the study's first record, in seconds since the epoch; 0 if unknown.
    """

    name: str
    question: str
    declared: Mapping[str, Any]
    planned_runs: Sequence[PlanEntry]
    status: str = "running"
    earlier: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    details: Mapping[str, Any] = field(default_factory=dict)
    recorded: float = field(default=0.0, compare=False)
    since: float = field(default=0.0, compare=False)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], status: str) -> Self:
        """Return the study whose `as_dict` is `plain`."""
        return cls(
            name=plain["name"],
            question=plain["question"],
            declared=plain["declared"],
            planned_runs=tuple(map(PlanEntry.from_dict, plain["plan"])),
            status=status,
            earlier=tuple(plain["earlier"]),
            details=plain.get("layout") or {},
            recorded=plain.get("recorded") or 0.0,
            since=plain.get("since") or 0.0,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the study, without its status, as plain data; the names of the keys are the file format's."""
        return {
            "name": self.name,
            "question": self.question,
            "declared": dict(self.declared),
            "earlier": [dict(declared) for declared in self.earlier],
            "layout": dict(self.details),
            "plan": [asdict(entry) for entry in self.planned_runs],
            "recorded": self.recorded,
            "since": self.since,
        }

    def without_secrets(self) -> Self:
        """Return this record with masked secrets. Levels and variants stay."""
        levels = " ".join(entry.variant for entry in self.planned_runs)
        plain = {name: value for name, value in self.declared.items() if isinstance(value, str)}
        declared = {**mask_values(self.declared, mask_tokens), **mask_fields(plain, levels)}
        details = mask_values(self.details, mask_tokens)
        return replace(self, question=mask_secrets(self.question), declared=declared, details=details)

    def merged_with(self, before: StudyRecord) -> Self:
        """Return this record with the declarations of an older one, if they differ, among the earlier ones."""
        earlier = list(before.earlier)
        if dict(before.declared) != dict(self.declared):
            earlier.append(before.declared)
        later = [declared for declared in self.earlier if declared not in earlier]
        since = min(filter(None, (before.since, self.since)), default=0.0)
        return replace(self, earlier=(*earlier, *later), since=since)
