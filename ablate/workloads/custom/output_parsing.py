"""Numbers out of what a program prints or writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablate.errors import UserError

_STEPS = ("step", "epoch")


class Lines:
    """Follows a file that grows, and returns its JSON objects, a line each."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, path.stat().st_size if path.exists() else 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the objects of the whole lines that are new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + (1 if whole else 0)
        for line in whole.splitlines():
            found = _object(line.decode(errors="replace"))
            if found is not None:
                yield found


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def step_of(line: Mapping[str, Any]) -> tuple[int, dict[str, float]] | None:
    """Return the step that a JSON line names and its numbers, or None if it names none."""
    step = next((line[name] for name in _STEPS if type(line.get(name)) is int), None)
    return None if step is None else (step, numbers(line))


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """Return what is a number, but for the step."""
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _STEPS
    }


def last_line(output: str, metric: str) -> dict[str, float]:
    """Return the numbers of the last JSON line that has the metric. Raises UserError if none has."""
    found = [line for text in output.splitlines() if (line := _object(text)) is not None]
    for line in reversed(found):
        if metric in numbers(line):
            return numbers(line)
    what = f"the last JSON line has: {', '.join(found[-1])}" if found else "it printed no JSON line"
    raise UserError(f'the program printed no line like {{"{metric}": 0.93}} on standard output ({what})')


def json_file(path: Path, since: float) -> dict[str, float]:
    """Return the numbers of a JSON file that was written after `since` (seconds since the epoch).

    Raises UserError if it was not, or holds no object.
    """
    if not path.is_file() or path.stat().st_mtime < since:
        raise UserError(f"the program did not write {path}")
    found = _object(path.read_text(errors="replace"))
    if found is None:
        raise UserError(f"{path} holds no JSON object")
    return numbers(found)


def matched(pattern: str, texts: list[str]) -> float:
    """Return the number in the first group of the last match, in the first text that has one.

    Raises UserError if none has, or if it is no number.
    """
    for text in texts:
        found = list(re.finditer(pattern, text, re.MULTILINE))
        if found:
            try:
                return float(found[-1][1].replace(",", ""))
            except ValueError:
                raise UserError(f"the pattern {pattern!r} found {found[-1][1]!r}, which is no number") from None
    raise UserError(f"the pattern {pattern!r} is not in what the program printed")
