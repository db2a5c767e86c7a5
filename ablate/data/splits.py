"""Which training images train and which validate: stratified, nested, exact."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from ablate.data.types import Labels
from ablate.errors import UsageError, UserError

Indices = npt.NDArray[np.int64]


def split_indices(
    labels: Labels, generator: np.random.Generator, val_size: float, train_size: int | None
) -> tuple[Indices, Indices]:
    """Return the indices of the images to train on and of those to validate on, each ascending.

    round(val_size * N) images are held out; `train_size` images of the rest train, or all of them if it is None. Each
    part is stratified: the count of each class is within 1 of its exact share. For the same state of `generator` and
    the same `val_size`, the images of a smaller `train_size` are among those of a larger one.

    Raises:
        UsageError: if `val_size` is not in [0, 1) or `train_size` is below 1.
        UserError: if nothing is left to train on, or `train_size` is more than is left.
    """
    if not 0 <= val_size < 1:
        raise UsageError(
            f"val_size is {val_size:g}; it is the fraction of training images to hold out, from 0 to below 1"
        )
    if train_size is not None and train_size < 1:
        raise UsageError(f"train_size is {train_size}; it is a number of images, 1 or more")
    held_out = round(val_size * len(labels))
    most = len(labels) - held_out
    if most < 1:
        raise UserError(f"val_size {val_size:g} of {len(labels)} training images leaves none to train on; lower it")
    if train_size is not None and train_size > most:
        raise UserError(
            f"train_size is {train_size}, but only {most} of {len(labels)} training images are left "
            f"after holding out {held_out} for validation; ask for at most {most}"
        )
    queue = generator.permutation(len(labels))
    validation = stratified_prefix(queue, labels[queue], held_out)
    queue = queue[~np.isin(queue, validation)]
    training = stratified_prefix(queue, labels[queue], most if train_size is None else train_size)
    return np.sort(training), np.sort(validation)


def stratified_prefix(items: Indices, labels: Labels, count: int) -> Indices:
    """Return the first `count` of `items` in an order of which *every* prefix is stratified within 1.

    Drawing by largest remainders would not do: a class can lose an image when the total grows (the Alabama paradox),
    so that subsets were not nested. Here the j-th item of a class with n of all N may take the places from
    floor((j - 1) N / n) to before ceil(j N / n); the earliest deadline goes first. No deadline is ever missed
    (Tijdeman, "The chairman assignment problem", 1980; Baruah et al., "Proportionate progress", 1996).
    """
    if count == len(items):
        return items
    members = {label: items[labels == label] for label in np.unique(labels)}
    total = len(items)
    waiting = [(0, label, 0) for label in members]  # (first place allowed, class, which of its items)
    ready: list[tuple[int, int, int]] = []  # (deadline, class, which of its items)
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
