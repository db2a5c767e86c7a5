"""Hyperparameter importances: the share of the variance of scores that each setting explains."""

from __future__ import annotations

import warnings

from ablate.tuning.search import Search

FEWEST_TRIALS = 4

PED_ANOVA = "PED-ANOVA"
FANOVA = "fANOVA"


def importances(search: Search) -> dict[str, dict[str, float]]:
    """Return the importances for the first objective, by estimator and setting.

    The estimators are Optuna's PED-ANOVA (Watanabe et al., 2023) and fANOVA (Hutter et al., 2014), the latter with a
    fixed seed. Empty if fewer than FEWEST_TRIALS trials are complete or their scores are equal.
    """
    import optuna

    complete = [trial for trial in search.trials() if trial.state == "complete"]
    if len(complete) < FEWEST_TRIALS or len({trial.values[0] for trial in complete}) < 2:
        return {}
    estimators = {
        PED_ANOVA: optuna.importance.PedAnovaImportanceEvaluator(),
        FANOVA: optuna.importance.FanovaImportanceEvaluator(seed=search.spec.sampler_seed),
    }
    found = {}
    for name, estimator in estimators.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # both warn if there are few trials; the report gives their number
                shares = optuna.importance.get_param_importances(
                    search.study, evaluator=estimator, target=lambda trial: trial.values[0]
                )
        except (ValueError, RuntimeError, ZeroDivisionError):
            continue  # too few trials for this estimator
        found[name] = {setting: float(share) for setting, share in shares.items()}
    return found
