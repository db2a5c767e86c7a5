"""Columns whose names mean that a run failed, was stopped or diverged: true/false, exit codes, steps and reasons.

The user is asked about them, because they may be factors, scores or settings: `timed_out`, `has_crashed`, `killed_at`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from itertools import pairwise

from ablate.report.sources.row_checks import is_number

TRUE, FALSE = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f")

NO_FAILURE = ("", "nan", "none", "null", "na", "n/a", "_", "no", "false", "0", "0.0", "[]", "{}", "no_error",
              "no_errors", "noerror")  # fmt: skip
"""Words that mean no failure in a column of errors, reasons or steps."""

_FAILURES = {
    "failed": r"fail(?:ed|s|ures?)?|err(?:ors?|ored)?|errno|crash(?:ed|es)?|exceptions?|broken?|invalid|corrupt(?:ed)?|"
    r"incomplete|unfinished|faulty|bad|abnormal|panic(?:ked)?|segfault(?:ed)?|died|dead|skipped|excluded|discarded|"
    r"rejected|ignored",
    "killed": r"kill(?:ed)?|abort(?:ed)?|timed?out|interrupt(?:ed)?|preempt(?:ed|ion)?|cancell?(?:ed)?|terminated?|"
    r"termination|evicted|signal|sigkill|sigterm|stuck|hung",
    "out_of_memory": r"oom|outofmemory",
    "unstable": r"nans?|infs?|infinite|nonfinite|diverged?|divergence|unstable|overflow(?:ed)?|exploded",
    "pruned": r"pruned",
}
_FAILURE = "|".join(_FAILURES.values())
_SUCCESS = r"finished|completed?|succeeded|success(?:ful)?|done|ok|healthy|finite|converged|passed"
_CODE = r"code|status|number|num|no"
_FILLER = rf"is|has|had|was|did|got|run|job|trial|task|training|train|process|proc|worker|flag|by|due|to|{_CODE}"
_PLACE = r"at|on|in|step|epoch|iteration|iter|time"
_REASON = r"reason|cause|message|msg|type|text"
_ONLY_FAILURE = re.compile(rf"(?:{_FILLER}|{_PLACE}|{_REASON}|{_FAILURE}|exit(?:ed)?|return|ret)+")
_NO_FAILURE = re.compile(
    rf"(?:{_FILLER})*(?:not|no|non|never|without|un)(?:{_FILLER})*(?:{_FAILURE})(?:{_FILLER})*|(?:{_FAILURE})free"
)
_ONLY_SUCCESS = re.compile(rf"(?:{_FILLER})*(?:all)?(?:{_SUCCESS})(?:{_FILLER})*")
_NO_SUCCESS = re.compile(rf"(?:{_FILLER})*(?:not|no|non|un|in|never|without)(?:{_FILLER})*(?:{_SUCCESS})(?:{_FILLER})*")
_EXIT_CODE = re.compile(
    rf"(?:{_FILLER})*(?:(?:exit(?:ed)?|return|ret|err(?:or)?|fail(?:ure)?|term(?:ination)?|quit)(?:{_CODE})+|errno|rc|"
    r"statuscode|exit|(?:exit|term(?:ination)?|kill)?signal)"
)
_AT = re.compile(rf"(?:{_FILLER})*(?:{_FAILURE})(?:{_FILLER})*(?:{_PLACE})+")
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_CODE_CELL = re.compile(r"(-?\d{1,20})(?:\.0)?(?::(\d{1,20}))?")


def plain_name(column: str) -> str:
    """Return the name of a column without MLflow's prefix, case and separators."""
    return re.sub(r"[^a-z0-9]", "", _without_prefix(column).lower())


def last_parts(column: str) -> list[str]:
    """Return a dotted name of a column and its last parts, the longest first: `a.b.c`, `b.c`, `c`."""
    parts = re.split(r"[./]", _without_prefix(column))
    return [".".join(parts[start:]) for start in range(len(parts)) if plain_name(".".join(parts[start:]))] or [column]


def _without_prefix(column: str) -> str:
    return re.sub(r"^(?:params|tags|attributes|metrics)\.", "", column)


