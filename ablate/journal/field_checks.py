"""Checks of the fields of a record, which may hold any value of JSON."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]
"""Returns whether a value fits a field."""

LONGEST_NAME = 8000
"""Characters of a name: the longest tag that MLflow stores."""

_LONGEST_METRIC = 250
_METRIC = re.compile(r"[\w\-. :/]+")


def is_text(value: object) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_name(value: object) -> bool:
    """Return whether a value is a name: text on one line, without control characters."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def is_file_name(value: object) -> bool:
    """Return whether a value is a name that, as the start of a file's name, leaves the file in its folder."""
    return is_name(value) and "/" not in str(value) and not str(value).startswith("..")


def is_metric_name(value: object) -> bool:
    """Return whether a value is the name of a metric that MLflow accepts: letters, digits, spaces and _ - . : /."""
    if not isinstance(value, str) or not _METRIC.fullmatch(value) or len(value) > _LONGEST_METRIC:
        return False
    return value.isprintable() and posixpath.normpath(value) == value and not value.startswith(("..", "/"))


def is_integer(value: object) -> bool:
    """Return whether a value is an integer of 64 bits."""
    return type(value) is int and abs(value) < 2**63


def is_seed(value: object) -> bool:
    """Return whether a value is a non-negative integer of 64 bits."""
    return type(value) is int and 0 <= value < 2**63


def is_number(value: object) -> bool:
    """Return whether a value is a number, or null in place of one that is not finite."""
    return value is None or (isinstance(value, float) and math.isfinite(value)) or is_integer(value)


def is_finite(value: object) -> bool:
    """Return whether a value is a finite number."""
    return value is not None and is_number(value)


def is_positive(value: object) -> bool:
    """Return whether a value is a positive number."""
    return is_finite(value) and value > 0  # type: ignore[operator]


def is_goal(value: object) -> bool:
    """Return whether a value is the goal of a metric."""
    return value in ("max", "min")


def is_flag(value: object) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_list(value: object) -> bool:
    """Return whether a value is a list."""
    return isinstance(value, list)


def is_time(value: object) -> bool:
    """Return whether a value is a time in seconds since the epoch, before the year 2242."""
    return type(value) in (int, float) and 0 <= value < 2**33  # type: ignore[operator]  # also refuses NaN


def is_mapping(value: object) -> bool:
    """Return whether a value is a mapping."""
    return isinstance(value, Mapping)


def are_numbers(value: object) -> bool:
    """Return whether a value is a mapping from metrics to numbers."""
    return isinstance(value, Mapping) and all(map(is_metric_name, value)) and all(map(is_number, value.values()))


def optional(check: Check) -> Check:
    """Return a check that also accepts null and a missing field."""
    return lambda value: value is None or check(value)


def has(**checks: Check) -> Check:
    """Return a check for a mapping whose fields fit `checks`; it may have others."""
    return lambda value: isinstance(value, Mapping) and all(fits(value.get(name)) for name, fits in checks.items())


def present(**checks: Check) -> Check:
    """Return a check for a mapping in which those fields of `checks` that are present fit; it may have others."""
    return lambda value: (
        isinstance(value, Mapping) and all(fits(value[name]) for name, fits in checks.items() if name in value)
    )


def map_of(check: Check) -> Check:
    """Return a check for a mapping whose values fit."""
    return lambda value: isinstance(value, Mapping) and all(map(check, value.values()))


def list_of(check: Check) -> Check:
    """Return a check for a list whose items fit."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def names_of(check: Check) -> Check:
    """Return a check for a mapping that fits `check`, and whose keys are names."""
    return lambda value: check(value) and all(map(is_name, value))
