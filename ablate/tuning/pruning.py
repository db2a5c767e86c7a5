"""Which trials may be stopped early, and how: only where stopping is sound."""

from __future__ import annotations

import math
from typing import Any

from ablate.errors import UsageError

PRUNERS = ("median", "hyperband", "wilcoxon", "none")
OVER_EPOCHS = ("median", "hyperband")
STARTUP_TRIALS = 5
FEWEST_SEEDS = 5
"""Below this number of seeds Wilcoxon's test can hardly reject anything before the last one."""


def choose_pruner(asked: str | None, seeds: int, objectives: int, *, epochs: int | None, is_fixed: bool) -> str:
    """Return the pruner that is sound for trials of so many seeds and objectives, or raise UsageError for another.

    Over epochs, trials of one seed are compared at equal epochs, so their number must be the same (`is_fixed`). With 2
    to 4 seeds nothing is pruned: a trial stopped after its first seed would be judged by that seed's luck.
    """
    if asked not in (None, *PRUNERS):
        raise UsageError(f"there is no pruner {asked!r} (known: {', '.join(PRUNERS)})")
    by_epoch = objectives == 1 and seeds == 1 and epochs is not None and is_fixed
    by_seed = objectives == 1 and seeds >= FEWEST_SEEDS
    if asked in OVER_EPOCHS and not by_epoch:
        raise UsageError(f"--pruner {asked} compares trials of one seed, one objective and equal epochs")
    if asked == "wilcoxon" and not by_seed:
        raise UsageError(f"--pruner wilcoxon compares seeds: it needs {FEWEST_SEEDS} or more, and one objective")
    return asked or ("median" if by_epoch else "wilcoxon" if by_seed else "none")


def make_pruner(name: str, epochs: int | None) -> Any:
    """Return Optuna's pruner of that name. The median judges no first half: with one cycle, its rates are high."""
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


def pruning_words(pruner: str, seeds: int, objectives: int) -> str:
    """What may be stopped early, in words."""
    words = {
        "median": "trials of one seed, from the middle epoch on, when their best validation score so far is worse than "
        "the median of the earlier trials at that epoch (Optuna's MedianPruner)",
        "hyperband": "trials of one seed, from a quarter of the epochs on, by successive halving (Optuna's "
        "HyperbandPruner)",
        "wilcoxon": "trials whose seeds so far are worse than the best trial's on the same seeds (Wilcoxon's "
        "signed-rank test at p < .1, repeated after each seed; Optuna's WilcoxonPruner)",
    }
    if pruner in words:
        return words[pruner]
    if objectives > 1:
        return "nothing: with several objectives no trial can be called hopeless early"
    if 1 < seeds < FEWEST_SEEDS:
        return f"nothing: {seeds} seeds are too few to tell a bad trial from bad luck"
    return "nothing"
