"""One run of the built-in workload: data, plan, training, the test score, and the pictures of it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ablate.data import DataProgress, Dataset, ImageSource, open_dataset, split_indices
from ablate.seeding import numpy_stream
from ablate.studies.job import Data, Job, Log, Outcome
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9 import workload as resnet9
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.devices import prepare
from ablate.workloads.resnet9.model import ResNet9
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Images, Training, evaluate, image_changer
from ablate.workloads.resnet9.weights import WEIGHTS, save_weights


@dataclass(frozen=True)
class Parts:
    """The three parts of a data set: what trains, what draws the curves, what is scored once."""

    train: Images
    validation: Images
    test: Images


def open_data(source: ImageSource | None, recipe: Recipe, progress: DataProgress | None = None) -> Data:
    """Find and decode the data; the floor is the largest class share of the test images.

    Raises UserError where the recipe asks for more images than there are.
    """
    source = source or ImageSource()
    dataset = open_dataset(source, recipe.settings["image_size"], progress)
    divide_indices(dataset, recipe)
    resnet9.training_plan(recipe, len(dataset.classes))
    floor = np.bincount(dataset.test.labels).max() / len(dataset.test.labels)
    return Data(dataset.name, dataset.fingerprint, float(floor), source, description_of(dataset))


def description_of(dataset: Dataset) -> str:
    """Return what the data is, in words; JPEG files of CIFAR images are not the original pixels, which it says."""
    words = f"{dataset.name}, {len(dataset.train):,} training and {len(dataset.test):,} test images"
    if "JPEG" in dataset.encoding and dataset.name.startswith("cifar"):
        return f"{words}, re-encoded as JPEG: scores are a little lower than on the original pixels"
    return f"{words} ({dataset.encoding})"


def train(job: Job, log: Log) -> Outcome:
    """Train the recipe of `job`, score the test images once, at the end, in fp32, and draw the run."""
    recipe, conditions = job.recipe, job.conditions
    prepare(conditions.threads)
    dataset = open_dataset(job.data.source or ImageSource(), recipe.settings["image_size"])
    parts = divide(dataset, recipe, conditions.device)
    plan = resnet9.training_plan(recipe, len(dataset.classes))
    training = start(plan, parts.train, job)
    checkpoint = Checkpoint(log.checkpoint)
    checkpoint.restore(training)
    training.run(parts.validation, log, checkpoint)
    network = training.scored_model
    started = time.perf_counter()
    scores = evaluate(network, parts.test)
    seconds = time.perf_counter() - started
    if job.keep_weights:
        save_weights(log.file(WEIGHTS), network, dataset, plan.net)
    draw(log, training, parts, dataset, scores.predicted, f"{recipe.label}/s{recipe.seed}")
    parameters = sum(parameter.numel() for parameter in training.parameters)
    return Outcome(
        {
            "test/accuracy": scores.accuracy,
            "test/loss": scores.loss,
            "model/params": parameters,
            "time/test_s": seconds,
        },
        params={"weights_digest": digest(network)},
    )


def start(plan: TrainingPlan, train: Images, job: Job) -> Training:
    """Return the training of a plan under the conditions of `job`."""
    how = job.conditions
    return Training(plan, train, job.recipe.seed, precision=how.precision, compiled=how.compiled, fused=how.fused)


def divide_indices(dataset: Dataset, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Return which training images train and which validate, by the seed's own split."""
    settings = recipe.settings
    return split_indices(
        dataset.train.labels,
        numpy_stream(recipe.seed, "split"),
        val_size=settings["val_size"] if settings["validate_on"] == "val" else 0.0,
        train_size=settings["train_size"],
    )


