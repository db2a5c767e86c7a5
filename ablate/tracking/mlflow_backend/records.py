"""A journal's records as plain data for the store. Pure functions.

Every time is the journal's, so that sending a part twice sends the same; a step that a resumed run repeats is sent
once, as it was first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ablate.journal.run_journal import SCHEMA

STATUSES = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "unstable": "FINISHED",
    "failed": "FAILED",
    "out_of_memory": "FAILED",
    "killed": "KILLED",
    "pruned": "KILLED",
}
"""Our word for a run's status, and the store's."""

PROCESS_TAGS = {"host": "ablate.host", "boot": "ablate.boot", "pid": "ablate.pid", "started": "ablate.process_started"}

OWN_PARAMS = "ablate.params"
"""The tag that holds the params of a run whose program logs its own."""

LONGEST_TAG = 8000
LONGEST_PARAM = 6000
MOST_NAMES = 100
MOST_POINTS = 800
"""The store takes 100 params, 100 tags and 1000 values of all kinds in one call."""

Point = tuple[str, float, int, int]
"""A value of a metric: name, value, time in milliseconds, step."""


@dataclass(frozen=True)
class Batch:
    """What one record adds to a run in the store."""

    points: Sequence[Point] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def milliseconds(time: float) -> int:
    """Return seconds since the epoch as the store counts them."""
    return round(time * 1000)


def instant(time: float) -> str:
    """Return seconds since the epoch as a tag shows them: ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def batches(records: Sequence[Mapping[str, Any]], delivered: int) -> Iterator[Batch]:
    """Yield what the records from number `delivered` on add; earlier ones only tell what was sent already."""
    by_itself = logs_itself(records)
    sent: set[tuple[str, int]] = set()
    series: list[str] = []
    last = 0
    for number, record in enumerate(records):
        points = [point for point in _points(record, last) if (point[0], point[3]) not in sent]
        sent.update((name, step) for name, _, _, step in points)
        if record["record"] == "metrics":
            last = record["step"]
        elif record["record"] == "series" and record["name"] not in series:
            series.append(record["name"])
        if number < delivered:
            continue
        heartbeat = {"ablate.heartbeat": instant(record["time"])}
        if record["record"] == "start":
            tags = {**process_tags(record["process"]), **heartbeat}
            if by_itself:  # the program may log params of the same names, and the store keeps the first
                yield Batch(tags={**tags, OWN_PARAMS: json.dumps(_texts(record["params"]))})
            else:
                yield Batch(params=params(record), tags=tags)
        elif record["record"] == "resume":
            yield Batch(tags={**process_tags(record["process"]), "ablate.status": "running", **heartbeat})
        elif record["record"] == "end":
            yield Batch(points, _texts(record.get("params") or {}), {**end_tags(record), **heartbeat})
        elif record["record"] == "series":
            yield Batch(points, tags={"ablate.series": json.dumps(series), **heartbeat})
        else:
            yield Batch(points, tags=heartbeat)


def logs_itself(records: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the training of these records logs to the store itself, too."""
    return any(record["record"] == "wanted" for record in records)


def parcels(added: Iterable[Batch]) -> Iterator[Batch]:
    """Yield as few batches as carry all of `added` and keep to the store's limits."""
    points: list[Point] = []
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for batch in added:
        points += batch.points
        texts |= batch.params
        tags |= batch.tags
    named = max(-(-len(texts) // MOST_NAMES), -(-len(tags) // MOST_NAMES))
    for i in range(max(named, -(-len(points) // MOST_POINTS))):
        yield Batch(
            points[i * MOST_POINTS : (i + 1) * MOST_POINTS],
            dict(list(texts.items())[i * MOST_NAMES : (i + 1) * MOST_NAMES]),
            dict(list(tags.items())[i * MOST_NAMES : (i + 1) * MOST_NAMES]),
        )


def start_tags(start: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the tags of a new run from its start record and the name of its journal."""
    environment = start["environment"]
    tags = {
        "ablate.kind": "run",
        "ablate.run": name,
        "ablate.study": start["study"],
        "ablate.variant": start["variant"],
        "ablate.key": start["key"],
        "ablate.data": start["data"],
        "ablate.seed": str(start["recipe"]["seed"]),
        "ablate.schema": str(SCHEMA),
        "ablate.status": "running",
        "ablate.conditions": json.dumps(start["conditions"]),
        "ablate.environment": json.dumps(environment),
        "mlflow.source.name": "ablate",
        "mlflow.source.type": "LOCAL",
        **process_tags(start["process"]),
    }
    if start.get("metric"):
        tags["ablate.metric"] = start["metric"]["tracked"]
    if start.get("floor") is not None:
        tags["ablate.floor"] = json.dumps(start["floor"])
    if environment.get("commit"):
        tags["mlflow.source.git.commit"] = str(environment["commit"])
    return _cut({**start.get("tags", {}), **tags}, LONGEST_TAG)


def process_tags(process: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that name a process; `process_of` reads them back."""
    return {tag: str(process[name]) for name, tag in PROCESS_TAGS.items()}


def process_of(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the process that a run's tags name, or nothing if they name none."""
    if not all(tag in tags for tag in PROCESS_TAGS.values()):
        return {}
    return {**{name: tags[tag] for name, tag in PROCESS_TAGS.items()}, "pid": int(tags["ablate.pid"])}


def end_tags(end: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that an end record adds."""
    tags = {"ablate.status": end["status"], "ablate.final": json.dumps(list(end.get("metrics") or {}))}
    if end.get("error"):
        tags["ablate.error"] = str(end["error"])
    return _cut(tags, LONGEST_TAG)


def params(start: Mapping[str, Any]) -> dict[str, str]:
    """Return the params of a run from its start record: recipe, conditions, versions."""
    return {**beside(start["conditions"], start["environment"]), **_texts(start["params"])}


def beside(conditions: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the params that stand beside the recipe's; the commit has a tag of its own."""
    shown = {**_flat(environment), **_flat(conditions)}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in shown.items()}
    return _cut({name: text for name, text in texts.items() if name != "commit"}, LONGEST_PARAM)


def text_of(value: Any) -> str:
    """Return a value as the text of a param; `value_of` reads it back."""
    if isinstance(value, str) and value_of(value) == value:
        return value
    return json.dumps(value)


def value_of(text: str) -> Any:
    """Return the value that a param's text stands for."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if json.dumps(value) == text else text  # so 3.10 stays a version


def _points(record: Mapping[str, Any], last: int) -> list[Point]:
    time = milliseconds(record["time"])
    kind = record["record"]
    if kind == "metrics":
        return [(name, _number(value), time, record["step"]) for name, value in record["values"].items()]
    if kind == "series":
        first = record["first"]
        return [(record["name"], _number(value), time, first + i) for i, value in enumerate(record["values"])]
    if kind == "end":
        return [(name, _number(value), time, last) for name, value in (record.get("metrics") or {}).items()]
    return []


def _number(value: float | None) -> float:
    return float(value) if value is not None and math.isfinite(value) else math.nan


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return _cut({name: text_of(value) for name, value in values.items()}, LONGEST_PARAM)


def _cut(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    return {name: text if len(text) <= longest else text[: longest - 3] + "..." for name, text in texts.items()}
