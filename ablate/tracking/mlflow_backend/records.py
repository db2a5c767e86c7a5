"""Convert a journal's records to plain data for the store. Pure functions.

All times come from the journal, so repeated deliveries are identical. A step that a resumed run repeats is delivered
once, with its first values.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ablate.journal.field_checks import is_name
from ablate.journal.journal_lines import SCHEMA
from ablate.tracking.mlflow_backend import schema

Point = tuple[str, float, int, int]
"""One value of a metric: name, value, time in milliseconds, step."""


@dataclass(frozen=True)
class Batch:
    """Metrics, params and tags to add to a run in the store."""

    points: Sequence[Point] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def milliseconds(time: float) -> int:
    """Return a time in seconds as the store's milliseconds."""
    return round(time * 1000)


def instant(time: float) -> str:
    """Return a time in seconds as the text of a tag: ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def batches(records: Sequence[Mapping[str, Any]], delivered: int) -> Iterator[Batch]:
    """Yield a batch for each record from number `delivered` on; earlier ones only show which steps were sent."""
    logs_params = logs_directly(records)
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
        heartbeat = {schema.HEARTBEAT: instant(record["time"])}
        if record["record"] == "start":
            tags = {**process_tags(record["process"]), **heartbeat}
            if logs_params:  # the program may log params of the same names, and the store keeps the first
                yield Batch(tags={**tags, schema.LOGGED_PARAMS: json.dumps(_texts(record["params"]))})
            else:
                yield Batch(params=params(record), tags=tags)
        elif record["record"] == "resume":
            yield Batch(tags={**process_tags(record["process"]), schema.STATUS: "running", **heartbeat})
        elif record["record"] == "end":
            yield Batch(points, _texts(record.get("params") or {}), {**end_tags(record), **heartbeat})
        elif record["record"] == "series":
            yield Batch(points, tags={schema.STEP_METRICS: json.dumps(series), **heartbeat})
        else:
            yield Batch(points, tags=heartbeat)


def logs_directly(records: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the training program also logs to the store directly."""
    return any(record["record"] == "wanted" for record in records)


def merged_batches(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Merge batches into as few as the store's limits allow."""
    points: list[Point] = []
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for batch in batches:
        points += batch.points
        texts |= batch.params
        tags |= batch.tags
    named = max(-(-len(texts) // schema.MOST_NAMES), -(-len(tags) // schema.MOST_NAMES))
    for i in range(max(named, -(-len(points) // schema.MOST_POINTS))):
        yield Batch(
            points[i * schema.MOST_POINTS : (i + 1) * schema.MOST_POINTS],
            dict(list(texts.items())[i * schema.MOST_NAMES : (i + 1) * schema.MOST_NAMES]),
            dict(list(tags.items())[i * schema.MOST_NAMES : (i + 1) * schema.MOST_NAMES]),
        )


def start_tags(start: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the tags of a new run from its start record and the name of its journal."""
    environment = start["environment"]
    tags = {
        schema.KIND: schema.RUN,
        schema.NAME: name,
        schema.STUDY_NAME: start["study"],
        schema.VARIANT: start["variant"],
        schema.KEY: start["key"],
        schema.DATA: start["data"],
        schema.SEED: str(start["recipe"]["seed"]),
        schema.SCHEMA_VERSION: str(SCHEMA),
        schema.STATUS: "running",
        schema.CONDITIONS: json.dumps(start["conditions"]),
        schema.ENVIRONMENT: json.dumps(environment),
        **schema.SOURCE,
        **process_tags(start["process"]),
    }
    if start.get("metric"):
        tags[schema.METRIC] = start["metric"]["tracked"]
    if start.get("floor") is not None:
        tags[schema.FLOOR] = json.dumps(start["floor"])
    if environment.get("commit"):
        tags[schema.COMMIT] = str(environment["commit"])
    return _cut({**(start.get("tags") or {}), **tags}, schema.LONGEST_TAG)


def process_tags(process: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that identify a process; `process_of` reads them back."""
    return {tag: str(process[name]) for name, tag in schema.PROCESS_TAGS.items()}


def process_of(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the process that tags identify, or an empty dict."""
    found = {name: tags.get(tag, "") for name, tag in schema.PROCESS_TAGS.items()}
    number = found["pid"]
    is_complete = all(map(is_name, found.values())) and number.isascii() and number.isdecimal() and len(number) < 10
    return {**found, "pid": int(number)} if is_complete else {}


def end_tags(end: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of an end record."""
    tags = {schema.STATUS: end["status"], schema.FINAL_METRICS: json.dumps(list(end.get("metrics") or {}))}
    if end.get("error"):
        tags[schema.ERROR] = str(end["error"])
    return _cut(tags, schema.LONGEST_TAG)


def params(start: Mapping[str, Any]) -> dict[str, str]:
    """Return the params of a run from its start record: recipe, conditions, versions."""
    return {**condition_params(start["conditions"], start["environment"]), **_texts(start["params"])}


def condition_params(conditions: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """Return conditions and environment as params; the commit has its own tag, imported files none."""
    shown = {**_flat({**environment, "imports": {}}), **_flat(conditions)}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in shown.items()}
    return _cut({name: text for name, text in texts.items() if name != "commit"}, schema.LONGEST_PARAM)


def text_of(value: Any) -> str:
    """Return a value as the text of a param; `value_of` reads it back."""
    if isinstance(value, str) and value_of(value) == value:
        return value
    return json.dumps(value)


def value_of(text: str) -> Any:
    """Return the value of a param's text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if json.dumps(value) == text else text  # the version 3.10 stays text


def true_value(value: float) -> float:
    """Return a metric's value as it was logged: databases of MLflow hold the largest number in place of infinity."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


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
    return _cut({name: text_of(value) for name, value in values.items()}, schema.LONGEST_PARAM)


def _cut(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    return {name: text if len(text) <= longest else text[: longest - 3] + "..." for name, text in texts.items()}
