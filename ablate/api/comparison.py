"""Compare the variants of runs that exist: the effects, without a report on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from ablate.api.arguments import ChosenColumns, ComparisonOptions, Name
from ablate.api.messages import logged_messages
from ablate.api.options import report_source
from ablate.api.results import ComparisonResult


def compare(
    runs: Any = None,
    *,
    metric: Name | Sequence[Name] | None = None,
    variant: Name | Sequence[Name] | None = None,
    seed: Name = "seed",
    baseline: Name = "baseline",
    margin: float | Mapping[str, float] | None = None,
    **options: Unpack[ComparisonOptions],
) -> ComparisonResult:
    """Compare each variant of existing runs with the baseline, over the seeds that both have.

    The runs are read and checked as `ablate report` does, with the same messages. In a message, the options
    `--variant-param` and `--seed-param` are the arguments `variant` and `seed`; other options are arguments of the same
    name.

    Args:
        runs: A data frame of pandas or polars (one row per run), a list of mappings, or paths of files; None with
            another source (`folder=`, `tensorboard=`, `experiment=`, `optuna=`, `wandb=`).
        metric: Column to compare. Of several the first decides; the others are secondary.
        variant: Column that contains the variant, or several ones that name it together. By default `variant`, or the
            columns that differ between runs.
        seed: Column that contains the seed.
        baseline: Variant to compare the others with.
        margin: Smallest difference that matters, in percentage points or the metric's unit; several metrics: by name.
        options: Other sources, and how they are read.

    Returns:
        The effects, in `effects`, and their presentation.

    Raises:
        UsageError: Arguments are missing or wrong.
        UserError: The runs cannot be read or compared.

    Example:
        >>> import ablate
        >>> scores = {"full": [90.1, 89.8, 90.4, 90.0, 90.2], "no-augment": [88.0, 87.9, 88.6, 88.1, 88.2]}
        >>> runs = [
        ...     {"method": name, "seed": seed, "accuracy": score}
        ...     for name, values in scores.items()
        ...     for seed, score in enumerate(values)
        ... ]
        >>> result = ablate.compare(runs, metric="accuracy", variant="method", baseline="full", margin=0.5)
        >>> result.effects[["variant", "delta", "verdict"]].round(2).to_dict("records")
        [{'variant': 'no-augment', 'delta': -1.94, 'verdict': 'clear and important loss'}]
    """
    with logged_messages():
        columns: ChosenColumns = {
            "metric": metric, "variant": variant, "seed": seed, "baseline": baseline, "margin": margin,
        }  # fmt: skip
        return ComparisonResult(report_source(runs, columns, options).analyse())
