"""Runs on several data sets: every data set has its own variants, reference and Holm family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.columns import require
from ablate.report.sources.infer_design import InferredDesign
from ablate.report.sources.row_checks import named_rows
from ablate.report.study_data import DatasetArm
from ablate.stats.effects import Comparison, Protocol

if TYPE_CHECKING:
    import pandas as pd

FLAG = "--dataset-param"


def on_dataset(variant: str, dataset: str) -> str:
    """Return the name of a variant on a data set: `vit on cifar10`."""
    return f"{variant} on {dataset}"


def label_by_dataset(
    rows: pd.DataFrame, table: pd.DataFrame, name: str, taken: list[str], row_word: str
) -> tuple[pd.DataFrame, dict[str, DatasetArm]]:
    """Return the rows with variants named with their data set, and the variant and data set of each such name.

    Args:
        rows: The runs with known column names.
        table: The same runs as they were read.
        name: The column of the data set in the `table`.
        taken: Columns that have another role.
        row_word: The word for a row in messages.

    Raises:
        UsageError: If the column does not exist or has another role.
        UserError: If a run has no data set, there is only one, or two names are the same.
    """
    column = require(table, name, "data set", FLAG)
    if column in taken:
        raise UsageError(f"The column {name} has another role. Choose the column of the data sets with {FLAG}")
    datasets = table[column].map(lambda cell: " ".join(str(cell).split()))
    empty = rows[(datasets == "").to_numpy()]
    if len(empty):
        raise UserError(f"No data set in {named_rows(empty, row_word)}")
    if datasets.nunique() == 1:
        raise UserError(f"All runs have the data set {datasets.iloc[0]!r}. Omit {FLAG}")
    arms: dict[str, DatasetArm] = {}
    labels = []
    for variant, dataset in zip(rows["variant"].tolist(), datasets.tolist(), strict=True):
        label = on_dataset(variant, dataset)
        known = arms.setdefault(label, DatasetArm(variant, dataset))
        if known != DatasetArm(variant, dataset):
            raise UserError(f"Two combinations of a variant and a data set are called {label!r}. Rename the data sets")
        labels.append(label)
    return rows.assign(variant=labels), arms


def dataset_design(
    usable: pd.DataFrame, arms: Mapping[str, DatasetArm], baseline: str, protocol: Protocol
) -> InferredDesign:
    """Return the comparisons of each variant with the baseline on its data set, one family per data set.

    They are in the order of the runs, first by data set.
    """
    import pandas as pd

    found = dict.fromkeys(usable["variant"].tolist())
    names = dict.fromkeys(arm.dataset for arm in arms.values())
    comparisons = []
    for dataset in names:
        own = usable[usable["variant"].map(lambda label, dataset=dataset: arms[label].dataset == dataset).astype(bool)]
        if protocol.replicates == "runs":
            seeds = int(own["variant"].value_counts().max()) if len(own) else 0
        else:
            seeds = int(own["seed"].nunique())
        comparisons += [
            Comparison(label, on_dataset(baseline, dataset), "", "changed", f"on {dataset}", seeds, protocol.planned)
            for label in found
            if arms[label].dataset == dataset and arms[label].variant != baseline
        ]
    words = f"each variant against the baseline on each of {len(names)} data sets, one family per data set"
    return InferredDesign("", comparisons, pd.DataFrame(index=list(found)), words)
