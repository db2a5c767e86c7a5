"""Check the settings of compared runs: those in which runs of one variant differ, and those of whole variants."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.report.sources.columns import plain
from ablate.report.sources.equal_values import canonical, is_number
from ablate.report.sources.known_keys import (
    are_paths,
    is_condition,
    is_result_like,
    is_seed,
    is_setting,
    reason_by_name,
)
from ablate.report.study_data import StudyData
from ablate.stats.effects.seeds import spans
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_MOST_WARNINGS, _MOST_VALUES = 3, 4
_DEVICE_NUMBER = re.compile(r"(?:[a-z]+:)?[0-9., \[\]]*", re.IGNORECASE)


def check_settings(
    table: pd.DataFrame, study: StudyData, others: Collection[str], named_by: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return warnings about runs that differ in a setting, and the names of settings that belong to variants.

    Args:
        table: The runs as they were found.
        study: The study of these runs.
        others: Columns of the table with another role.
        named_by: Columns that name the variants.
    """
    rows = table[table.index.isin(study.row_names)]
    has_kinds = any(str(name).startswith(("params.", "metrics.")) for name in table.columns)
    of_dataset = {name: arm.dataset for name, arm in study.datasets.items()}
    datasets = study.runs["variant"].map(lambda name: of_dataset.get(str(name), ""))
    cautions, within, of_variants = [], [], []
    for name in map(str, table.columns):
        if name in others or (has_kinds and not name.startswith(("params.", "tags."))):
            continue
        column = _Column(name, rows[name].reset_index(drop=True), study.runs)
        if not column.by_variant.gt(1).any():
            if column.values.groupby(datasets).nunique().gt(1).any() and column.is_shared_condition:
                cautions.append(column.differs_between_variants())
            elif column.values.groupby(datasets).nunique().gt(1).any() and column.may_be_setting:
                of_variants.append(plain(name))
        elif (column.may_be_setting or column.is_shared_condition) and column.is_inconsistent:
            within.append(column)
    within.sort(key=lambda column: not column.is_known)
    cautions += [column.differs_within_variants(named_by) for column in within[:_MOST_WARNINGS]]
    if more := within[_MOST_WARNINGS:]:
        cautions.append(f"Runs of one variant also differ in {listed((plain(column.name) for column in more), 5)}.")
    return cautions, of_variants


@dataclass(frozen=True)
class _Column:
    """A column that may be a setting. `cells` and `runs` have the same rows."""

    name: str
    cells: pd.Series
    runs: pd.DataFrame

    @cached_property
    def values(self) -> pd.Series:
        """The cells in one spelling."""
        return self.cells.map({cell: canonical(cell) for cell in self.cells.unique()})

    @cached_property
    def by_variant(self) -> pd.Series:
        """The number of different values of each variant."""
        return self.values.groupby(self.runs["variant"], sort=False).nunique()

    @property
    def may_be_setting(self) -> bool:
        """Whether name and values are not those of a result, a seed, a path, an id and so on."""
        words = list(map(str, self.cells.unique()))
        is_result = not self.name.startswith("params.") and is_result_like(self.name, words)
        return not (reason_by_name(self.name) or is_result or is_seed(self.name) or are_paths(words))

    @property
    def is_shared_condition(self) -> bool:
        """Whether this is a condition of runs, such as the type of the GPU, and not the index or use of a device."""
        is_index = all(_DEVICE_NUMBER.fullmatch(str(cell)) for cell in self.cells.unique())
        return is_condition(self.name) and (not is_index or "version" in self.name.lower())

    @property
    def is_known(self) -> bool:
        """Whether the name is that of a setting or a condition."""
        return is_setting(self.name) or is_condition(self.name) or self.name.startswith("params.")

    @property
    def follows_seed(self) -> bool:
        """Whether runs that share a seed have one value, and runs with other seeds other ones."""
        sizes = self.values.groupby(self.runs["seed"]).transform("size")
        shared = self.values[sizes > 1]
        return bool(shared.nunique() > 1 and (shared.groupby(self.runs["seed"][shared.index]).nunique() == 1).all())

    @property
    def is_inconsistent(self) -> bool:
        """Whether differences within a variant are those of a setting, and do not follow the seed.

        A column of a file with an unknown name may be a result. It counts as a setting if most runs of a variant share
        a word, and half of the variants have one; numbers, true and false if two thirds of all runs share one value,
        and the runs of one variant alone differ.
        """
        if self.follows_seed or is_setting(self.name) or is_condition(self.name):
            return not self.follows_seed
        if 2 * self.values.nunique() > len(self.values):
            return False
        if self.name.startswith("params."):
            return True
        differing = int((self.by_variant > 1).sum())
        if all(is_number(value) or value in ("true", "false") for value in self.values.unique()):
            return differing == 1 and 3 * int(self.values.value_counts().iloc[0]) >= 2 * len(self.values)
        counts = self.values.groupby(self.runs["variant"]).agg(lambda found: found.value_counts(normalize=True).iloc[0])
        return bool(2 * differing <= len(counts) and counts.gt(0.5).all())

    def differs_between_variants(self) -> str:
        """Return the warning about a condition that differs between variants and not within them."""
        found = self.values.groupby(self.runs["variant"], sort=False).first()
        values = [f"{value or 'none'} ({variant})" for variant, value in found.items()]
        return f"Variants differ in {plain(self.name)}: {listed(values, _MOST_VALUES)}. Differences may be due to this."

    def differs_within_variants(self, named_by: Sequence[str]) -> str:
        """Return the warning about a setting in which runs of one variant differ."""
        name, variants = plain(self.name), list(self.by_variant.index[self.by_variant > 1])
        own = self.runs["variant"] == variants[0]
        seeds: dict[str, list[Any]] = {}
        for value, seed in zip(self.values[own], self.runs["seed"][own], strict=True):
            seeds.setdefault(str(value), []).append(seed)
        texts = [f"{value or 'none'} (seed{'s' * (len(some) > 1)} {spans(some)})" for value, some in seeds.items()]
        others = f", those of {listed(variants[1:], 5)} also" if len(variants) > 1 else ""
        usual = max(seeds, key=lambda value: len(seeds[value]))
        return (
            f"Runs of {variants[0]} differ in {name}: {listed(texts, _MOST_VALUES)}{others}. If these are different "
            f"variants, name them with --variant-param {','.join([*map(plain, named_by), name])}, or select one with "
            f"--where {name}={usual}."
        )