def is_exit_code(column: str) -> bool:
    """Return whether the name of a column means an exit code, an error code or a signal."""
    return _EXIT_CODE.fullmatch(plain_name(column)) is not None


def read_exit_code(cell: str) -> str | None:
    """Return the status for an exit code: 0 (in Slurm `0:0`) is finished, another one failed; None for other words."""
    code = _CODE_CELL.fullmatch(cell.strip())
    return None if code is None else "finished" if int(code[1]) == 0 == int(code[2] or 0) else "failed"


def flag_meanings(column: str) -> tuple[str, str] | None:
    """Return the statuses that true and false mean in a column of this name, None for other names."""
    name = plain_name(column)
    status = _failure_in(column)
    opposite = "unstable" if re.search("finite|converged", name) else "failed"
    if _NO_SUCCESS.fullmatch(name):
        return opposite, "finished"
    if _ONLY_SUCCESS.fullmatch(name):
        return "finished", opposite
    if status and _NO_FAILURE.fullmatch(name):
        return "finished", status
    return (status, "finished") if status and not _AT.fullmatch(name) else None


def failure_words(column: str, cells: Collection[str]) -> list[str]:
    """Return the words of failed runs in a column whose name means a failure; empty if it holds something else.

    Args:
        column: Its name.
        cells: The words that it holds, in lower case, `""` for an empty one.
    """
    words, name = {_signed(word) for word in cells} - {""}, plain_name(column)
    meanings = flag_meanings(column)
    if meanings is None and not _AT.fullmatch(name):
        return []
    is_clear = any(names.fullmatch(name) for names in (_ONLY_FAILURE, _NO_FAILURE, _ONLY_SUCCESS, _NO_SUCCESS))
    good = set(TRUE if meanings and meanings[0] == "finished" else FALSE)
    if words <= {*TRUE, *FALSE}:
        return sorted(words - good) if is_clear or words & good or "" in cells else []
    is_place = _AT.fullmatch(name) is not None
    failed = sorted(words.difference(NO_FAILURE, [word for word in words if is_place and word.startswith("-")]))
    if not _ONLY_FAILURE.fullmatch(name) or not failed:
        return []
    if is_exit_code(column):
        is_code = all(_CODE_CELL.fullmatch(word) or word.startswith("sig") for word in failed)
        is_mixed = len(failed) < len(set(cells)) or not name.endswith(("signal", "exit"))
        return failed if is_code and is_mixed else []
    if any(is_number(word) and math.isfinite(float(word)) for word in failed) and not is_place:
        return []  # scores or counts
    return failed if len(failed) < len(set(cells)) else []


def failure_at(column: str, word: str) -> str | None:
    """Return the status for a cell of a column with the step or the reason of a failure; None if it is not clear.

    The number 0 may mean the first step or none.
    """
    status, name, word = _failure_in(column), plain_name(column), _signed(word)
    if status is None or not _ONLY_FAILURE.fullmatch(name):
        return None
    if is_number(word) and _AT.fullmatch(name):
        return status if 0 < float(word) < math.inf else None if float(word) == 0 else "finished"
    if name.endswith("signal"):
        return status if word.startswith("sig") else "finished" if word in NO_FAILURE else None
    if is_number(word) or not (_AT.fullmatch(name) or re.search(f"by|due|{_REASON}", name)):
        return None
    return "finished" if word in NO_FAILURE else status


def _signed(word: str) -> str:
    """Return a word in which a minus sign has become an underscore, with the sign."""
    return re.sub(r"\A_(?=[0-9.])", "-", word)


def _words(column: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(_without_prefix(column))]


def _failure_in(column: str) -> str | None:
    """Return the status that the name of a column means, by its words, or as a whole if it is only such words."""
    words, name = _words(column), plain_name(column)
    for status, failure in reversed(_FAILURES.items()):
        if any(re.fullmatch(failure, part) for part in (*words, *map("".join, pairwise(words)))):
            return status
    if _ONLY_FAILURE.fullmatch(name) or _NO_FAILURE.fullmatch(name):
        for status, failure in reversed(_FAILURES.items()):
            if re.search(failure, name):
                return status
    return "failed" if is_exit_code(column) else None
