"""How much of the spread of scores each setting explains, by two of Optuna's estimators, named."""

from __future__ import annotations

import warnings

from ablate.tuning.search import Search

FEWEST_TRIALS = 4

PED_ANOVA = "PED-ANOVA"
FANOVA = "fANOVA"


def importances(search: Search) -> dict[str, dict[str, float]]:
    """Return the importances for the first objective by estimator.

    PED-ANOVA: Watanabe et al., 2023; fANOVA: Hutter et al., 2014, over trees of a fixed seed. Empty where fewer than
    four trials are complete, or where their scores do not vary.
    """
    import optuna

    complete = [trial for trial in search.trials() if trial.state == "complete"]
    if len(complete) < FEWEST_TRIALS or len({trial.values[0] for trial in complete}) < 2:
        return {}
    estimators = {
        PED_ANOVA: optuna.importance.PedAnovaImportanceEvaluator(),
        FANOVA: optuna.importance.FanovaImportanceEvaluator(seed=search.tuning.sampler_seed),
    }
    found = {}
    for name, estimator in estimators.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on few trials each says so; the report says how many there are
                shares = optuna.importance.get_param_importances(
                    search.study, evaluator=estimator, target=lambda trial: trial.values[0]
                )
        except (ValueError, RuntimeError, ZeroDivisionError):
            continue  # an estimator that these trials do not suffice for
        found[name] = {setting: float(share) for setting, share in shares.items()}
    return found
