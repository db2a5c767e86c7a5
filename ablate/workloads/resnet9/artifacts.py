"""The artifacts of a run: curves, confusion matrix, example images, and which test images were classified correctly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ablate import console
from ablate.data import Dataset
from ablate.studies.job import Log
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9.batches import image_transform
from ablate.workloads.resnet9.images import Images, Parts, load_parts
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import training_plan


def write_artifacts(
    log: Log, training: Training, parts: Parts, dataset: Dataset, predicted: Tensor, title: str
) -> None:
    """Write the artifacts of a completed training. `predicted` holds the predicted classes of the test images.

    A figure that cannot be drawn is left out with a warning: the result of the training does not depend on it.
    """
    labels = parts.test.labels.cpu()
    matrix = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(matrix, (labels.numpy(), predicted.numpy()), 1)
    np.save(log.file("correct.npy"), np.packbits((predicted == labels).numpy()))

    def confusion(path: Path) -> None:
        from ablate import figures

        figures.confusion(matrix, dataset.classes, path, title=f"{title}: test images")

    def curves(path: Path) -> None:
        from ablate import figures

        figures.learning_curves(log.history, path, title=title, lr_steps=log.recorded("lr_step"))

    def batch(path: Path) -> None:
        from ablate import figures

        with figures.drawn_for("phone"):  # reports show this picture on every screen, and cannot draw it again
            draw_batch(training.plan, training.seed, parts.train, path, count=8, columns=4)

    for name, draw in (("confusion.png", confusion), ("curves.png", curves), ("batch.png", batch)):
        try:
            draw(log.file(name))
        except OSError:  # such as a full disk: the run ends, and resumes from its checkpoint
            raise
        except Exception as error:
            console.warning(
                f"{title}: {name} could not be drawn ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
            )


def draw_batch(plan: TrainingPlan, seed: int, train: Images, path: Path, count: int, columns: int = 8) -> None:
    """Draw training images before and after the augmentation of the first step."""
    from ablate import figures

    device = train.pixels.device
    images, _ = train.scaled(torch.arange(min(count, len(train)), device=device))
    changed = image_transform(plan, seed, 0)(images)
    before, after = (
        (batch.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy() for batch in (images, changed)
    )
    figures.before_after(before, after, path, names=("original", "as trained on"), columns=columns)


def draw_data(dataset: Dataset, recipe: Recipe, count: int, path: Path) -> None:
    """Draw training images, before and after the augmentation of `recipe`."""
    plan = training_plan(recipe, len(dataset.classes))
    draw_batch(plan, recipe.seed, load_parts(dataset, recipe, "cpu").train, path, count)
