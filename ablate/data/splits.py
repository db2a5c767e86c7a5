"""Stratified, nested splits: training and validation images of a seed, and test images of data without a split."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ablate.data.types import Labels, Pixels
from ablate.errors import UsageError, UserError
from ablate.seeding import numpy_stream
from ablate.wording import count

Indices = npt.NDArray[np.int64]

TEST_SHARE = 0.2
TEST_STREAM = "test split"


def held_out_test(labels: Labels) -> tuple[Indices, Indices]:
    """Return the indices of training and of test images for data without a split, each ascending.

    The test images are a stratified share of `TEST_SHARE`, drawn from the stream `TEST_STREAM` of seed 0: they are the
    same for every run.
    """
    return split_indices(labels, numpy_stream(0, TEST_STREAM), TEST_SHARE, None)


def held_out_note(tested: int) -> str:
    """Return the note about `tested` images that were held out as test images."""
    return (
        f"no test images in the source: a stratified {TEST_SHARE:.0%} ({tested:,} images) is held out as test images "
        f"by the random stream {TEST_STREAM!r} of seed 0"
    )


def shared_note(train: Iterable[Pixels], test: Iterable[Pixels]) -> str:
    """Return the note about test images with the pixels of a training image, as decoded; empty if there are none."""
    seen = {blake2b(image.tobytes(), digest_size=16).digest() for chunk in train for image in chunk}
    shared = sum(blake2b(image.tobytes(), digest_size=16).digest() in seen for chunk in test for image in chunk)
    return f"{count(shared, 'test image')} with the same pixels as a training image" if shared else ""


def split_indices(
    labels: Labels, generator: np.random.Generator, val_size: float, train_size: int | None
) -> tuple[Indices, Indices]:
    """Return the indices of the images to train on and of those to validate on, each ascending.

    round(val_size * N) images are held out for validation. Of the rest, `train_size` images are for training, or all
    if it is None. Each part is stratified: the count of each class is within 1 of its exact share. For the same state
    of `generator` and the same `val_size`, the images of a smaller `train_size` are a subset of those of a larger one.

    Raises:
        UsageError: if `val_size` is not in [0, 1) or `train_size` is below 1.
        UserError: if no image is left for training, or fewer than `train_size` are.
    """
    if not 0 <= val_size < 1:
        raise UsageError(f"val_size must be at least 0 and below 1, not {val_size:g}: it is a fraction of the images")
    if train_size is not None and train_size < 1:
        raise UsageError(f"train_size must be at least 1, not {train_size}: it is a number of images")
    held_out = round(val_size * len(labels))
    most = len(labels) - held_out
    if most < 1:
        raise UserError(f"val_size {val_size:g} of {len(labels)} images leaves none for training. Lower it")
    if train_size is not None and train_size > most:
        raise UserError(
            f"train_size is {train_size}, but only {most} of {len(labels)} training images remain "
            f"after {held_out} are held out for validation. Lower it to at most {most}"
        )
    queue = generator.permutation(len(labels))
    validation = stratified_prefix(queue, labels[queue], held_out)
    queue = queue[~np.isin(queue, validation)]
    training = stratified_prefix(queue, labels[queue], most if train_size is None else train_size)
    return np.sort(training), np.sort(validation)


def stratified_prefix(items: Indices, labels: Labels, count: int) -> Indices:
    """Return the first `count` of `items` in an order in which *every* prefix is stratified within 1.

    Allocation by largest remainders does not give nested subsets: a class can lose an image when the total grows (the
    Alabama paradox). Here the j-th item of a class with n of the N items may take the places from
    floor((j - 1) N / n) to before ceil(j N / n), and the item with the earliest deadline is taken first. No deadline is
    missed (Tijdeman, "The chairman assignment problem", 1980; Baruah et al., "Proportionate progress", 1996).
    """
    if count == len(items):
        return items
    members = {label: items[labels == label] for label in np.unique(labels)}
    total = len(items)
    waiting = [(0, label, 0) for label in members]  # (first place allowed, class, index in the class)
    ready: list[tuple[int, int, int]] = []  # (deadline, class, index in the class)
    heapq.heapify(waiting)
    chosen = np.empty(count, dtype=np.int64)
    for place in range(count):
        while waiting and waiting[0][0] <= place:
            _, label, rank = heapq.heappop(waiting)
            heapq.heappush(ready, (-(-(rank + 1) * total // len(members[label])), label, rank))
        _, label, rank = heapq.heappop(ready)
        chosen[place] = members[label][rank]
        if rank + 1 < len(members[label]):
            heapq.heappush(waiting, ((rank + 1) * total // len(members[label]), label, rank + 1))
    return chosen
