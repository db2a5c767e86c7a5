"""Generators of regular fractional factorial designs, by their resolution and aberration. Pure functions."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from ablate.errors import UsageError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""The names of factors in generators: the basic factors come first."""

CUSTOMARY = 4
"""The resolution of a fraction if none is given."""

_KNOWN = {(7, 3): ("abc", "bcd", "acd"), (7, 2): ("abcd", "abde")}
"""Customary generators, by number of factors and of generators, where several are equally good."""


def find_generators(count: int, resolution: int, runs: int | None) -> tuple[str, ...]:
    """Return as many generators as the resolution allows; among equals, those with minimum aberration.

    With `runs`, the fraction has this size and the highest resolution. There are none for a full factorial, which the
    customary resolution IV needs for three factors or fewer. Raises UsageError for an impossible size or resolution.
    """
    if runs is not None:
        return _generators_of_size(count, runs)
    if resolution > max(count, CUSTOMARY):
        raise UsageError(
            f"A fraction of {count} factors has a resolution of at most {count}, not {resolution}. Choose a lower one, "
            f"or all {2**count} combinations with the design 'factorial'"
        )
    for many in range(count - 1, 0, -1):
        if found := _best_generators(count, many, resolution):
            return found
    return ()


def _generators_of_size(count: int, runs: int) -> tuple[str, ...]:
    """Return the generators of the fraction with `runs` arms that has the highest resolution."""
    if runs not in (2**basic for basic in range(2, count + 1)):
        raise UsageError(f"A fraction of {count} factors has 4, 8, ... or {2**count} runs, not {runs}")
    if runs == 2**count:
        return ()
    basic = runs.bit_length() - 1
    for resolution in range(basic + 1, 2, -1):
        if found := _best_generators(count, count - basic, resolution):
            return found
    raise UsageError(f"{runs} runs are too few for {count} factors: main effects would be aliased with each other")


def _best_generators(count: int, many: int, resolution: int) -> tuple[str, ...] | None:
    known = _KNOWN.get((count, many))
    if known and min(word_lengths(count, known)) >= resolution:
        return known
    basic = LETTERS[: count - many]
    sizes = range(resolution - 1, len(basic) + 1)
    words = ["".join(word) for size in sizes for word in itertools.combinations(basic, size)]
    tried = 50_000
    if math.comb(len(words), many) > tried:
        words = words[: max(many, 20)]  # short words reach the resolution, but may not have minimum aberration
        tried = 5_000
    candidates = itertools.islice(_fractions(words, len(basic), many, resolution), tried)
    return min(candidates, key=lambda chosen: _aberration(count, chosen), default=None)


def _fractions(words: Sequence[str], basic: int, many: int, resolution: int) -> Iterator[tuple[str, ...]]:
    """Yield the combinations of generators whose defining words all have at least `resolution` letters."""
    masks = [_mask(word) for word in words]

    def extend(chosen: tuple[int, ...], products: list[int]) -> Iterator[tuple[str, ...]]:
        if len(chosen) == many:
            yield tuple(words[place] for place in chosen)
            return
        generated = 1 << (basic + len(chosen))
        for place in range(chosen[-1] + 1 if chosen else 0, len(words)):
            added = [product ^ masks[place] ^ generated for product in products]
            if min(map(int.bit_count, added)) >= resolution:
                yield from extend((*chosen, place), products + added)

    return extend((), [0])


def _aberration(count: int, generators: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of defining words of length 1, 2, ..., to minimise in this order (Fries and Hunter, 1980)."""
    lengths = Counter(word_lengths(count, generators))
    return tuple(lengths[length] for length in range(1, count + 1))


def word_lengths(count: int, generators: Sequence[str]) -> list[int]:
    """Return the lengths of all words of the defining relation: the products of all subsets of the generators."""
    basic, products = count - len(generators), [0]
    for place, word in enumerate(generators):
        defining = _mask(word) | 1 << (basic + place)
        products += [product ^ defining for product in products]
    return [product.bit_count() for product in products[1:]]


def _mask(word: str) -> int:
    """Return the set of a word's letters as bits."""
    return sum(1 << LETTERS.index(letter) for letter in word)
