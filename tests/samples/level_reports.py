"""Reports of studies with levels: runs of a planted function, without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablate.report.sources.recorded_design import design_table, levels_table
from ablate.report.study_data import RunCounts, StudyData
from ablate.stats.effects import Comparison, Protocol
from ablate.studies.study import Study
from tests.samples import levels

SD = 0.3
"""Standard deviation of a run's own noise, in points."""


def study_of(**declared: Any) -> Study:
    """Return a study of the sample workload, of all its factors and values by default."""
    given = {"vary": {"spice": ["salt", "pepper", "curry"], "heat": [0.5, 1, 2]}, "factors": ["sugar"]}
    return Study(**{"workload": levels.WORKLOAD, "seeds": 5, "name": "kitchen", **given, **declared})  # type: ignore[arg-type]  # test shorthand


def runs_of(study: Study, sd: float = SD) -> pd.DataFrame:
    """Return one row per run: the planted score, a shift by seed, and noise."""
    generator = np.random.default_rng(0)
    shifts = {seed: generator.normal(0, sd) for seed in study.seed_list}
    rows = [
        {
            "variant": recipe.label, "seed": recipe.seed, "status": "finished",
            "taste": levels.taste(recipe) + (shifts[recipe.seed] + generator.normal(0, sd)) / 100,
        }
        for recipe in study.recipes()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def data_of(study: Study, runs: pd.DataFrame | None = None, **changes: Any) -> StudyData:
    """Return the input of a report."""
    details: Mapping[str, Any] = study.design_as_dict()
    runs = runs_of(study) if runs is None else runs
    fields: dict[str, Any] = {
        "name": study.name, "question": "", "scale": "kitchen", "runs": runs, "metric": study.workload.metric,
        "margin": study.margin, "comparisons": [Comparison(**row) for row in details["comparisons"]],
        "factors": details["factors"], "design": design_table(details), "levels": levels_table(details),
        "baseline": "baseline", "counts": RunCounts(len(runs), {"finished": len(runs)}, before=0),
        "protocol": Protocol(), "design_name": study.resolved_design.name, "seeds": study.seed_list,
    }  # fmt: skip
    return StudyData(**fields | changes)
