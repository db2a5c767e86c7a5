"""Turn image sources (named data sets, folders, archives) into memory-mapped arrays, decoded once into a cache.

May import the leaf modules only. Start at `open_dataset(ImageSource(...))`. Importing this package loads numpy and
nothing heavier.
"""

from ablate.data.decoding import read_image
from ablate.data.loading import describe, fetch, open_dataset
from ablate.data.named_datasets import DATASETS
from ablate.data.splits import split_indices
from ablate.data.types import DataProgress, Dataset, ImageSource, Split

__all__ = [
    "DATASETS",
    "DataProgress",
    "Dataset",
    "ImageSource",
    "Split",
    "describe",
    "fetch",
    "open_dataset",
    "read_image",
    "split_indices",
]
