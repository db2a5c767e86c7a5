"""Pruners, and when pruning is statistically sound."""

from __future__ import annotations

import math
from typing import Any

from ablate.errors import UsageError
from ablate.wording import unknown

PRUNERS = ("median", "hyperband", "wilcoxon", "none")
OVER_EPOCHS = ("median", "hyperband")
STARTUP_TRIALS = 5
FEWEST_SEEDS = 5
"""With fewer seeds, the Wilcoxon test has almost no power before the last seed."""


def choose_pruner(asked: str | None, seeds: int, objectives: int, *, epochs: int | None, is_fixed: bool) -> str:
    """Return the requested pruner, or the default one for this number of seeds and objectives.

    Median and Hyperband compare trials of one seed at equal epochs, so the number of epochs must be the same for all
    trials (`is_fixed`). With 2 to 4 seeds there is no pruning, since the first seed alone would decide.

    Raises:
        UsageError: If the requested pruner is unknown or not sound here.
    """
    if asked is not None and asked not in PRUNERS:
        raise UsageError(unknown("pruner", asked, PRUNERS))
    by_epoch = objectives == 1 and seeds == 1 and epochs is not None and is_fixed
    by_seed = objectives == 1 and seeds >= FEWEST_SEEDS
    if asked in OVER_EPOCHS and not by_epoch:
        raise UsageError(f"--pruner {asked} requires one seed, one objective and a fixed number of epochs")
    if asked == "wilcoxon" and not by_seed:
        raise UsageError(f"--pruner wilcoxon requires at least {FEWEST_SEEDS} seeds and one objective")
    return asked or ("median" if by_epoch else "wilcoxon" if by_seed else "none")


def make_pruner(name: str, epochs: int | None) -> Any:
    """Return the Optuna pruner. The median pruner skips the first half, where a one-cycle learning rate is high."""
    import warnings

    import optuna

    half = math.ceil((epochs or 1) / 2)
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=half)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, (epochs or 1) // 4), max_resource=max(2, epochs or 2))
    if name == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.pruners.WilcoxonPruner(p_threshold=0.1)
    return optuna.pruners.NopPruner()


def describe_pruning(pruner: str, seeds: int, objectives: int) -> str:
    """Return which trials are pruned, for display."""
    words = {
        "median": "trials of one seed, from the middle epoch on, if their best validation score so far is worse than "
        "the median of the earlier trials at that epoch (Optuna's MedianPruner)",
        "hyperband": "trials of one seed, from a quarter of the epochs on, by successive halving (Optuna's "
        "HyperbandPruner)",
        "wilcoxon": "trials whose scores so far are worse than those of the best trial on the same seeds (Wilcoxon "
        "signed-rank test at p < .1 after each seed; Optuna's WilcoxonPruner)",
    }
    if pruner in words:
        return words[pruner]
    if objectives > 1:
        return "none: with several objectives there is no single score to compare"
    if 1 < seeds < FEWEST_SEEDS:
        return f"none: {seeds} seeds are too few to distinguish a bad trial from chance"
    return "none"
