"""The data of a recipe: opened, described, and split into training and validation images. Needs no torch."""

from __future__ import annotations

import numpy as np

from ablate.data import DataProgress, Dataset, ImageSource, open_dataset, split_indices
from ablate.seeding import numpy_stream
from ablate.studies.job import Data
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9.workload import training_plan


def open_data(source: ImageSource | None, recipe: Recipe, progress: DataProgress | None = None) -> Data:
    """Find and decode the data. The floor is the share of the most frequent class among the test images.

    Raises UserError if the recipe does not fit the data, for instance if it asks for more images than there are.
    """
    source = source or ImageSource()
    training_plan(recipe, classes=2)  # raises for wrong settings, before the images are decoded
    dataset = open_dataset(source, recipe.settings["image_size"], progress)
    split_members(dataset, recipe)
    floor = np.bincount(dataset.test.labels).max() / len(dataset.test.labels)
    return Data(dataset.name, dataset.fingerprint, float(floor), source, description_of(dataset), dataset.notes)


def description_of(dataset: Dataset) -> str:
    """Return a description of the data for reports, with the notes on how it was read.

    It warns of CIFAR images that are JPEG files, not original pixels.
    """
    words = f"{dataset.name}, {len(dataset.train):,} training and {len(dataset.test):,} test images"
    if "JPEG" in dataset.encoding and dataset.name.startswith("cifar"):
        words = f"{words}, re-encoded as JPEG: scores are a little lower than on the original pixels"
    else:
        words = f"{words} ({dataset.encoding})"
    return "; ".join([words, *dataset.notes])


def split_members(dataset: Dataset, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training and the validation images. The split depends on the seed only.

    Raises UserError if the recipe asks for more images than the data set has.
    """
    settings = recipe.settings
    return split_indices(
        dataset.train.labels,
        numpy_stream(recipe.seed, "split"),
        val_size=settings["val_size"] if settings["validate_on"] == "val" else 0.0,
        train_size=settings["train_size"],
    )
