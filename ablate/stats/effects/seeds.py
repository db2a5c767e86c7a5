"""Seeds, which pair the runs of two variants: integers of any size, or words such as the names of folds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ablate.wording import listed

Seed = int | str
"""What the runs of a pair share. The seeds of one table are all integers or all words."""

MOST_SPANS = 6

_INTEGER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")


def read_seeds(values: Iterable[object]) -> list[Seed] | None:
    """Return seeds as integers if all are integers, as words if all are text; None for anything else."""
    found = list(values)
    integers = [integer(value) for value in found]
    if all(value is not None for value in integers):
        return [value for value in integers if value is not None]
    words = [value.strip() for value in found if isinstance(value, str)]
    return list(words) if len(words) == len(found) and all(words) else None


def integer(value: object) -> int | None:
    """Return a value as an integer: `7`, `7.0`, `1e3` and their text; None for other values.

    Digits are exact. Numbers with an exponent must be below 2^53, since larger ones may have been rounded.
    """
    if isinstance(value, int):
        return value
    digits = _INTEGER.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if digits:
            return int(digits[1])  # of at most 4300 digits
        number = float(value)  # type: ignore[arg-type]  # anything: what is not a number raises TypeError
    except (TypeError, ValueError):
        return None
    return int(number) if abs(number) < 2**53 and number == math.floor(number) else None


def spans(seeds: Iterable[Seed]) -> str:
    """Return seeds with sequences of consecutive ones shortened: `0 to 4, 7`; of many the number of the others."""
    found: list[list[Seed]] = []
    for seed in sorted(seeds, key=lambda seed: (isinstance(seed, str), seed)):
        last = found[-1][1] if found else None
        if isinstance(seed, int) and isinstance(last, int) and seed == last + 1:
            found[-1][1] = seed
        else:
            found.append([seed, seed])
    return listed([str(first) if first == last else f"{first} to {last}" for first, last in found], MOST_SPANS)
