"""A workload without torch whose components have levels: planted effects, one interaction, and noise by seed."""

from __future__ import annotations

from typing import Annotated

from ablate.seeding import numpy_stream
from ablate.stats.metric import Metric
from ablate.studies.job import Data, Job, Log, Outcome
from ablate.studies.recipe import Recipe
from ablate.studies.registry import RegistryBuilder
from ablate.studies.settings import OneOf, Range, Setting
from ablate.studies.workload import Preset, Workload

_register = RegistryBuilder()
SPICES = {"salt": 0.0, "pepper": 0.04, "curry": -0.02}
HEAT = 0.10
"""The gain per unit of heat."""
HOT_CURRY = 0.05
"""The gain of heat 2 with curry, in addition to that of both."""
SUGAR = 0.08


@_register.factor()
def sugar(plan: object, *, grams: Annotated[float, Range(0, 100)] = 10.0) -> object:
    """Sweeten it."""
    return plan


def open_data(source: object, recipe: object, progress: object = None) -> Data:
    return Data("kitchen", "feedbeef0001", 0.1)


def taste(recipe: Recipe) -> float:
    """Return the score of a recipe without noise."""
    spice, heat = recipe["spice"], recipe["heat"]
    sweet = SUGAR * recipe["sugar.grams"] / 10 if recipe["sugar"] else 0.0
    together = HOT_CURRY if spice == "curry" and heat == 2 else 0.0
    return float(0.5 + SPICES[spice] + HEAT * (heat - 1) + sweet + together)


def train(job: Job, log: Log) -> Outcome:
    log(1, score=1.0)
    seed = numpy_stream(job.recipe.seed, "noise").normal(0, 0.004)
    own = numpy_stream(job.recipe.seed, f"noise of {job.recipe.only(job.recipe.factors).reseed(0).key}").normal(
        0, 0.002
    )
    return Outcome({"taste": taste(job.recipe) + seed + own})


WORKLOAD = Workload(
    name="tests.samples.levels:WORKLOAD",
    factors=_register.registry(),
    settings=(
        Setting("spice", str, "salt", OneOf(tuple(SPICES)), "spice"),
        Setting("heat", float, 1.0, Range(0, 10, tune=(0.5, 2)), "heat", tunable=True),
        Setting("portions", int, 2, Range(1, 10), "portions", tunable=True, scale_text="{0} portions"),
    ),
    presets=(Preset("default", "the only scale", {}),),
    metric=Metric("taste", tracked="taste"),
    train_function="tests.samples.levels:train",
    data_function="tests.samples.levels:open_data",
    validation=Metric("val_score", tracked="score"),
)
