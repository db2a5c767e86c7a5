"""Two-level designs: coding, resolution, and aliases found by brute force.

A design is a table with one row per variant and one boolean column per factor, true if the factor is on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ablate.errors import UserError
from ablate.stats.effects.inference import Floats

if TYPE_CHECKING:
    import pandas as pd

Term = tuple[str, ...]

TOLERANCE = 1e-9


def coded_matrix(design: pd.DataFrame) -> Floats:
    """Return the design coded as -1 (off) and +1 (on), runs x factors."""
    return np.where(design.to_numpy(dtype=bool), 1.0, -1.0)


def orthogonal_part(design: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which the main effects are balanced and orthogonal.

    These are all rows, or all except one added arm, such as the baseline of a screening design, or except an added full
    and bare recipe. Raises UserError if there are none, as in a leave-one-out design.
    """
    ends = [design.all(axis=1), ~design.any(axis=1)]
    for excluded in ([], [_added_row(design)], [ends[0]], [ends[1]], ends):
        part = design
        for end in excluded:
            part = part[~end.loc[part.index]]
        matrix = np.column_stack([np.ones(len(part)), coded_matrix(part)])
        if len(part) and np.allclose(matrix.T @ matrix, len(part) * np.eye(matrix.shape[1]), atol=TOLERANCE):
            return part
    raise UserError(
        "These runs are not a balanced two-level design: factorial effects need a full or fractional factorial design"
    )


def _added_row(design: pd.DataFrame) -> pd.Series:
    """Return which row was added to a balanced design: the sums of its coded columns are those of that row."""
    import pandas as pd

    matrix = coded_matrix(design)
    found = (matrix == matrix.sum(axis=0)).all(axis=1)
    return pd.Series(found & (np.cumsum(found) == 1), index=design.index)


def resolution(design: pd.DataFrame) -> int | None:
    """Return the length of the shortest defining word: the fewest factors whose product correlates with the constant.

    None for a full factorial. Partial aliasing counts, so Plackett-Burman designs have resolution III.
    """
    matrix = coded_matrix(design)
    factors = matrix.shape[1]
    if len({tuple(row) for row in matrix.tolist()}) == 2**factors == len(matrix):
        return None
    for length in range(1, factors + 1):
        for chosen in itertools.combinations(range(factors), length):
            if abs(matrix[:, chosen].prod(axis=1).mean()) > TOLERANCE:
                return length
    return None


@dataclass(frozen=True)
class AliasGroup:
    """Terms with equal columns up to sign, which can only be estimated together.

    Attributes:
        terms: The terms; the first has the lowest order and names the group. The empty term is the constant.
        signs: The sign of each term's column relative to the first.
        partial: Other terms that correlate with the first, and their correlations.
    """

    terms: tuple[Term, ...]
    signs: tuple[int, ...]
    partial: tuple[tuple[Term, float], ...] = ()

    @property
    def order(self) -> int:
        """The number of factors in the first term."""
        return len(self.terms[0])

    @property
    def label(self) -> str:
        """The first term as text."""
        return term_label(self.terms[0])

    @property
    def aliases(self) -> tuple[str, ...]:
        """The other terms as text, with a minus sign if their column is negated."""
        pairs = zip(self.terms[1:], self.signs[1:], strict=True)
        return tuple(("" if sign > 0 else "-") + term_label(term) for term, sign in pairs)


def term_label(term: Term) -> str:
    """Return a term as text: "augment", "augment x dropout"; "mean" for the empty term."""
    return " x ".join(term) or "mean"


def term_columns(design: pd.DataFrame, terms: Sequence[Term]) -> Floats:
    """Return the -1/+1 columns of some terms, terms x runs."""
    coded, places = coded_matrix(design), {str(name): place for place, name in enumerate(design.columns)}
    columns = [coded[:, [places[name] for name in term]].prod(axis=1) for term in terms]
    return np.array(columns, dtype=np.float64).reshape(len(terms), len(design))


def terms_up_to(factors: Sequence[str], order: int) -> Iterator[Term]:
    """Yield all terms of 0 to `order` factors, the constant first."""
    for length in range(order + 1):
        yield from itertools.combinations(factors, length)


def alias_groups(design: pd.DataFrame, order: int = 2) -> list[AliasGroup]:
    """Return the alias groups of all terms up to `order`, that of the constant first.

    The groups are found from the columns, so the design may be irregular.
    """
    terms = list(terms_up_to([str(name) for name in design.columns], order))
    columns = dict(zip(terms, term_columns(design, terms), strict=True))
    groups: dict[tuple[float, ...], list[Term]] = {}
    for term in terms:
        signed = columns[term] * columns[term][0]  # equal for a column and its negative
        groups.setdefault(tuple(signed.tolist()), []).append(term)
    leaders = [members[0] for members in groups.values()]
    correlations = _correlations(np.stack([columns[leader] for leader in leaders]))
    found = []
    for index, members in enumerate(groups.values()):
        first = columns[members[0]]
        signs = tuple(1 if columns[term][0] == first[0] else -1 for term in members)
        others = ((leader, float(correlations[index, i])) for i, leader in enumerate(leaders) if i != index)
        partial = tuple((leader, value) for leader, value in others if abs(value) > TOLERANCE)
        found.append(AliasGroup(tuple(members), signs, partial))
    return found


def _correlations(columns: Floats) -> Floats:
    return np.asarray(columns @ columns.T / columns.shape[1], dtype=np.float64)


def estimable_groups(design: pd.DataFrame, order: int = 2) -> list[AliasGroup]:
    """Return the main effects, then the interactions that are orthogonal to all other terms up to `order`."""
    groups = [group for group in alias_groups(design, order) if group.order]
    return [group for group in groups if group.order == 1 or not group.partial]


def widest_order(design: pd.DataFrame, max_terms: int = 1024) -> int:
    """Return the highest order with at most `max_terms` terms, which spans all columns of a typical design."""
    factors, order, terms = design.shape[1], 0, 1
    while order < factors and terms + math.comb(factors, order + 1) <= max_terms:
        order += 1
        terms += math.comb(factors, order)
    return order
