"""Designs whose components have levels: sum-to-zero coding, estimable terms, and aliases found by brute force."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablate.errors import UserError
from ablate.stats.effects.inference import Floats
from ablate.stats.levels.groups import Level, level_text
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

Term = tuple[str, ...]

TOLERANCE = 1e-8
"""Largest correlation that counts as none."""


@dataclass(frozen=True)
class LevelDesign:
    """The variants of a design and the level of each of its components.

    Attributes:
        variants: Names of the variants.
        levels: The levels of each component, that of the baseline first.
        codes: The place of each variant's level in `levels`, variants x components.
    """

    variants: tuple[str, ...]
    levels: Mapping[str, tuple[Level, ...]]
    codes: NDArray[np.int64]

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the components."""
        return tuple(self.levels)

    @property
    def pairs(self) -> list[Term]:
        """All pairs of components."""
        return list(itertools.combinations(self.factors, 2))

    def freedom(self, term: Term) -> int:
        """Return the degrees of freedom of a term."""
        return math.prod(len(self.levels[name]) - 1 for name in term)

    @cached_property
    def is_complete(self) -> bool:
        """Whether the design has all combinations of levels once."""
        different = len(np.unique(self.codes, axis=0))
        return different == len(self.codes) == math.prod(map(len, self.levels.values()))

    def contrasts(self, factor: str) -> Floats:
        """Return the contrasts of a component, levels x degrees of freedom."""
        return contrasts(len(self.levels[factor]))

    def effect_row(self, factor: str, place: int, reference: int = 0) -> Floats:
        """Return the coefficients' weights in the difference of a level from another, by default the baseline's."""
        own = self.contrasts(factor)
        return np.asarray(own[place] - own[reference], dtype=np.float64)

    def synergy_row(self, pair: Term, one: int, other: int) -> Floats:
        """Return the coefficients' weights in the synergy of two levels, relative to those of the baseline."""
        first, second = (self.effect_row(name, place) for name, place in zip(pair, (one, other), strict=True))
        return np.asarray(np.kron(first, second), dtype=np.float64)

    def level_pairs(self, pair: Term) -> list[tuple[int, int]]:
        """Return the places of each two levels of a pair that are not the baseline's."""
        one, other = (range(1, len(self.levels[name])) for name in pair)
        return list(itertools.product(one, other))

    def text(self, factor: str, place: int) -> str:
        """Return a level as text: "optimizer=adam", "no-augment", "with-mixup"."""
        return level_text(factor, self.levels[factor][place])

    def places(self, terms: Sequence[Term]) -> dict[Term, slice]:
        """Return where the columns of each term are in the matrix of a model, after the constant."""
        ends = np.cumsum([1, *map(self.freedom, terms)]).tolist()
        return {term: slice(start, end) for term, start, end in zip(terms, ends[:-1], ends[1:], strict=True)}

    def columns(self, term: Term) -> Floats:
        """Return the columns of a term, variants x degrees of freedom: products of its components' contrasts."""
        found = np.ones((len(self.codes), 1))
        for name in term:
            own = self.contrasts(name)[self.codes[:, self.factors.index(name)]]
            found = (found[:, :, None] * own[:, None, :]).reshape(len(found), -1)
        return found

    def matrix(self, terms: Iterable[Term]) -> Floats:
        """Return the constant and the columns of some terms."""
        return np.column_stack([np.ones(len(self.codes)), *(self.columns(term) for term in terms)])


def read_design(levels: pd.DataFrame, baseline: str = "") -> LevelDesign:
    """Return the design of a table with one row per variant and the level of each component in a column.

    The first level of a component is that of the baseline, or of the first row; the others are in order of appearance.
    Components with one level only are left out.
    """
    table = {str(name): levels[name].tolist() for name in levels.columns}
    variants = tuple(map(str, levels.index))
    first = variants.index(baseline) if baseline in variants else 0
    ordered = {name: tuple(dict.fromkeys([column[first], *column])) for name, column in table.items() if column}
    ordered = {name: own for name, own in ordered.items() if len(own) > 1}
    codes = [[own.index(level) for level in table[name]] for name, own in ordered.items()]
    return LevelDesign(variants, ordered, np.array(codes, dtype=np.int64).reshape(len(ordered), len(variants)).T)


@functools.cache
def contrasts(count: int) -> Floats:
    """Return orthogonal sum-to-zero contrasts of `count` levels (Helmert's), levels x (count - 1), of mean square 1."""
    matrix = np.zeros((count, count - 1))
    for place in range(1, count):
        matrix[:place, place - 1], matrix[place, place - 1] = -1.0, place
        matrix[:, place - 1] *= math.sqrt(count / (place * (place + 1)))
    return matrix


