"""Two-level designs as tables of factor columns: coding, resolution, and aliases found by brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablate.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Term = tuple[str, ...]

TOLERANCE = 1e-9


def design_table(runs: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """The design of a run table: a row a variant, a true/false column a factor.

    Raises UserError for a missing column, an entry that is neither true nor false, a variant whose rows disagree, and
    two variants with the same factors on.
    """
    missing = [name for name in factors if name not in runs.columns]
    if missing:
        raise UserError(f"the run table has no column for the factor {', '.join(missing)}")
    rows = runs[["variant", *factors]].drop_duplicates()
    for name in factors:
        odd = [value for value in rows[name].tolist() if value not in (True, False)]
        if odd:
            raise UserError(f"the factor column {name} holds {odd[0]!r}: only true and false can be read")
    doubled = rows[rows.duplicated("variant")]["variant"].tolist()
    if doubled:
        raise UserError(f"the rows of {doubled[0]} disagree on which factors are on")
    table = rows.set_index("variant").astype(bool)
    same = table[table.duplicated(keep=False)].index.tolist()
    if same:
        raise UserError(f"{' and '.join(map(str, same[:2]))} have the same factors on: leave one out or rename it")
    return table


def coded(design: pd.DataFrame) -> Floats:
    """The design as -1 (off) and +1 (on), runs x factors."""
    return np.where(design.to_numpy(dtype=bool), 1.0, -1.0)


def orthogonal_part(design: pd.DataFrame) -> pd.DataFrame:
    """The rows on which main effects are balanced and orthogonal: all, or all but an added baseline or bare arm.

    Raises UserError where there are none, as in leave-one-out.
    """
    ends = [design.all(axis=1), ~design.any(axis=1)]
    for left_out in ([], [ends[0]], [ends[1]], ends):
        part = design
        for end in left_out:
            part = part[~end.loc[part.index]]
        matrix = np.column_stack([np.ones(len(part)), coded(part)])
        if len(part) and np.allclose(matrix.T @ matrix, len(part) * np.eye(matrix.shape[1]), atol=TOLERANCE):
            return part
    raise UserError(
        "these runs are no balanced two-level design: factorial effects need a factorial or a fraction of one"
    )


def resolution(design: pd.DataFrame) -> int | None:
    """The length of the shortest word: the fewest factors whose product is correlated with the constant.

    None for a full factorial. Partial aliasing (Plackett-Burman) counts, so such designs have resolution III.
    """
    matrix = coded(design)
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
    """Terms whose columns coincide up to sign: they can only be estimated together.

    `terms[0]`, of the lowest order, names the group; `signs` are relative to it. `partial` lists other terms that are
    correlated with it, with their correlation. The empty term is the constant.
    """

    terms: tuple[Term, ...]
    signs: tuple[int, ...]
    partial: tuple[tuple[Term, float], ...] = ()

    @property
    def order(self) -> int:
        """Factors in the leading term."""
        return len(self.terms[0])

    @property
    def label(self) -> str:
        """The leading term in words."""
        return term_label(self.terms[0])

    @property
    def aliases(self) -> tuple[str, ...]:
        """The other terms in words, with a minus where the sign is turned."""
        pairs = zip(self.terms[1:], self.signs[1:], strict=True)
        return tuple(("" if sign > 0 else "-") + term_label(term) for term, sign in pairs)


def term_label(term: Term) -> str:
    """A term in words: "augment", "augment x dropout"; the empty one is "mean"."""
    return " x ".join(term) or "mean"


def column(design: pd.DataFrame, term: Term) -> Floats:
    """The -1/+1 column of a term."""
    return np.asarray(coded(design[list(term)]).prod(axis=1), dtype=np.float64)


def terms_up_to(factors: Sequence[str], order: int) -> Iterator[Term]:
    """All terms of 0 to `order` factors, the constant first."""
    for length in range(order + 1):
        yield from itertools.combinations(factors, length)


def alias_groups(design: pd.DataFrame, order: int = 2) -> list[AliasGroup]:
    """Every term up to `order` in its group, the constant's group first; read off the columns, so for any design."""
    terms = list(terms_up_to([str(name) for name in design.columns], order))
    columns = {term: column(design, term) for term in terms}
    groups: dict[tuple[float, ...], list[Term]] = {}
    for term in terms:
        signed = columns[term] * columns[term][0]  # the same for a column and its mirror image
        groups.setdefault(tuple(signed.tolist()), []).append(term)
    leaders = [members[0] for members in groups.values()]
    correlations = _correlations(np.stack([columns[leader] for leader in leaders]))
    found = []
    for place, members in enumerate(groups.values()):
        first = columns[members[0]]
        signs = tuple(1 if columns[term][0] == first[0] else -1 for term in members)
        others = ((leader, float(correlations[place, i])) for i, leader in enumerate(leaders) if i != place)
        partial = tuple((leader, value) for leader, value in others if abs(value) > TOLERANCE)
        found.append(AliasGroup(tuple(members), signs, partial))
    return found


def _correlations(columns: Floats) -> Floats:
    return np.asarray(columns @ columns.T / columns.shape[1], dtype=np.float64)


def estimable_groups(design: pd.DataFrame, order: int = 2) -> list[AliasGroup]:
    """Main effects, then the interaction columns that are orthogonal to all else up to `order`."""
    groups = [group for group in alias_groups(design, order) if group.order]
    return [group for group in groups if group.order == 1 or not group.partial]


def widest_order(design: pd.DataFrame, most_terms: int = 1024) -> int:
    """The highest order whose terms number at most `most_terms`: enough to span every column of a usual design."""
    factors, order, terms = design.shape[1], 0, 1
    while order < factors and terms + math.comb(factors, order + 1) <= most_terms:
        order += 1
        terms += math.comb(factors, order)
    return order
