"""Find the result of a program in its output or in a file that it writes, and the reason why it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.stats.metric import Metric
from ablate.wording import listed
from ablate.workloads.custom.json_objects import STEPS, json_objects
from ablate.workloads.custom.number_parsing import number_cut_by, read_number
from ablate.workloads.custom.result_names import (
    JsonObject,
    find_result,
    flatten,
    numbers,
    part_without_values,
    recordable,
    without_positions,
)
from ablate.workloads.custom.value_pattern import find_last_value, split_at_group

_EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)\s?:\s+\S.*")
_BARE_EXCEPTION = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception):?")
_ERROR = re.compile(r".*(?:\b(?:error|ERROR|fatal|FATAL|CRITICAL|panic)\b.*:|^Error in ).*")
_HINT = re.compile(r"(?:note|hint|help|tip)\b|Set the environment variable|Execution halted", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def step_metrics(line: str) -> tuple[int, dict[str, float]] | None:
    """Return the step and the metrics of a JSON line, or None if the line is not JSON or has no step."""
    found = next(json_objects(line), None)
    if not isinstance(found, dict):
        return None
    step = next((found[name] for name in STEPS if _is_step(found.get(name))), None)
    if step is None:
        return None
    return int(step), {recordable(name): value for name, value in _without_steps(numbers(found)).items()}


def _is_step(value: Any) -> bool:
    is_integer = type(value) is int or (isinstance(value, float) and value.is_integer())
    return is_integer and abs(value) < 2**63


def _without_steps(found: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name not in STEPS}


@dataclass(frozen=True)
class ResultReader:
    """Reads the result of a program for a metric, which is multiplied by `times`.

    Every method returns the metric and the other numbers by name, and raises UserError if the metric is missing,
    ambiguous or not a number.
    """

    metric: Metric
    times: float = 1.0

    def from_output(self, output: str) -> dict[str, float]:
        """Return the numbers of the last JSON object on standard output that contains the metric."""
        name = self.metric.name
        found = self._last_object(output, "the standard output")
        if found is not None:
            return found
        known = [entry for entry in json_objects(output) if isinstance(entry, dict)]
        last = f"the last JSON line has {listed(flatten(known[-1]))}" if known else "no JSON line found"
        raise UserError(f'No "{name}" in the standard output: {last}. Print a line like {{"{name}": 0.93}}')

    def from_json_file(self, path: Path, since: float) -> dict[str, float]:
        """Return the numbers of a JSON file that was written after `since` (seconds since the epoch).

        Of several objects in one file, and in a list of objects with steps, the last one with the metric counts.
        """
        if not path.is_file() or path.stat().st_mtime < since:
            raise UserError(f"The program did not write {path}")
        text = path.read_text(errors="replace", encoding="utf-8")
        found = self._last_object(text, str(path))
        if found is not None:
            return found
        objects = [entry for entry in json_objects(text) if isinstance(entry, dict)]
        if not objects:
            raise UserError(f"{path} contains no JSON object")
        raise UserError(f'No "{self.metric.name}" in {path}: it has {listed(flatten(objects[-1])) or "nothing"}')

    def from_pattern(self, pattern: str, texts: list[str]) -> dict[str, float]:
        """Return the number in the first group of the last match, in the first of `texts` with a match.

        A group that ends inside a number, or that does not match a later number, is an error.
        """
        for text in texts:
            found = find_last_value(pattern, text)
            if found is not None:
                return {self.metric.name: self._of_match(pattern, split_at_group(pattern) or ("", ""), found)}
        raise UserError(f"The pattern {pattern!r} does not match the program's output")

    def _of_match(self, pattern: str, parts: tuple[str, str], found: re.Match[str]) -> float:
        text, (start, end) = found.string, found.span(1)
        if cut := number_cut_by(text, start, end, *parts):
            raise UserError(
                f"The pattern {pattern!r} matches {found[1]!r}, a part of {cut!r}. Let its group match the whole "
                r"number, as (\S+) does, or name the unit behind it"
            )
        try:
            behind = re.match(r" ?%", text[end:]) is not None
            return read_number(found[1] + "%" * behind).of(self.metric, self.times)
        except ValueError as reason:
            raise UserError(f"The pattern {pattern!r} matches {found[1]!r}, which {reason}") from None

    def _last_object(self, text: str, where: str) -> dict[str, float] | None:
        """Return the numbers of the last object with the metric; None if no object has it."""
        entries = list(json_objects(text))
        later: list[JsonObject] = []
        for position, entry in reversed(list(enumerate(entries))):
            if isinstance(entry, JsonObject):
                found = self._of_object(entry, where, later)
                if found is not None:
                    self._check_earlier(entries[:position], entry, where)
                    return found
                later.append(entry)
            elif self._names_metric(entry):
                shown = " ".join(entry.split())[:100]
                raise UserError(
                    f'The last "{self.metric.name}" in {where} is not in valid JSON: {shown}. Print JSON in a line of '
                    "its own, as json.dumps writes it"
                )
        return None

    def _names_metric(self, text: str) -> bool:
        """Return whether a text has the metric in quotation marks, or all parts of its dotted name."""
        name = self.metric.name
        return any(
            all(f"{mark}{part}{mark}" in text for part in parts)
            for mark in "\"'"
            for parts in ([name], [part for part in name.split(".") if not part.isdecimal()])
        )

    def _of_object(self, entry: JsonObject, where: str, later: Sequence[JsonObject] = ()) -> dict[str, float] | None:
        """Return the numbers of an object, the metric under its own name; None if it lacks the metric.

        Raises UserError if one of the `later` objects has no values in place of the object that has the metric here.
        """
        name = self.metric.name
        path = find_result(entry, name, where)
        if path is None:
            return None
        if entry.repeated:
            raise UserError(
                f'"{entry.repeated}" has several values in one JSON object in {where}. Print each name once'
            )
        if part := next(filter(None, (part_without_values(one, path) for one in later)), ""):
            raise UserError(
                f'The last "{part}" in {where} has no {name}, but an earlier one has. Print NaN for a run that diverged'
            )
        value = flatten(entry)[path]
        others = {key: number for key, number in _without_steps(numbers(entry)).items() if key != path}
        return {**others, name: self._number(value, where)}

    def _check_earlier(self, earlier: Sequence[JsonObject | str], last: JsonObject, where: str) -> None:
        """Raise UserError if an earlier object has the metric under another full name: `test.f1`, then `train.f1`."""
        name = self.metric.name
        path = find_result(last, name, where) or name
        if path == name:
            return
        for entry in earlier:
            names = [key for key in flatten(entry) if f".{key}".endswith(f".{name}")] if isinstance(entry, dict) else []
            if names and without_positions(path) not in map(without_positions, names):
                earlier_one = "" if names[0] == name else f' or Metric("{names[0]}")'
                raise UserError(
                    f'"{name}" is ambiguous in {where}: {names[0]}, and later {path}. Print the result last, as '
                    f'{{"{name}": 0.93}}, or declare Metric("{path}"){earlier_one}'
                )

    def _number(self, value: Any, where: str) -> float:
        name = self.metric.name
        try:
            if isinstance(value, str):
                return read_number(value).of(self.metric, self.times)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError("is not a number. Print NaN for a run that diverged")
            return float(value) * self.times
        except (ValueError, OverflowError) as reason:
            raise UserError(f'"{name}" in {where} is {json.dumps(value)[:80]}, which {reason}') from None


def failure_reason(errors: str, output: str) -> str:
    """Return the line of standard error or output with the reason of a failure: the last error, or the last line."""
    texts = [_COLOUR.sub("", text) for text in (errors, output)]
    lines = [[line.strip() for line in text.splitlines() if line.strip()] for text in texts]
    for some in lines:
        for find in (_EXCEPTION.search, _BARE_EXCEPTION.fullmatch, _ERROR.match):
            found = [match[0] for line in some if (match := find(line))]
            if found:
                return found[-1][:300]
    kept = [[line for line in some if not _HINT.match(line)] or some for some in lines if some]
    return kept[0][-1][:300] if kept else "it printed nothing"
