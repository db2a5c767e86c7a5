"""Options of `ablate report` that choose how runs of other programs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ablate.cli.options import panels
from ablate.cli.options.run_source import RunSourceFlags, external_option


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
            text="Score to compare the mean of each variant with, in the unit of the runs.",
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
    all_pairs: Annotated[
        bool,
        external_option(
            "--all-pairs",
            text="Also compare levels, and other variants, with each other.",
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
