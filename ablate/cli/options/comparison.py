"""Options of `ablate report` that choose how runs of other programs are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from ablate.cli.options import panels
from ablate.cli.options.run_source import RunSourceFlags, external_option
from ablate.errors import UsageError


@dataclass(frozen=True)
class ComparisonFlags(RunSourceFlags):
    """How the runs are compared, where they are not pairs by seed."""

    dataset_param: Annotated[
        str | None,
        external_option(
            text="Column or param that contains the data set: effects on each, and over all of them.",
            metavar="NAME",
            panel=panels.COMPARISON,
        ),
    ] = None
    target: Annotated[
        float | None,
        external_option(
            text="Score, in the unit of the runs, that the mean of each variant is to be better than.",
            metavar="FLOAT",
            panel=panels.COMPARISON,
        ),
    ] = None
    unpaired: Annotated[
        bool,
        external_option(
            "--unpaired",
            text="Compare all runs of two variants by Welch's t-test, without pairs by seed.",
            panel=panels.COMPARISON,
        ),
    ] = False
    folds: Annotated[
        str | None,
        external_option(
            text="The seeds are folds of one data set, with this number of test rows per training row (1/9 for ten "
            "folds): the corrected resampled t-test.",
            metavar="RATIO",
            panel=panels.COMPARISON,
        ),
    ] = None

    def check_combination(self) -> None:
        """Raise UsageError for options that exclude each other."""
        if self.unpaired and self.folds:
            raise UsageError("--unpaired and --folds exclude each other: folds pair the runs of two variants")
        if self.target is not None and self.folds:
            raise UsageError("--target and --folds exclude each other: folds are not independent runs")
        if self.target is not None and self.dataset_param:
            raise UsageError("--target and --dataset-param exclude each other: select a data set with --where")
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"--target must be a number, not {self.target}")

    @property
    def fold_ratio(self) -> float:
        """The number of test rows per training row of a fold; 0 without folds. Raises UsageError for other text."""
        if self.folds is None:
            return 0.0
        above, _, below = self.folds.partition("/")
        try:
            ratio = float(above) / float(below or 1)
        except (ValueError, ZeroDivisionError):
            ratio = math.nan
        if not (math.isfinite(ratio) and ratio > 0):
            raise UsageError(
                f"--folds must be the number of test rows per training row, such as 1/9 for ten folds, not "
                f"{self.folds!r}"
            )
        return ratio