def term_text(term: Term) -> str:
    """Return a term as text, "optimizer x lr"."""
    return " x ".join(term)


@dataclass(frozen=True)
class Model:
    """The terms that a design can estimate.

    Attributes:
        terms: The components, then the pairs that all other pairs leave estimable.
        excluded: The other pairs.
        aliases: For each term, components included, the excluded pairs that imitate it: share of its variance.
        nested: Pairs without an interaction, because one component varies at one level of the other only.
    """

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...]
    aliases: Mapping[Term, Mapping[Term, float]]
    nested: tuple[Term, ...] = ()

    @property
    def is_screening(self) -> bool:
        """Whether a pair can imitate the effect of a component, as at resolution III."""
        return any(self.aliases.get(term) for term in self.terms if len(term) == 1)

    def alias_texts(self) -> list[tuple[str, str]]:
        """Return each term with its aliases, the largest first, and their shares if they are partial.

        For example "lr", "optimizer x p (50 %)".
        """
        found = []
        for term, shares in self.aliases.items():
            largest = sorted(shares, key=lambda other: -shares[other])
            texts = [
                term_text(other) + ("" if shares[other] > 1 - TOLERANCE else f" ({100 * shares[other]:.0f} %)")
                for other in largest
            ]
            found.append((term_text(term), listed(texts)))
        return found


def model_of(design: LevelDesign) -> Model:
    """Return the terms that a design can estimate. Raises UserError if it cannot separate the components."""
    mains, pairs = [(name,) for name in design.factors], design.pairs
    if design.is_complete:
        return Model((*mains, *pairs), (), {})
    if np.linalg.matrix_rank(design.matrix(mains)) < 1 + sum(map(design.freedom, mains)):
        raise UserError("These runs do not separate the components: main effects need a factorial or fractional design")
    nested = tuple(pair for pair in pairs if _is_nested(design, pair))
    pairs = [pair for pair in pairs if pair not in nested]
    everything = np.linalg.matrix_rank(design.matrix([*mains, *pairs]))
    clear = [
        pair
        for pair in pairs
        if everything - np.linalg.matrix_rank(design.matrix([*mains, *(other for other in pairs if other != pair)]))
        == design.freedom(pair)
    ]
    terms, excluded = (*mains, *clear), tuple(pair for pair in pairs if pair not in clear)
    return Model(terms, excluded, _aliases(design, terms, excluded), nested)


def _is_nested(design: LevelDesign, pair: Term) -> bool:
    """Return whether the combinations of a pair's levels leave no interaction, whatever the other components."""
    own = [(name,) for name in pair]
    return bool(np.linalg.matrix_rank(design.matrix([*own, pair])) == np.linalg.matrix_rank(design.matrix(own)))


def _aliases(design: LevelDesign, terms: Sequence[Term], excluded: Sequence[Term]) -> dict[Term, dict[Term, float]]:
    """Return the excluded pairs that bias each term, and of each excluded pair the others that it correlates with.

    The estimates of a model without the pair Z contain (X'X)^-1 X'Z of its effects: the share is the mean square of
    these weights, which is 1 if the pair is indistinguishable from the term.
    """
    inverse, places = np.linalg.pinv(design.matrix(terms)), design.places(terms)
    found: dict[Term, dict[Term, float]] = {}
    for pair in excluded:
        weights = inverse @ design.columns(pair)
        for term in terms:
            share = float(np.square(weights[places[term]]).sum()) / design.freedom(term)
            if share > TOLERANCE:
                found.setdefault(term, {})[pair] = min(1.0, share)
    for pair, other in itertools.permutations(excluded, 2):
        share = shared_variance(design.columns(pair), design.columns(other))
        if share > TOLERANCE:
            found.setdefault(pair, {})[other] = share
    return found


def shared_variance(columns: Floats, others: Floats) -> float:
    """Return the mean squared canonical correlation of two sets of columns: 1 if the others span the columns."""
    one, other = (_basis(values) for values in (columns, others))
    return float(np.square(one.T @ other).sum() / one.shape[1]) if one.shape[1] else 0.0


def _basis(values: Floats) -> Floats:
    """Return an orthonormal basis of the columns, without their mean."""
    left, sizes, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, sizes > TOLERANCE * max(1.0, float(sizes.max(initial=0.0)))], dtype=np.float64)
