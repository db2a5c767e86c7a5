"""The format of a journal line: formatting, parsing, and the fields that each kind of record must have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never

from ablate.journal.field_checks import (
    Check,
    are_numbers,
    has,
    is_integer,
    is_mapping,
    is_metric_name,
    is_name,
    is_number,
    is_seed,
    is_text,
    is_time,
    names_of,
    optional,
)
from ablate.redaction import mask_fields, mask_values

END_STATUSES = ("finished", "unstable", "failed", "out_of_memory", "killed", "pruned")
"""The final statuses of a run."""

_FREE_TEXT = ("tags", "error", "trace", "environment", "data_name")
_SETTINGS = ("params", "recipe", "tags")
"""Fields with named values, whose secrets are also recognised by their names."""


def format_line(record: str, time: float, fields: Mapping[str, Any]) -> bytes:
    """Return a record as a line; non-finite numbers become null, secrets `***`.

    Raises ValueError for a record that `parse_line` would refuse, so that no journal is invalid.
    """
    levels = fields.get("variant", "")
    named = {name: mask_fields(value, levels) for name, value in fields.items() if value and name in _SETTINGS}
    free = {name: mask_values(value) for name, value in {**fields, **named}.items() if name in _FREE_TEXT}
    text = json.dumps({"record": record, "time": time, **_finite({**fields, **named, **free})}, allow_nan=False)
    line = text.encode() + b"\n"
    try:
        parse_line(line)
    except ValueError as error:
        raise ValueError(f"Invalid {record} record: {error}") from None
    return line


def _finite(value: Any) -> Any:
    """Return plain data without the values that JSON, or UTF-8, cannot represent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, Mapping):
        return {_finite(name): _finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


def _encodable(value: Any) -> Any:
    """Return plain data without the text that UTF-8 cannot represent."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def parse_line(line: bytes) -> dict[str, Any]:
    """Return the record of a line; the fields of unknown kinds of records are not checked.

    Raises:
        ValueError: The line is not a record, or a field is missing or invalid.
    """
    record = read_json(line, _refuse)
    if not isinstance(record, dict) or not is_text(record.get("record")) or not is_time(record.get("time")):
        raise ValueError("not a record")
    wrong = [name for name, fits in _FIELDS.get(record["record"], {}).items() if not fits(record.get(name))]
    if wrong:
        raise ValueError(f"field {wrong[0]!r} is missing or invalid")
    return record


def read_json(text: bytes, constant: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a text in JSON; `constant` reads NaN and infinities. Raises ValueError.

    Halves of surrogate pairs, which cannot be printed or stored, are escaped.
    """
    try:
        value = json.loads(text.decode("utf-8-sig"), parse_constant=constant)
        return _encodable(value) if b"\\u" in text else value
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        if "int_max_str_digits" in str(error):
            raise ValueError("a number with thousands of digits") from None
        raise


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not a number of JSON")


def _is_first(value: object) -> bool:
    return is_integer(value) and abs(value) < 2**62  # type: ignore[arg-type]  # the last step has 64 bits, too


def _is_series(value: object) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


_HAS_IDENTITY = has(host=is_name, boot=is_text, pid=is_integer, started=optional(is_text))


def _are_params(value: object) -> bool:
    return is_mapping(value) and all(map(is_metric_name, value))  # type: ignore[call-overload]  # MLflow's rule for both


def _is_process(value: object) -> bool:
    return _HAS_IDENTITY(value) and "started" in value  # type: ignore[operator]  # null for a process that has ended


_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "start": {
        "schema": optional(is_seed),
        **dict.fromkeys(("variant", "key", "data"), is_name),
        "study": lambda value: value == "" or is_name(value),
        "data_name": optional(is_text),
        "params": _are_params,
        "conditions": has(device=is_text, precision=is_text, threads=is_integer),
        "environment": has(versions=optional(is_mapping)),
        "tags": optional(names_of(lambda value: is_mapping(value) and all(map(is_text, value.values())))),
        "metric": optional(has(tracked=is_name)),
        "floor": is_number,
        "recipe": has(seed=is_seed),
        "process": _is_process,
    },
    "resume": {"process": _is_process},
    "metrics": {"step": is_integer, "values": are_numbers},
    "wanted": {},
    "series": {"name": is_metric_name, "first": _is_first, "values": _is_series},
    "end": {
        "status": lambda value: value in END_STATUSES,
        "metrics": optional(are_numbers),
        "params": optional(_are_params),
        "error": optional(is_text),
        "trace": optional(is_text),
    },
}

KINDS = tuple(_FIELDS)
"""The kinds of records. Others, of newer versions, are ignored."""
