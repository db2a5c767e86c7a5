"""Comparisons that are declared not to be pairs by seed: unpaired runs, and folds of one data set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.report.sources.infer_design import AGAINST_BASELINE, InferredDesign, infer_design
from ablate.report.sources.level_design import with_levels
from ablate.stats.effects import Protocol
from ablate.stats.effects.types import Replicates

if TYPE_CHECKING:
    import pandas as pd

ABOUT_REPLICATES: dict[Replicates, str] = {
    "seeds": "Runs with the same seed are assumed to be paired: the same data order, initial weights and splits in "
    "every variant. If the seeds do not control these, pairing is still valid but gains little: see rho, and Welch's "
    "test under Diagnostics.",
    "runs": "All runs are compared without pairs, as declared (--unpaired), by Welch's t-test. The runs of each "
    "variant are assumed to be independent.",
    "folds": "The seeds are folds of one data set, as declared (--folds). Their training sets overlap, which the "
    "variance (1/J + n_test/n_train) s^2 of J folds allows for (Nadeau and Bengio, 2003). The results apply to "
    "training sets of this size from this data.",
}
"""What a repetition is assumed to be."""


def read_fold_ratio(folds: str | float | None) -> float:
    """Return the number of test rows per training row of a fold: of 1/9, 0.111; 0 without folds.

    Raises UsageError for other text, and for numbers that are not above 0.
    """
    if folds is None:
        return 0.0
    above, _, below = str(folds).partition("/")
    try:
        ratio = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        ratio = math.nan
    if not (math.isfinite(ratio) and ratio > 0):
        raise UsageError(
            f"--folds must be the number of test rows per training row, such as 1/9 for ten folds, not {folds!r}"
        )
    return ratio


def check_combination(
    *, unpaired: bool, folds: bool, target: float | None, dataset: str | None, all_pairs: bool = False
) -> None:
    """Raise UsageError for declarations that exclude each other, and for a target that is not a number."""
    if unpaired and folds:
        raise UsageError("--unpaired and --folds exclude each other: folds pair the runs of two variants")
    if target is not None and folds:
        raise UsageError("--target and --folds exclude each other: folds are not independent runs")
    if target is not None and dataset:
        raise UsageError("--target and --dataset-param exclude each other: select a data set with --where")
    if all_pairs and dataset:
        raise UsageError("--all-pairs and --dataset-param exclude each other: select a data set with --where")
    if target is not None and not math.isfinite(target):
        raise UsageError(f"--target must be a number, not {target}")


def declared_words(protocol: Protocol) -> str:
    """Return what was declared about the repetitions, to follow how the runs were read; empty for pairs by seed."""
    if protocol.replicates == "runs":
        return "; unpaired, as declared"
    if protocol.replicates == "folds":
        return f"; seeds are folds with {protocol.fold_ratio:.4g} test rows per training row, as declared"
    return ""


def declared_design(
    runs: pd.DataFrame, variants: pd.DataFrame, levels: pd.DataFrame, baseline: str, protocol: Protocol
) -> InferredDesign:
    """Return the design of `infer_design`, without averages over variants if runs are not paired by seed.

    Comparisons of variants that differ in one component state its `levels`. Of unpaired runs, the most runs of a
    variant are the planned number.
    """
    design = with_levels(infer_design(runs, variants, baseline, planned=protocol.planned), levels)
    if protocol.replicates == "seeds":
        return design
    if design.name == "factorial":
        design = replace(design, name="", description=AGAINST_BASELINE)
    if protocol.replicates != "runs":
        return design
    most = int(runs["variant"].value_counts().max())
    return replace(design, comparisons=[replace(row, n_planned=most) for row in design.comparisons])
