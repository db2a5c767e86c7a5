"""Tuning: a search over settings and knobs whose trials are ordinary runs. The only import of optuna."""

from __future__ import annotations

from ablate.tuning.pruning import PRUNERS, choose_pruner
from ablate.tuning.space import Dimension, Space, space_from, space_of
from ablate.tuning.trials import Following, Ticket, TooManyFailures, carry_out, check_baseline, make_trial
from ablate.tuning.types import Objective, Place, Trial, Tuning, best, epochs_of, objectives_of, pareto

__all__ = [
    "PRUNERS",
    "Dimension",
    "Following",
    "Objective",
    "Place",
    "Space",
    "Ticket",
    "TooManyFailures",
    "Trial",
    "Tuning",
    "best",
    "carry_out",
    "check_baseline",
    "choose_pruner",
    "epochs_of",
    "make_trial",
    "objectives_of",
    "pareto",
    "space_from",
    "space_of",
]
