"""Main effects as comparisons: the average of all variants without a component against that of all with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ablate.stats.effects import Comparison
from ablate.stats.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

    from ablate.stats.attribution import FactorialAnalysis

FAMILY = "main effects"
AVERAGED = "averaged over the other components"
"""What every sentence, table and plot of main effects says."""


def off(factor: object) -> str:
    """Return the name of the average of all variants without a factor."""
    return f"no-{str(factor).replace('_', '-')} (averaged)"


def on(factor: object) -> str:
    """Return the name of the average of all variants with a factor."""
    return f"with {str(factor).replace('_', '-')} (averaged)"


def main_effect_rows(factors: Iterable[object], n_planned: int) -> list[Comparison]:
    """Return one comparison per factor, without it against with it, in a separate family."""
    return [Comparison(off(name), on(name), str(name), "removed", FAMILY, n_planned) for name in factors]


def averaged_runs(
    design: pd.DataFrame, factorial: FactorialAnalysis, scores: pd.DataFrame, metric: Metric
) -> pd.DataFrame:
    """Return a run table of the averages over the balanced design, by seed, for each factor off and on.

    Off minus on is then, seed by seed, minus the factorial contrast e_s = (2/N) X'y_s. Only complete seeds are used;
    values are in the unit of the run table.
    """
    import pandas as pd

    from ablate.stats.attribution import orthogonal_part

    part = orthogonal_part(design)
    table = scores.reindex(part.index)[list(factorial.seeds)] / metric.scale
    rows = [
        {"variant": name(factor), "seed": seed, "status": "finished", metric.name: value}
        for factor in part.columns
        for name, chosen in ((off, ~part[factor]), (on, part[factor]))
        for seed, value in table[chosen].mean(axis=0).items()
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "status", metric.name])
