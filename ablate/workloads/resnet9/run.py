"""One run of the built-in workload, from the data to the test score and the artifacts."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.data import ImageSource, open_dataset
from ablate.studies.conditions import IMPLEMENTATIONS, Conditions
from ablate.studies.job import Job, Log, Outcome
from ablate.workloads.resnet9.artifacts import write_artifacts
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.devices import prepare
from ablate.workloads.resnet9.images import Images, load_parts
from ablate.workloads.resnet9.kernels.implementations import described
from ablate.workloads.resnet9.kernels.measure import implementations_for, usable
from ablate.workloads.resnet9.model import ResNet9
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training, evaluate
from ablate.workloads.resnet9.weights import WEIGHTS, save_weights
from ablate.workloads.resnet9.workload import training_plan


def train(job: Job, log: Log) -> Outcome:
    """Train the recipe of `job`, score the test images once, after the last epoch, in fp32, and write the artifacts."""
    recipe = job.recipe
    prepare(job.conditions.threads)
    dataset = open_dataset(job.data.source or ImageSource(), recipe.settings["image_size"])
    parts = load_parts(dataset, recipe, job.conditions.device)
    plan = training_plan(recipe, len(dataset.classes))
    checkpoint = Checkpoint(log.checkpoint)
    state = checkpoint.restore()
    training = start(plan, parts.train, job, state.get("implementations", {}) if state else None)
    if state:
        training.load_state_dict(state)
    training.run(parts.validation, log, checkpoint)
    network = training.scored_model
    started = time.perf_counter()
    scores = evaluate(network, parts.test)
    seconds = time.perf_counter() - started
    if job.keep_weights:
        save_weights(log.file(WEIGHTS), network, dataset, plan.net)
    write_artifacts(log, training, parts, dataset, scores.predicted, recipe.title)
    return Outcome(
        {
            "test/accuracy": scores.accuracy,
            "test/loss": scores.loss,
            "model/params": sum(parameter.numel() for parameter in training.parameters),
            "time/test_s": seconds,
        },
        params={"weights_digest": digest(network)} | _layers(training, job.conditions),
    )


def start(plan: TrainingPlan, train: Images, job: Job, chosen: Mapping[str, str] | None = None) -> Training:
    """Return a new training of `plan` under the seed and conditions of `job`.

    `chosen` are the implementations of its layers with which a resumed training began.
    """
    how = job.conditions
    if _has_choice(how) and chosen is None:
        chosen = implementations_for(plan.net, how.precision)
    return Training(
        plan,
        train,
        job.recipe.seed,
        precision=how.precision,
        compiled=how.compiled,
        fused=usable(chosen) if _has_choice(how) and chosen is not None else how.fused,
        captured=how.device == "cuda",
    )


def _has_choice(how: Conditions) -> bool:
    return how.fused and how.device == "cpu"


def _layers(training: Training, how: Conditions) -> dict[str, str]:
    """Return the implementations of the layers as a param."""
    return {IMPLEMENTATIONS: described(training.implementations)} if _has_choice(how) else {}


def digest(network: ResNet9) -> str:
    """Return a digest of the weights: twelve hexadecimal digits."""
    state = network.state_dict()
    return hashlib.sha256(b"".join(state[name].cpu().numpy().tobytes() for name in sorted(state))).hexdigest()[:12]


def pilot(job: Job, steps: int = 4) -> float:
    """Return the expected duration of the run of `job` in seconds, from a few timed steps."""
    recipe = job.recipe
    prepare(job.conditions.threads)
    dataset = open_dataset(job.data.source or ImageSource(), recipe.settings["image_size"])
    parts = load_parts(dataset, recipe, job.conditions.device)
    plan = training_plan(recipe, len(dataset.classes))
    few = replace(parts.train, members=parts.train.members[: plan.batch_size * steps])
    sample = replace(parts.validation, members=parts.validation.members[: plan.batch_size])
    speed = _SpeedLog()
    start(replace(plan, epochs=2), few, job).run(sample, speed)  # the first epoch warms up, the second is timed
    evaluated = plan.epochs * len(parts.validation) + len(parts.test)
    return (len(parts.train) * plan.epochs + evaluated / 3) / speed.images_per_s  # evaluation is three times as fast


class _SpeedLog:
    """A log that keeps the speed of the last epoch only."""

    images_per_s = math.nan

    def __call__(self, step: int, **metrics: float) -> None:  # noqa: ARG002  # the log's signature
        self.images_per_s = metrics.get("images_per_s", math.nan)

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Ignore the values."""

    def progress(self, done: int, total: int) -> None:
        """Ignore the progress."""
