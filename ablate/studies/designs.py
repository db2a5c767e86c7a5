"""Experimental designs: pure functions of the baseline's factors and the factors in question.

The first arm of every design is the baseline. Factors that are not in question are the same in all arms. A candidate,
off in the baseline, is switched on where a factor of the baseline would be switched off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import UsageError

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


def fractional(baseline: Arm, factors: Sequence[str], resolution: int = 4, runs: int | None = None) -> Design:
    """Return the smallest regular fraction with at least this resolution, or the best fraction with `runs` arms.

    At resolution IV, main effects are not aliased with two-factor interactions. At V, these are not aliased with each
    other either.

    >>> [len(fractional(frozenset("abcdefg"), "abcdefg", resolution).arms) for resolution in (4, 5)]
    [16, 64]
    """
    generators = _generators(len(factors), resolution, runs)
    if not generators:
        return factorial(baseline, factors)
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(factors)]
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
    fixed = baseline - set(factors)
    arms = [fixed | {factor for factor, is_on in zip(factors, row, strict=False) if is_on} for row in rows]
    return Design(name, tuple(factors), tuple(dict.fromkeys([baseline, *arms])), generators=generators)


_KNOWN = {(7, 3): ("abc", "bcd", "acd"), (7, 2): ("abcd", "abde")}
"""Customary generators, by number of factors and of generators, where several are equally good."""


def _generators(count: int, resolution: int, runs: int | None) -> tuple[str, ...]:
    """Return as many generators as the resolution allows; among equals, those with minimum aberration."""
    sizes = range(count - 1, 0, -1)
    if runs is not None:
        if runs not in (2**basic for basic in range(2, count + 1)):
            raise UsageError(f"A fraction of {count} factors has 4, 8, ... or {2**count} runs, not {runs}")
        generated = count - runs.bit_length() + 1
        sizes = range(generated, max(generated - 1, 0), -1)
        resolution = 3
    for many in sizes:
        found = _KNOWN.get((count, many)) or _best_generators(count, many, resolution)
        if found and min(word_lengths(count, found)) >= resolution:
            return found
    return ()


def _best_generators(count: int, many: int, resolution: int) -> tuple[str, ...] | None:
    basic = "abcdefghijklmnopqrstuvwxyz"[: count - many]
    sizes = range(resolution - 1, len(basic) + 1)
    words = ["".join(word) for size in sizes for word in itertools.combinations(basic, size)]
    if math.comb(len(words), many) > 50_000:
        words = words[: max(many, 20)]  # short words reach the resolution, but may not have minimum aberration
    candidates = itertools.combinations(words, many)
    return min(candidates, key=lambda chosen: _aberration(count, chosen), default=None)


def _aberration(count: int, generators: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of defining words of length 1, 2, ..., to minimise in this order (Fries and Hunter, 1980)."""
    lengths = word_lengths(count, generators)
    return tuple(lengths.count(length) for length in range(1, count + 1))


def word_lengths(count: int, generators: Sequence[str]) -> list[int]:
    """Return the lengths of all words of the defining relation: the products of all subsets of the generators."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    basic = count - len(generators)
    defining = [frozenset(word) | {letters[basic + place]} for place, word in enumerate(generators)]
    lengths = []
    for size in range(1, len(defining) + 1):
        for chosen in itertools.combinations(defining, size):
            product: frozenset[str] = frozenset()
            for word in chosen:
                product ^= word
            lengths.append(len(product))
    return lengths
