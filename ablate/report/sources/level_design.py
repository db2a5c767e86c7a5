"""Components with several levels in existing runs: the values of the columns that name the variants."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.report.found_variants import NOT_SET
from ablate.report.sources.columns import find_column, plain
from ablate.report.sources.equal_values import canonical, is_number
from ablate.report.sources.infer_design import AGAINST_BASELINE, InferredDesign
from ablate.stats.effects import Comparison
from ablate.stats.effects.types import ALL_PAIRS
from ablate.stats.levels.groups import Level, value_text

if TYPE_CHECKING:
    import pandas as pd

_LABELS = frozenset(
    ["ablation", "arm", "condition", "config", "configuration", "exp", "exp_name", "experiment", "experiment_name",
     "file", "group", "method", "name", "run", "run_name", "setting", "variant"]
)  # fmt: skip
"""Columns that label variants, whose values are not levels of one component."""


def components_of(table: pd.DataFrame, variant: str | None) -> dict[str, str]:
    """Return the column of the variant with its name, if its values are levels of a component; none for labels."""
    column = find_column(table, variant) if variant else None
    return {} if column is None or plain(column).lower() in _LABELS else {column: plain(column)}


def levels_by_variant(variants: pd.Series, table: pd.DataFrame, components: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per variant and one column per component, with its level: a number or text.

    Args:
        variants: The variant of each run.
        table: The same runs as they were read.
        components: The columns of the components, with their names.
    """
    first = ~variants.duplicated()
    cells = {name: table[column][first].map(_level).astype(object) for column, name in components.items()}
    import pandas as pd

    return pd.DataFrame(cells, index=variants.index[first]).set_axis(variants[first].tolist())


def _level(cell: object) -> Level:
    text = canonical(cell)
    return float(text) if is_number(text) else text or NOT_SET


def with_levels(design: InferredDesign, levels: pd.DataFrame) -> InferredDesign:
    """Return a design whose comparisons state the levels of the component in which two variants differ.

    Nothing changes if the variants have factors that are on or off, or if no component has three levels. All
    combinations of two components or more are a factorial.
    """
    counts = levels.nunique()
    if design.variants.shape[1] or any(row.factor for row in design.comparisons) or not (counts > 2).any():
        return design
    comparisons = [_with_level(row, levels) for row in design.comparisons]
    varied = levels.loc[:, counts > 1]
    is_crossed = varied.shape[1] > 1 and len(varied) == counts[counts > 1].prod() == len(varied.drop_duplicates())
    if not is_crossed:
        return replace(design, comparisons=comparisons, levels=levels)
    words = f"design factorial, all combinations of the levels of {varied.shape[1]} components: averaged over the "
    words += f"others, and {AGAINST_BASELINE}"
    return replace(design, name="factorial", comparisons=comparisons, levels=varied, description=words)


def _with_level(row: Comparison, levels: pd.DataFrame) -> Comparison:
    own, other = levels.loc[row.variant].to_dict(), levels.loc[row.reference].to_dict()
    differing = [name for name in levels.columns if own[name] != other[name]]
    if len(differing) != 1:
        return row
    (name,) = differing
    level, reference = _text(own[name], row.variant), _text(other[name], row.reference)
    return replace(row, factor=name, level=level, reference_level=reference)


def _text(level: Level, variant: str) -> str:
    """Return a level as the runs spell it where it is the name of the variant: `1e-3`."""
    return variant if _level(variant) == level else value_text(level)


def with_all_pairs(design: InferredDesign, baseline: str) -> InferredDesign:
    """Return a design with further comparisons: of the levels of a component, and of other variants, with each other.

    They are a family per component. Raises UsageError if there are none.
    """
    groups: dict[str, list[Comparison]] = {}
    for row in design.comparisons:
        if row.reference == baseline:
            groups.setdefault(row.factor if row.level else "", []).append(row)
    further = [row for name, rows in groups.items() for row in _pairs(rows, f"{name or 'variants'}{ALL_PAIRS}")]
    if not further:
        raise UsageError("--all-pairs needs two variants or levels besides the baseline. Omit it")
    words = f"{design.description}; all pairs, {'a family per component' if len(groups) > 1 else 'as another family'}"
    return replace(design, comparisons=[*design.comparisons, *further], description=words)


def _pairs(rows: Sequence[Comparison], family: str) -> list[Comparison]:
    return [
        replace(
            later, reference=first.variant, family=family, change="changed",
            factor=later.factor if later.level else "", reference_level=first.level,
        )
        for first, later in itertools.combinations(rows, 2)
    ]  # fmt: skip
