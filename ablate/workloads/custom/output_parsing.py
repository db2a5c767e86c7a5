"""Extract numbers from the output of a program or from a file that it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import UserError

_STEPS = ("step", "epoch")


def step_metrics(line: str) -> tuple[int, dict[str, float]] | None:
    """Return the step and the metrics of a JSON line, or None if the line is not JSON or has no step."""
    found = _json_object(line) or {}
    step = next((found[name] for name in _STEPS if type(found.get(name)) is int), None)
    return None if step is None else (step, numbers(found))


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric values of an object, without the step."""
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _STEPS
    }


def from_last_line(output: str, metric: str) -> dict[str, float]:
    """Return the numbers of the last JSON line that contains the metric.

    Raises UserError if no line does.
    """
    found = [line for text in output.splitlines() if (line := _json_object(text)) is not None]
    for line in reversed(found):
        if metric in numbers(line):
            return numbers(line)
    problem = f"the last JSON line has {', '.join(found[-1])}" if found else "no JSON line found"
    raise UserError(f'No "{metric}" in the standard output: {problem}. Print a line like {{"{metric}": 0.93}}')


def from_json_file(path: Path, since: float) -> dict[str, float]:
    """Return the numbers of a JSON file that was written after `since` (seconds since the epoch).

    Raises UserError if it was not written or contains no object.
    """
    if not path.is_file() or path.stat().st_mtime < since:
        raise UserError(f"The program did not write {path}")
    found = _json_object(path.read_text(errors="replace"))
    if found is None:
        raise UserError(f"{path} contains no JSON object")
    return numbers(found)


def from_pattern(pattern: str, texts: list[str]) -> float:
    """Return the number in the first group of the last match, in the first of `texts` with a match.

    Raises UserError if no text has one, or if the group is not a number.
    """
    for text in texts:
        found = list(re.finditer(pattern, text, re.MULTILINE))
        if found:
            try:
                return float(found[-1][1].replace(",", ""))
            except ValueError:
                raise UserError(f"The pattern {pattern!r} matches {found[-1][1]!r}, which is not a number") from None
    raise UserError(f"The pattern {pattern!r} does not match the program's output")
