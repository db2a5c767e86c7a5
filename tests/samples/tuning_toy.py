"""A workload without torch in which a learning rate matters, and another one is best without sugar.

The validation score is 0.9 less the squared distance (in decades) of `lr` from the arm's best rate, times `curvature`;
the test score is the same with noise by seed. Sugar and its lack are equally good at their own best rates, so a
drop-in comparison at sugar's rate is unfair to the arm without it.
"""

from __future__ import annotations

import math
import os
import signal
import time
from typing import Annotated

from ablate.seeding import numpy_stream
from ablate.stats.metric import Metric
from ablate.studies.job import Data, Job, Log, Outcome
from ablate.studies.registry import RegistryBuilder
from ablate.studies.settings import Range, Setting
from ablate.studies.workload import Preset, Workload

_register = RegistryBuilder()
BEST_RATE = {True: 1e-2, False: 1e-3}


@_register.factor()
def sugar(plan: dict[str, float], *, spoons: Annotated[float, Range(0, 10, tune=(1, 5))] = 2.0) -> dict[str, float]:
    """Sweeten it."""
    return {**plan, "sugar": spoons}


@_register.factor()
def salt(plan: dict[str, float], *, grains: Annotated[int, Range(1, 1000, log=True)] = 10) -> dict[str, float]:
    """Season it."""
    return {**plan, "salt": grains}


@_register.candidate()
def pepper(plan: dict[str, float], *, amount: Annotated[float, Range(0, 1)] = 0.5) -> dict[str, float]:
    """Sharpen it."""
    return {**plan, "pepper": amount}


def open_data(source: object, recipe: object, progress: object = None) -> Data:
    return Data("kitchen", "feedbeef0000", 0.1)


def quality(job: Job) -> float:
    """How good a recipe is, without noise."""
    recipe = job.recipe
    distance = math.log10(float(recipe.settings["lr"])) - math.log10(BEST_RATE["sugar" in recipe.factors])
    bland = 0.05 * ("salt" not in recipe.factors)
    return max(0.0, 0.9 - 0.1 * distance**2 - bland)


def train(job: Job, log: Log) -> Outcome:
    settings = job.recipe.settings
    noise = numpy_stream(job.recipe.seed, "noise").normal(0, 0.002)
    for step in range(len(log.history), settings["epochs"] + 1):
        time.sleep(settings["pause"])
        score = quality(job) * (0.5 + 0.5 * step / settings["epochs"])
        if settings["lr"] > settings["breaks_above"]:
            score = math.nan
        log(step, **{"val/taste": score + noise})
        log.progress(step, settings["epochs"])
        if settings["dies"] and step >= 1:
            os.kill(os.getpid(), signal.SIGKILL)
    own = numpy_stream(job.recipe.seed, f"own {job.recipe.label}").normal(0, 0.002)
    return Outcome({"test/taste": quality(job) + noise + own, "model/params": float(settings["width"])})


WORKLOAD = Workload(
    name="tests.samples.tuning_toy:WORKLOAD",
    factors=_register.registry(),
    settings=(
        Setting("epochs", int, 4, Range(1, 1000), "steps"),
        Setting("lr", float, 0.01, Range(1e-7, 100, log=True, tune=(1e-4, 1e-1)), "learning rate", tunable=True),
        Setting("width", int, 8, Range(1, 64), "size"),
        Setting("pause", float, 0.0, Range(0, 10), "seconds a step"),
        Setting("breaks_above", float, 100.0, Range(0, 100), "the rate above which a training diverges"),
        Setting("dies", int, 0, Range(0, 1), "whether its process dies"),
    ),
    presets=(Preset("default", "the only scale", {}),),
    metric=Metric("test_taste", tracked="test/taste"),
    train_function="tests.samples.tuning_toy:train",
    data_function="tests.samples.tuning_toy:open_data",
    validation=Metric("val_taste", tracked="val/taste"),
)
