"""Mean and standard deviation for the normalisation of pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ablate.data.types import Pixels

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100_NAMES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm"""
CIFAR100 = tuple(CIFAR100_NAMES.split())
Moments = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, one value per channel
PUBLISHED: dict[tuple[str, ...], tuple[str, Moments]] = {
    CIFAR10: ("cifar10", ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))),
    CIFAR100: ("cifar100", ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))),
}
"""Names and moments of well-known data sets, by their classes. The moments of other data sets are measured.

The usual standard deviations of CIFAR-10, which the baseline uses, are close to the mean over images of each image's
standard deviation; over all pixels they are 0.247, 0.243, 0.262.
"""


def measure(chunks: Iterable[Pixels]) -> Moments:
    """Return the moments of all pixels in uint8 `chunks` (n x C x H x W), scaled to [0, 1], rounded to four digits.

    They are computed exactly, from histograms of the 256 values. A constant channel has the standard deviation 1.
    """
    counts = np.zeros((0, 256), dtype=np.int64)
    for chunk in chunks:
        found = np.stack([np.bincount(channel.ravel(), minlength=256) for channel in chunk.swapaxes(0, 1)])
        counts = found if not len(counts) else counts + found
    values = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    std = np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1))
    return tuple(round(float(value), 4) for value in mean), tuple(round(float(value), 4) or 1.0 for value in std)
