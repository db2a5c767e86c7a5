"""A study of somebody's own pipeline says what an independent loop over the same pipeline finds."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from ablate.cores import usable_cores
from ablate.runs.executors import ProcessExecutor
from ablate.runs.run_table import run_table
from ablate.stats.effects import estimate_effects
from ablate.workloads.custom.study_file import load_study
from tests.samples import pipeline_study
from tests.samples.custom import runs_of


class Plain(dict[str, bool]):
    """What an own loop would hand to a training: what is on, and a seed."""

    def __init__(self, off: str, seed: int) -> None:
        super().__init__({name: name != off for name in pipeline_study.FACTORS})
        self.seed = seed


@pytest.mark.parametrize("seeds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_eight_factors_have_the_effects_that_an_own_loop_finds(tmp_path: Path, seeds: int) -> None:
    study = load_study(Path(pipeline_study.__file__)).change(seeds=seeds)
    runs = runs_of(study, tmp_path, ProcessExecutor(usable_cores()))
    assert len(runs) == 9 * seeds
    metric = study.workload.metric
    table = run_table(runs, metric)
    effects = estimate_effects(table, study.comparisons(), metric, study.margin)
    assert len(effects) == 8
    scores = {
        (off, seed): pipeline_study.train(Plain(off, seed), None)
        for off in ("", *pipeline_study.FACTORS)
        for seed in range(seeds)
    }
    for effect in effects:
        own = statistics.mean(scores[effect.factor, seed] - scores["", seed] for seed in range(seeds))
        assert effect.delta == pytest.approx(100 * own, abs=1e-9)
        assert effect.n == seeds
    assert len({round(effect.delta, 6) for effect in effects}) > 5
