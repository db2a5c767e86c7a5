"""Conversions between searches and Optuna: sampler, distributions, trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate.tuning.space import Space
from ablate.tuning.types import SearchSpec, State, Trial

if TYPE_CHECKING:
    import optuna


def sampler_of(spec: SearchSpec, earlier: int) -> optuna.samplers.TPESampler:
    """Return the sampler of one trial, seeded by the search's seed and the number of earlier trials."""
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([spec.sampler_seed, earlier]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=seed)


def distributions_of(space: Space) -> dict[str, Any]:
    """Return the search space as Optuna distributions."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for dimension in space.dimensions:
        if dimension.words:
            made[dimension.name] = CategoricalDistribution(dimension.words)
        elif dimension.is_integer:
            made[dimension.name] = IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        else:
            made[dimension.name] = FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return made


def trial_of(trial: optuna.trial.FrozenTrial, lost: str | None) -> Trial:
    """Return an Optuna trial as a Trial; `lost` is the reason if its process died."""
    attrs = trial.user_attrs
    fixed = trial.system_attrs.get("fixed_params", {})
    return Trial(
        number=trial.number,
        state="lost" if lost else _STATES[trial.state.name],
        params=dict(trial.params or fixed),
        values=tuple(trial.values) if trial.values and trial.state.name == "COMPLETE" else (),
        runs={int(seed): run for seed, run in attrs.get("runs", {}).items()},
        scores={int(seed): score for seed, score in attrs.get("scores", {}).items()},
        seconds=attrs.get("seconds", 0.0),
        epochs=attrs.get("epochs", 0),
        saved=attrs.get("saved", 0),
        reused=attrs.get("reused", 0),
        is_baseline=bool(attrs.get("baseline")),
        error=lost or attrs.get("error", ""),
    )


_STATES: Mapping[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "RUNNING": "running",
    "WAITING": "waiting",
    "FAIL": "failed",
}
