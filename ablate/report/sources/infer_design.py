"""Infer the comparisons of a table: from the factors that are on in each variant, or from the names of variants."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ablate.report.study_data import empty_table
from ablate.stats.effects import Comparison
from ablate.studies.arms import Arm, factors_in_question
from ablate.studies.designs import DESIGNS

if TYPE_CHECKING:
    import pandas as pd

_NAMED_DESIGNS = ("leave-one-out", "add-one-in", "both-ways", "pairs")
AGAINST_BASELINE = "each variant against the baseline, as one family"
_FAMILY = "against the baseline"
_Arms = Mapping[str, frozenset[str]]
_WORD = re.compile(r"(no|only|with)_(.+)")


@dataclass(frozen=True)
class InferredDesign:
    """The comparisons of a table of runs.

    Attributes:
        name: The name of the design; empty if none fits.
        comparisons: Its comparisons.
        variants: One row per variant and one true/false column per factor.
        description: What is compared, in words.
        levels: One row per variant and one column per component, with its level, if a component has several.
    """

    name: str
    comparisons: Sequence[Comparison]
    variants: pd.DataFrame
    description: str
    levels: pd.DataFrame = field(default_factory=empty_table)


def infer_design(runs: pd.DataFrame, design: pd.DataFrame, baseline: str, *, planned: bool) -> InferredDesign:
    """Return the named design with exactly these variants, or else a comparison of each variant with the baseline.

    `design` has one row per variant and one true/false column per factor; without columns, the factors are read from
    names such as `no-augment`, `only-augment` and `none`. The comparisons are one family. The designs that are
    recognised, with three factors or more, are leave-one-out, add-one-in, both-ways and pairs. All combinations of two
    factors or more are a factorial, also those of three, which both-ways has as well.
    """
    known = dict.fromkeys(runs["variant"])
    variants = list(known)
    if not design.shape[1]:
        design = design_from_names(variants, baseline)
    arms = {name: arm for name, arm in _arms(design).items() if name in known}
    shared = Counter(arms.values())
    if len(shared) < len(arms):  # some variants differ in something else, so they have no factor
        arms = {name: arm for name, arm in arms.items() if name == baseline or shared[arm] == 1}
        design = design.iloc[:, :0]
    seeds = int(runs["seed"].nunique())
    combined = _combined(arms, baseline) if len(arms) == len(variants) else 0
    found = _as_designed(arms, baseline, seeds, planned) if len(arms) == len(variants) and not combined else None
    if found:
        name, comparisons = found
        return InferredDesign(name, comparisons, design.loc[list(arms)], f"design {name}, recognised by its variants")
    comparisons = [_against_baseline(name, baseline, arms, seeds, planned) for name in variants if name != baseline]
    kept = design.loc[[name for name in design.index if name in arms]] if design.shape[1] else design
    description = AGAINST_BASELINE
    if not combined:
        return InferredDesign("", comparisons, kept, description)
    same = " (both-ways has the same variants)" if combined == 3 else ""
    averaged = f"design factorial, all combinations of {combined} factors{same}: averaged over the others, and"
    return InferredDesign("factorial", comparisons, kept, f"{averaged} {description}")


def _combined(arms: _Arms, baseline: str) -> int:
    """Return the number of factors whose combinations the arms are; 0 if they are others."""
    factors = {factor for arm in arms.values() for factor in arm ^ arms[baseline]}
    return len(factors) if len(factors) > 1 and len(arms) == 2 ** len(factors) else 0


def _arms(design: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return the factors that are on, by variant."""
    factors = [str(name) for name in design.columns]
    rows = zip(map(str, design.index), design.to_numpy(dtype=bool).tolist(), strict=True)
    return {name: frozenset(itertools.compress(factors, row)) for name, row in rows} if factors else {}


def _against_baseline(name: str, baseline: str, arms: _Arms, seeds: int, planned: bool) -> Comparison:
    flipped = arms[name] ^ arms[baseline] if name in arms and baseline in arms else frozenset()
    if len(flipped) != 1:
        return Comparison(name, baseline, "", "changed", _FAMILY, seeds, planned)
    (factor,) = flipped
    change = "removed" if factor in arms[baseline] else "added"
    return Comparison(name, baseline, factor, change, _FAMILY, seeds, planned)  # type: ignore[arg-type]  # one of two words


def _as_designed(arms: _Arms, baseline: str, seeds: int, planned: bool) -> tuple[str, list[Comparison]] | None:
    """Return the name and the comparisons of the design that has exactly these variants."""
    factors = sorted({factor for arm in arms.values() for factor in arm ^ arms[baseline]})
    if len(factors) < 3:  # with two, several designs have the same arms
        return None
    names = {arm: name for name, arm in arms.items()}
    for title in _NAMED_DESIGNS:
        design = DESIGNS[title](Arm(arms[baseline]), factors_in_question(factors))
        if {arm.on for arm in design.arms} != set(names):
            continue
        comparisons = [
            Comparison(
                names[row.arm.on],
                names[row.reference.on],
                row.factor or "",
                "removed" if row.factor in row.reference.on else "added",
                row.family,
                seeds,
                planned,
            )
            for row in design.contrasts
        ]
        order = list(arms)
        return title, sorted(comparisons, key=lambda row: order.index(row.variant))
    return None


def design_from_names(variants: Sequence[str], baseline: str) -> pd.DataFrame:
    """Return one row per variant and one true/false column per factor, from names such as `no-augment+no-dropout`.

    There are no columns where no name has this form.
    """
    import pandas as pd

    parts = {
        name: [_WORD.fullmatch(part.replace("-", "_")) for part in name.split("+")]
        for name in variants
        if name != baseline
    }
    named = {name: [found for found in matches if found] for name, matches in parts.items() if all(matches)}
    own = dict.fromkeys(found[2] for matches in named.values() for found in matches if found[1] in ("no", "only"))
    added = dict.fromkeys(found[2] for matches in named.values() for found in matches if found[1] == "with")
    arms: dict[str, set[str]] = {baseline: set(own)}
    for name, matches in named.items():
        words = {found[1] for found in matches}
        factors = {found[2] for found in matches}
        if words == {"only"}:
            arms[name] = factors
        elif "only" not in words:
            off = {found[2] for found in matches if found[1] == "no"}
            arms[name] = (set(own) - off) | (factors - off)
    if "none" in variants and own:
        arms["none"] = set()
    columns = [*own, *(name for name in added if name not in own)]
    rows = {name: [factor in arms[name] for factor in columns] for name in variants if name in arms}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(bool)
