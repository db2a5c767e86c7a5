"""Experimental designs: pure functions of the baseline's factors and the factors in question.

The first arm of every design is the baseline. Factors that are not in question are the same in all arms. A candidate,
off in the baseline, is switched on where a factor of the baseline would be switched off. So regular fractions contain
the baseline; Plackett-Burman designs have it in addition.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import UsageError
from ablate.studies.fractions import CUSTOMARY, LETTERS, find_generators

Arm = frozenset[str]
"""The names of the factors that are on."""


@dataclass(frozen=True)
class PlannedContrast:
    """A planned comparison of an arm with a reference. `factor` is the factor in which they differ, if it is one."""

    arm: Arm
    reference: Arm
    family: str
    factor: str | None = None


@dataclass(frozen=True)
class Design:
    """The arms of a study, the baseline first, and its planned contrasts.

    Factorial designs have no contrasts: their effects are estimated from all arms. `generators` define a fraction.
    """

    name: str
    factors: tuple[str, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[PlannedContrast, ...] = ()
    generators: tuple[str, ...] = ()


def leave_one_out(baseline: Arm, factors: Sequence[str]) -> Design:
    """Flip one factor at a time at the baseline: k + 1 arms.

    >>> [sorted(arm) for arm in leave_one_out(frozenset("abc"), "abc").arms]
    [['a', 'b', 'c'], ['b', 'c'], ['a', 'c'], ['a', 'b']]
    """
    contrasts = _flips(baseline, factors, "leave-one-out")
    return _design("leave-one-out", baseline, factors, contrasts)


def add_one_in(baseline: Arm, factors: Sequence[str]) -> Design:
    """Switch one factor on at a time, with the others off: k arms, their reference `none`, and the baseline.

    >>> [sorted(arm) for arm in add_one_in(frozenset("abc"), "abc").arms]
    [['a', 'b', 'c'], [], ['a'], ['b'], ['c']]
    """
    contrasts = _flips(baseline - set(factors), factors, "add-one-in")
    return _design("add-one-in", baseline, factors, contrasts)


def both_ways(baseline: Arm, factors: Sequence[str]) -> Design:
    """Combine leave-one-out and add-one-in as one family of 2k comparisons. They differ by the interactions.

    >>> len(both_ways(frozenset("abcdefg"), "abcdefg").arms)
    16
    """
    ends = (baseline, baseline - set(factors))
    contrasts = [contrast for end in ends for contrast in _flips(end, factors, "both-ways")]
    return _design("both-ways", baseline, factors, contrasts)


def pairs(baseline: Arm, factors: Sequence[str]) -> Design:
    """Flip one and two factors at a time at the baseline, to estimate interactions there.

    >>> len(pairs(frozenset("abcdefg"), "abcdefg").arms)
    29
    """
    singles = _flips(baseline, factors, "pairs")
    doubles = [baseline ^ {one, other} for one, other in itertools.combinations(factors, 2)]
    return _design("pairs", baseline, factors, singles, doubles)


def path(baseline: Arm, factors: Sequence[str]) -> Design:
    """Flip the factors cumulatively, in the given order, and compare each arm with the baseline.

    >>> [sorted(arm) for arm in path(frozenset("abc"), "cab").arms]
    [['a', 'b', 'c'], ['a', 'b'], ['b'], []]
    """
    steps = [baseline ^ set(factors[: count + 1]) for count in range(len(factors))]
    names = [factors[0], *[None] * (len(factors) - 1)]
    contrasts = [PlannedContrast(arm, baseline, "path", name) for arm, name in zip(steps, names, strict=True)]
    return _design("path", baseline, factors, contrasts)


def factorial(baseline: Arm, factors: Sequence[str]) -> Design:
    """Return all combinations: 2^k arms, without aliasing.

    >>> len(factorial(frozenset("abc"), "abc").arms)
    8
    """
    return _two_level("factorial", baseline, factors, itertools.product((True, False), repeat=len(factors)))


def fractional(baseline: Arm, factors: Sequence[str], resolution: int = CUSTOMARY, runs: int | None = None) -> Design:
    """Return the smallest regular fraction with at least this resolution, or the best fraction with `runs` arms.

    At resolution IV, main effects are not aliased with two-factor interactions. At V, these are not aliased with each
    other either. With three factors or fewer, resolution IV is the full factorial.

    >>> [len(fractional(frozenset("abcdefg"), "abcdefg", resolution).arms) for resolution in (4, 5)]
    [16, 64]
    """
    generators = find_generators(len(factors), resolution, runs)
    if not generators:
        return factorial(baseline, factors)
    letters = LETTERS[: len(factors)]
    basic = len(factors) - len(generators)
    rows = []
    for levels in itertools.product((True, False), repeat=basic):
        sign = dict(zip(letters, levels, strict=False))
        generated = [sum(not sign[letter] for letter in word) % 2 == 0 for word in generators]  # a product of signs
        rows.append((*levels, *generated))
    return _two_level("fractional", baseline, factors, rows, generators)


def plackett_burman(baseline: Arm, factors: Sequence[str], *, folded: bool = False) -> Design:
    """Return a screening design (Plackett and Burman, 1946): 12, 20 or 24 arms, doubled if folded, and the baseline.

    >>> len(plackett_burman(frozenset("abcdefg"), "abcdefg").arms)
    13
    """
    runs = next((runs for runs in _CYCLES if runs > len(factors)), None)
    if runs is None:
        raise UsageError(f"plackett-burman takes at most {max(_CYCLES) - 1} factors, not {len(factors)}")
    cycle = [sign == "+" for sign in _CYCLES[runs]]
    rows = [cycle[-shift:] + cycle[:-shift] for shift in range(runs - 1)] + [[False] * (runs - 1)]
    if folded:
        rows += [[not level for level in row] for row in rows]
    if len({tuple(row[: len(factors)]) for row in rows}) < len(rows):  # executed once, they would unbalance the design
        raise UsageError(f"plackett-burman repeats runs with {len(factors)} factors: use factorial or fractional")
    return _two_level("plackett-burman", baseline, factors, rows)


_CYCLES = {12: "++-+++---+-", 20: "++--++++-+-+----++-", 24: "+++++-+-++--++--+-+----"}

DESIGNS: Mapping[str, Callable[[Arm, Sequence[str]], Design]] = {
    "leave-one-out": leave_one_out,
    "add-one-in": add_one_in,
    "both-ways": both_ways,
    "pairs": pairs,
    "factorial": factorial,
    "fractional": fractional,
    "plackett-burman": plackett_burman,
    "path": path,
}


def _flips(corner: Arm, factors: Sequence[str], family: str) -> list[PlannedContrast]:
    return [PlannedContrast(corner ^ {factor}, corner, family, factor) for factor in factors]


def _design(
    name: str, baseline: Arm, factors: Sequence[str], contrasts: Sequence[PlannedContrast], more: Iterable[Arm] = ()
) -> Design:
    compared = [arm for contrast in contrasts for arm in (contrast.reference, contrast.arm)]
    arms = dict.fromkeys([baseline, *compared, *more])  # in order, without duplicates
    return Design(name, tuple(factors), tuple(arms), tuple(contrasts))


def _two_level(
    name: str, baseline: Arm, factors: Sequence[str], rows: Iterable[Sequence[bool]], generators: tuple[str, ...] = ()
) -> Design:
    arms = [
        baseline ^ {factor for factor, is_unchanged in zip(factors, row, strict=False) if not is_unchanged}
        for row in rows
    ]
    return Design(name, tuple(factors), tuple(dict.fromkeys([baseline, *arms])), generators=generators)
