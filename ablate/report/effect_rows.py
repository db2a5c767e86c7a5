"""Effects as rows of effects.csv and as JSON, those of secondary metrics included."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis
from ablate.stats.effects import MAX_EFFECT_SIZE, MIN_SEEDS, Effect, effects_table

if TYPE_CHECKING:
    import pandas as pd


def effects_file(analysis: Analysis) -> pd.DataFrame:
    """Return the table of effects.csv.

    With several data sets it also has the column `dataset`. With several metrics it also has the columns `metric` and
    `role`, "primary" or "secondary", and the rows of all.
    """
    import pandas as pd

    table = _table_of(analysis)
    if not analysis.secondary:
        return table
    every = [(analysis, table, "primary"), *((other, _table_of(other), "secondary") for other in analysis.secondary)]
    return pd.concat(
        [rows.assign(metric=one.study.metric.name, role=role) for one, rows, role in every], ignore_index=True
    )


def _table_of(analysis: Analysis) -> pd.DataFrame:
    import pandas as pd

    rows = [*analysis.effects, *analysis.retuned]
    further = pd.DataFrame([_further_columns(effect) for effect in rows])
    table = effects_table(rows)
    table = table.join(further) if further.shape[1] else table
    if not analysis.study.datasets:
        return table
    on = pd.DataFrame([_on_dataset(effect, analysis) for effect in rows], columns=[*_NAMES, "dataset"])
    return table.assign(**{name: on[name] for name in on.columns})


_NAMES = ("factor", "variant", "reference")


def _on_dataset(effect: Effect, analysis: Analysis) -> dict[str, str]:
    """Return the names of a comparison without its data set, and the data set; nothing if there is only one."""
    arms = analysis.study.datasets
    if not arms:
        return {}
    arm = arms[effect.variant]
    return {"factor": arm.variant, "variant": arm.variant, "reference": analysis.study.baseline, "dataset": arm.dataset}


def comparison_names(effects: Iterable[Effect]) -> list[str]:
    """Return a name of each comparison: its variant, with the reference where the variant has several."""
    compared = list(effects)
    references = Counter(effect.variant for effect in compared)
    return [
        f"{effect.variant} against {effect.reference}" if references[effect.variant] > 1 else effect.variant
        for effect in compared
    ]


def effects_facts(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the effects as plain data."""
    return [effect_facts(effect) | _on_dataset(effect, analysis) for effect in analysis.effects]


def secondary_facts(analysis: Analysis) -> dict[str, Any]:
    """Return the results for a secondary metric as plain data."""
    study = analysis.study
    return {
        "metric": study.metric.name,
        "goal": study.metric.goal,
        "margin": study.margin,
        "statement": study.statement,
        "accounting": asdict(account_for(analysis)),
        "effects": effects_facts(analysis),
    }


def effect_facts(effect: Effect) -> dict[str, Any]:
    """Return the columns of an effect, and why it has no minimum detectable effect, which JSON writes as null."""
    return {**effect.row(), "mde_reason": _mde_reason(effect), **_further_columns(effect)}


def _further_columns(effect: Effect) -> dict[str, Any]:
    """Return the columns of effects.csv that only some reports have.

    Of factors with several levels, those that are compared. If seeds were added after a report, the intervals that
    allow for them; of unpaired runs and folds, the numbers of runs and the degrees of freedom.
    """
    evidence, found = effect.evidence, dict[str, Any]()
    if evidence.factor_level:
        found |= {"factor_level": evidence.factor_level, "reference_level": evidence.reference_level}
    if evidence.extended:
        names = (f"added_seeds_{end}" for end in ("low", "high", "fw_low", "fw_high"))
        found.update(zip(names, (*effect.interval, *effect.verdict_interval), strict=True))
    if evidence.paired.is_unpaired:
        found |= {"n_variant": len(evidence.paired.seeds), "n_reference": evidence.paired.n_reference}
    if evidence.replicates != "seeds":
        found |= {"se": evidence.sd_difference / math.sqrt(effect.n) if effect.n > 1 else math.nan,
                  "df": evidence.freedom if effect.n > 1 else math.nan}  # fmt: skip
    return found


def _mde_reason(effect: Effect) -> str | None:
    """Return why the minimum detectable effect is not a number."""
    if math.isfinite(effect.mde):
        return None
    if effect.n < MIN_SEEDS:
        return f"fewer than {MIN_SEEDS} seeds"
    if math.isinf(effect.mde):
        return f"only differences above {MAX_EFFECT_SIZE:g} SD are detectable"
    return "no finite scores" if not effect.evidence.paired.is_scored else "the difference does not vary"