def divide(dataset: Dataset, recipe: Recipe, device: str) -> Parts:
    """Return the parts on `device`; on the CPU the pixels stay in the memory-mapped file."""
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (dataset.mean, dataset.std))
    pixels, labels = (torch.from_numpy(array).to(device) for array in (dataset.train.images, dataset.train.labels))
    test_pixels, test_labels = (
        torch.from_numpy(array).to(device) for array in (dataset.test.images, dataset.test.labels)
    )
    train, validation = (torch.from_numpy(index).to(device) for index in divide_indices(dataset, recipe))
    test = Images(test_pixels, test_labels, torch.arange(len(test_labels), device=device), mean, std)
    return Parts(
        Images(pixels, labels, train, mean, std),
        test if recipe.settings["validate_on"] == "test" else Images(pixels, labels, validation, mean, std),
        test,
    )


def draw(log: Log, training: Training, parts: Parts, dataset: Dataset, predicted: Tensor, title: str) -> None:
    """Write the artifacts of a run: curves, confusion matrix, a batch before and after, which images were right."""
    from ablate import figures

    labels = parts.test.labels.cpu()
    matrix = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(matrix, (labels.numpy(), predicted.numpy()), 1)
    np.save(log.file("correct.npy"), np.packbits((predicted == labels).numpy()))
    figures.confusion(matrix, dataset.classes, log.file("confusion.png"), title=f"{title}: test images")
    figures.curves(log.history, log.file("curves.png"), title=title, lr_steps=log.recorded("lr_step"))
    draw_batch(training.plan, training.seed, parts.train, log.file("batch.png"))


def draw_batch(plan: TrainingPlan, seed: int, train: Images, path: Path, count: int = 8) -> None:
    """Draw training images as they are and as the first step of training changes them."""
    from ablate import figures

    device = train.pixels.device
    images, _ = train.scaled(torch.arange(min(count, len(train)), device=device))
    changed = image_changer(plan, seed, 0)(images)
    before, after = (
        (batch.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy() for batch in (images, changed)
    )
    figures.before_after(before, after, path, names=("as it is", "as trained on"))


def draw_data(
    source: ImageSource, recipe: Recipe, count: int, path: Path, progress: DataProgress | None = None
) -> None:
    """Draw training images of a source, as they are and as `recipe` changes them."""
    dataset = open_dataset(source, recipe.settings["image_size"], progress)
    plan = resnet9.training_plan(recipe, len(dataset.classes))
    draw_batch(plan, recipe.seed, divide(dataset, recipe, "cpu").train, path, count)


def digest(network: ResNet9) -> str:
    """Return twelve hex digits that name the weights, bit for bit."""
    state = network.state_dict()
    return hashlib.sha256(b"".join(state[name].cpu().numpy().tobytes() for name in sorted(state))).hexdigest()[:12]


def pilot(job: Job, steps: int = 4) -> float:
    """Return how many seconds the run of `job` will take, from a few timed steps and one batch of evaluation."""
    recipe = job.recipe
    prepare(job.conditions.threads)
    dataset = open_dataset(job.data.source or ImageSource(), recipe.settings["image_size"])
    parts = divide(dataset, recipe, job.conditions.device)
    plan = resnet9.training_plan(recipe, len(dataset.classes))
    size = plan.batch_size
    few = replace(parts.train, members=parts.train.members[: size * steps])
    training = start(replace(plan, epochs=2), few, job)
    sample = replace(parts.validation, members=parts.validation.members[:size])
    clock = _Clock()
    training.run(sample, clock)  # the second epoch is timed: the first warms up
    scored = plan.epochs * len(parts.validation) + len(parts.test)
    return len(parts.train) * plan.epochs / clock.images_per_s + scored / (3 * clock.images_per_s)


class _Clock:
    """Keeps the speed of the last epoch and drops the rest."""

    images_per_s = math.nan

    def __call__(self, step: int, **metrics: float) -> None:  # noqa: ARG002  # the log's signature
        self.images_per_s = metrics.get("images_per_s", math.nan)

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Drop the values."""

    def progress(self, done: int, total: int) -> None:
        """Drop the news."""
