"""The images of a data set on a device, split into training, validation and test images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ablate.data import Dataset
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9.data import split_members


@dataclass(frozen=True)
class Images:
    """A subset of a data set on its device.

    Pixels (uint8, N x C x H x W) and labels (N) of the whole set, `members`: the indices of the subset.
    """

    pixels: Tensor
    labels: Tensor
    members: Tensor
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.members)

    def scaled(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images at `positions`, as floats in [0, 1], and their labels."""
        chosen = self.members[positions]
        return self.pixels.index_select(0, chosen).to(torch.float32).div_(255), self.labels[chosen]

    def normalised(self, images: Tensor) -> Tensor:
        """Return images in [0, 1] with the mean subtracted and divided by the standard deviation, channels last."""
        return (images - self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Parts:
    """The images to train on, to validate on after every epoch, and to test on once."""

    train: Images
    validation: Images
    test: Images


def load_parts(dataset: Dataset, recipe: Recipe, device: str) -> Parts:
    """Return the parts of a data set on `device`. On the CPU, pixels stay in the memory-mapped file."""
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (dataset.mean, dataset.std))
    pixels, labels, test_pixels, test_labels = (
        torch.from_numpy(array).to(device)
        for split in (dataset.train, dataset.test)
        for array in (split.images, split.labels)
    )
    train, validation = (torch.from_numpy(index).to(device) for index in split_members(dataset, recipe))
    test = Images(test_pixels, test_labels, torch.arange(len(test_labels), device=device), mean, std)
    return Parts(
        Images(pixels, labels, train, mean, std),
        test if recipe.settings["validate_on"] == "test" else Images(pixels, labels, validation, mean, std),
        test,
    )
