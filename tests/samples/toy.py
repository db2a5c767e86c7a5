"""A workload without images or torch: three factors with known effects, noise by seed, and all kinds of failures."""

from __future__ import annotations

import math
import os
import signal
import time

from ablate.seeding import numpy_stream
from ablate.stats.metric import Metric
from ablate.studies.job import Data, Job, Log, Outcome
from ablate.studies.registry import RegistryBuilder
from ablate.studies.settings import OneOf, Range, Setting
from ablate.studies.workload import Preset, Workload

_register = RegistryBuilder()
GAINS = {"sugar": 0.10, "salt": 0.02, "luck": 0.0}


@_register.factor()
def sugar(plan: dict[str, float]) -> dict[str, float]:
    """Sweeten it."""
    return {**plan, "sugar": GAINS["sugar"]}


@_register.factor()
def salt(plan: dict[str, float]) -> dict[str, float]:
    """Season it."""
    return {**plan, "salt": GAINS["salt"]}


@_register.factor()
def luck(plan: dict[str, float]) -> dict[str, float]:
    """Hope."""
    return {**plan, "luck": GAINS["luck"]}


def open_data(source: object, recipe: object, progress: object = None) -> Data:
    return Data("kitchen", "feedbeef0000", 0.1)


def train(job: Job, log: Log) -> Outcome:
    settings, factors = job.recipe.settings, job.recipe.factors
    marker = log.checkpoint / "half"
    start = int(marker.read_text()) if marker.exists() else 0
    for step in range(start, settings["epochs"] + 1):
        time.sleep(settings["pause"])
        log(step, score=step / settings["epochs"])
        log.series("rate", step + 1, [1.0])
        log.progress(step, settings["epochs"])
        log.checkpoint.mkdir(parents=True, exist_ok=True)
        if step == settings["epochs"] // 2 and "luck" not in factors:
            _misfortune(str(settings["without_luck"]), log, step)
        new = marker.with_suffix(".new")
        new.write_text(str(step + 1))
        new.rename(marker)  # complete or absent, also if the process is killed here
    noise = numpy_stream(job.recipe.seed, "noise").normal(0, 0.005)
    log.file("dish.txt").write_text("done")
    return Outcome({"taste": 0.5 + sum(GAINS[name] for name in factors) + noise})


def _misfortune(kind: str, log: Log, step: int) -> None:
    first_time = not (log.checkpoint / "struck").exists()
    (log.checkpoint / "struck").write_text("")
    if kind == "error":
        raise ValueError("\nburnt\nto ashes")
    if kind == "memory":
        raise MemoryError("no room")
    if kind == "nan":
        log(step + 1, score=math.nan)
    if kind == "kill" or (kind == "kill once" and first_time):
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "interrupt":
        raise KeyboardInterrupt


WORKLOAD = Workload(
    name="tests.samples.toy:WORKLOAD",
    factors=_register.registry(),
    settings=(
        Setting("epochs", int, 2, Range(1, 1000), "steps"),
        Setting("pause", float, 0.0, Range(0, 10), "seconds a step"),
        Setting(
            "without_luck",
            str,
            "nothing",
            OneOf(("nothing", "error", "memory", "nan", "kill", "kill once", "interrupt")),
            "what happens half way without luck",
        ),
    ),
    presets=(Preset("default", "the only scale", {}),),
    metric=Metric("taste", tracked="taste"),
    train_function="tests.samples.toy:train",
    data_function="tests.samples.toy:open_data",
)
