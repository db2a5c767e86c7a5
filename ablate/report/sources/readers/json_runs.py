"""Read runs from JSON: one object per line (JSONL), or a list of objects. Nested names are joined by points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.sources.readers.run_table import RunTable, cell, first_doubled, flat, table_of_rows
from ablate.report.sources.readers.text_encoding import read_text

HALF_WRITTEN = "with a half-written line"
SUFFIXES = (".jsonl", ".ndjson", ".json")


class _RepeatedKeyError(ValueError):
    """An object has two values of one key."""


def read_json(path: Path) -> RunTable:
    """Return the objects of a JSON or JSONL file; the index is the line, in a list the number of the object.

    A last line that is incomplete, because its program was stopped or is still writing, is set aside. Raises UserError
    for every other line that is not an object.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        rows = _listed(text, path)
        return _table(rows, path, "run")
    rows, half = _lines(text, path)
    return _table(rows, path, "line", {HALF_WRITTEN: [f"line {half} of {path.name}"]} if half else {})


def has_lines_of_objects(path: Path) -> bool:
    """Return whether a file has one object per line, as `progress.json` of Stable-Baselines3 in spite of its name."""
    first, _, rest = path.read_bytes().strip().partition(b"\n")
    return first.startswith(b"{") and first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")


def _table(
    rows: Mapping[int, Mapping[str, str]], path: Path, row_word: str, aside: Mapping[str, Sequence[str]] | None = None
) -> RunTable:
    if not rows:
        raise UserError(f"{path} contains no runs")
    return RunTable(path.name, table_of_rows(rows), row_word, aside or {})


def _lines(text: str, path: Path) -> tuple[dict[int, dict[str, str]], int]:
    """Return the rows by line, and the number of the half-written line at the end; 0 if there is none."""
    rows: dict[int, dict[str, str]] = {}
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"line {number} of {path}"
        try:
            value = _parse(line)
        except _RepeatedKeyError as error:
            raise UserError(f"Two values of {error} in {where}") from None
        except ValueError:
            if number == len(lines) and rows:  # without the line break that ends a complete line
                return rows, number
            if not rows and _is_one_object(text):
                raise UserError(f"{path} contains one JSON object. Write one object per run and line") from None
            raise UserError(f"Not a JSON object in {where}. Write one object per run and line") from None
        if (
            isinstance(value, dict)
            and not rows
            and (name := _list_of_runs(value))
            and not "".join(lines[number:]).strip()
        ):
            raise UserError(
                f"{path} has its list of runs under {name!r}. Write the list itself, or one object per line"
            )
        rows[number] = _row(value, where)
    return rows, 0


def _list_of_runs(value: Mapping[str, Any]) -> str:
    """Return the name of a list of several objects in an object that has nothing else than lists; empty if none."""
    found = [
        name for name, item in value.items() if isinstance(item, list) and any(isinstance(one, dict) for one in item)
    ]
    return found[0] if len(found) == len(value) == 1 else ""


def _is_one_object(text: str) -> bool:
    try:
        return isinstance(_parse(text), dict)
    except ValueError:
        return False


def _listed(text: str, path: Path) -> dict[int, dict[str, str]]:
    try:
        found = _parse(text)
    except _RepeatedKeyError as error:
        raise UserError(f"Two values of {error} in one object of {path}") from None
    except ValueError as error:
        raise UserError(f"Cannot read {path} as JSON: {error}") from None
    return {number: _row(value, f"item {number} of {path}") for number, value in enumerate(found, 1)}


def _parse(text: str) -> Any:
    """Return a JSON value, with numbers and NaN as they are written. Raises ValueError."""
    return json.loads(text, object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=str)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKeyError(repr(first_doubled(name for name, _ in pairs)))
    return found


def _row(value: Any, where: str) -> dict[str, str]:
    """Return an object as a row. Raises UserError for other values, and for `a.b` next to a nested `b` in `a`."""
    if not isinstance(value, dict):
        raise UserError(f"Not a JSON object in {where}. Write one object per run")
    pairs = list(flat(value))
    row = {name: cell(item) for name, item in pairs}
    if doubled := first_doubled(name for name, _ in pairs):
        raise UserError(f"Two values of {doubled!r} in {where}")
    return row
