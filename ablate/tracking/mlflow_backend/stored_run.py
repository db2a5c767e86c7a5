"""A run in MLflow's terms, and its conversion to a `Run`. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ablate.journal.field_checks import Check, has, is_file_name, is_mapping, is_number, is_text, list_of, optional
from ablate.journal.run_journal import Run
from ablate.tracking.mlflow_backend import schema
from ablate.tracking.mlflow_backend.records import Point, condition_params, process_of, true_value, value_of
from ablate.tracking.mlflow_backend.relocation import relocated

_INTERNAL = ("ablate.", "mlflow.")
"""Starts of the names of tags that are not those of users. The description of a run (`schema.NOTE`) is."""


@dataclass(frozen=True)
class StoredRun:
    """A run in the store: times in milliseconds, `artifacts` as a URI, `latest` with the last value of each metric.

    `latest_steps` has the steps of these values.
    """

    id: str
    name: str
    experiment: str
    status: str
    start: int
    end: int | None
    artifacts: str
    deleted: bool
    params: Mapping[str, str]
    tags: Mapping[str, str]
    latest: Mapping[str, float]
    latest_steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path | None:
        """The folder of the artifacts, if it is on this machine."""
        address = urlsplit(self.artifacts)
        path = unquote(address.path) if address.scheme == "file" else self.artifacts
        return Path(path) if address.scheme in ("", "file") and Path(path).is_absolute() else None

    @property
    def last_heartbeat(self) -> float:
        """Time of the last heartbeat, in seconds since the epoch."""
        try:
            return datetime.fromisoformat(self.tags[schema.HEARTBEAT]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return self.start / 1000

    @property
    def metrics_by_epoch(self) -> list[str]:
        """Names of the metrics with one value per epoch, without final metrics and those with one value per step."""
        aside = [*(_listed(self, schema.FINAL_METRICS) or ()), *(_listed(self, schema.STEP_METRICS) or ())]
        return [name for name in self.latest if name not in aside]


def only_one(equal: Iterable[StoredRun], delete: Callable[[str], None]) -> StoredRun:
    """Return the main one of several runs that are the same one, and delete the others if they are empty."""
    first, *others = main_first(equal)
    for run in others:
        if not run.latest and not run.params:
            delete(run.id)
    return first


def main_first(equal: Iterable[StoredRun]) -> list[StoredRun]:
    """Return runs that are the same one, as a server has that loses answers: those with a content first, by start."""
    return sorted(equal, key=lambda run: (not run.latest and not run.params, run.start, run.id))


def stored_run(run: Any, experiments: Mapping[str, str], moved: Mapping[str, str]) -> StoredRun:
    """Convert a run of MLflow's client. `experiments` are names by identifier; for `moved`, see `relocate`."""
    info, data = run.info, run.data
    experiment = str(info.experiment_id)
    return StoredRun(
        id=info.run_id,
        name=info.run_name or info.run_id,
        experiment=experiments.get(experiment, experiment),
        status=info.status,
        start=info.start_time,
        end=info.end_time,
        artifacts=relocated(info.artifact_uri or "", moved),
        deleted=info.lifecycle_stage == "deleted",
        params=data.params,
        tags=data.tags,
        latest={name: true_value(value) for name, value in data.metrics.items()},
        # a public accessor of the steps is missing in MLflow, and one request per metric would be slow
        latest_steps={metric.key: metric.step for metric in getattr(data, "_metric_objs", ())},
    )


def to_run(stored: StoredRun) -> Run:
    """Convert a stored run; fields that a run of another program lacks, or that are invalid, get defaults."""
    tags = stored.tags
    conditions = _parsed(stored, schema.CONDITIONS, is_mapping) or {}
    environment = _parsed(stored, schema.ENVIRONMENT, has(versions=optional(is_mapping))) or {}
    recorded = condition_params(conditions, environment)
    params = {**stored.params, **(_parsed(stored, schema.LOGGED_PARAMS, _are_texts) or {})}
    values = {name: value_of(text) for name, text in params.items() if recorded.get(name) != text}
    final = _listed(stored, schema.FINAL_METRICS) if schema.NAME in tags else list(stored.latest)
    number = stored.name.rpartition("/s")[2]
    seed = tags.get(schema.SEED) or values.get("seed") or (number if number.isdecimal() else 0)
    return Run(
        name=_tag(stored, schema.NAME, is_file_name, stored.id),
        key=_tag(stored, schema.KEY, is_file_name, ""),
        data=_tag(stored, schema.DATA, is_file_name, ""),
        variant=tags.get(schema.VARIANT) or stored.name,
        seed=int(seed) if str(seed).isdecimal() else 0,
        study=tags.get(schema.STUDY_NAME, stored.experiment),
        status=status_of(stored),
        started=stored.start / 1000,
        ended=stored.end / 1000 if stored.end and stored.status != "RUNNING" else None,
        params=values,
        metrics={name: stored.latest[name] for name in final or () if name in stored.latest},
        history=(),
        conditions=conditions,
        environment=environment,
        process=process_of(tags),
        floor=_parsed(stored, schema.FLOOR, is_number),
        error=tags.get(schema.ERROR),
        metric=tags.get(schema.METRIC, ""),
        tags={name: value for name, value in tags.items() if name == schema.NOTE or not name.startswith(_INTERNAL)},
        parent=tags.get(schema.PARENT_RUN, ""),
        last_steps={} if schema.NAME in tags else dict(stored.latest_steps),
    )


def status_of(stored: StoredRun) -> str:
    """Return the status of a run or study: that in its tag, or MLflow's if the tag is missing or invalid."""
    return _tag(stored, schema.STATUS, schema.STATUSES.__contains__, stored.status.lower())


def history_rows(points: Iterable[Point]) -> tuple[dict[str, float], ...]:
    """Return one row per step with the metrics that have a value there, in order of step."""
    table: dict[int, dict[str, float]] = {}
    for name, value, _, step in points:
        table.setdefault(step, {"step": step})[name] = value
    return tuple(table[step] for step in sorted(table))


def _tag(stored: StoredRun, tag: str, fits: Check, default: str) -> str:
    text = stored.tags.get(tag)
    return text if text is not None and fits(text) else default


def _listed(stored: StoredRun, tag: str) -> list[str] | None:
    """Return the names in a tag, or None if it is missing or invalid."""
    names: list[str] | None = _parsed(stored, tag, list_of(is_text))
    return names


def _parsed(stored: StoredRun, tag: str, fits: Check) -> Any:
    """Return the JSON of a tag, which anyone may have written; None if it is missing, or is not what it should be."""
    try:
        value = json.loads(stored.tags[tag])
    except (KeyError, ValueError, RecursionError):
        return None
    return value if fits(value) else None


def _are_texts(value: object) -> bool:
    return is_mapping(value) and all(map(is_text, value.values()))  # type: ignore[attr-defined]
