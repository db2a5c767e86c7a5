"""A study of a custom pipeline estimates the effects that a plain loop over the same pipeline gives."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from ablate.cores import limit_threads, usable_cores
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor
from ablate.runs.run_table import run_table
from ablate.stats.effects import estimate_effects
from ablate.workloads.custom.study_file import load_study
from tests.samples import pipeline_study
from tests.samples.custom import runs_of


class PlainRecipe(dict[str, bool]):
    """The factors that are on and a seed, as a plain loop would pass them to a training."""

    def __init__(self, off: str, seed: int) -> None:
        super().__init__({name: name != off for name in pipeline_study.FACTORS})
        self.seed = seed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "executor"), [(1, SerialExecutor()), (10, ProcessExecutor(usable_cores()))], ids=["1 seed", "10 seeds"]
)
def test_effects_of_eight_factors_equal_those_of_a_plain_loop(tmp_path: Path, seeds: int, executor: Executor) -> None:
    study = load_study(Path(pipeline_study.__file__)).change(seeds=seeds)
    runs = runs_of(study, tmp_path, executor)
    assert len(runs) == 9 * seeds
    metric = study.workload.metric
    table = run_table(runs, metric)
    effects = estimate_effects(table, study.comparisons(), metric, study.margin)
    assert len(effects) == 8
    with limit_threads(1):
        scores = {
            (off, seed): pipeline_study.train(PlainRecipe(off, seed), None)
            for off in ("", *pipeline_study.FACTORS)
            for seed in range(seeds)
        }
    for effect in effects:
        expected = statistics.mean(scores[effect.factor, seed] - scores["", seed] for seed in range(seeds))
        assert effect.delta == pytest.approx(100 * expected, abs=1e-9)
        assert effect.n == seeds
    assert len({round(effect.delta, 6) for effect in effects}) > 5
