"""Images in, memory-mapped arrays out: named data sets, image folders and archives, decoded once.

`open_dataset(Source(...))` is the way in. `nouns` says what comes out; `catalogue`, `folders`, `archives` and `batches`
read the kinds of source; `decoding` turns a file into pixels; `cache` and `arrays` keep the result; `splits` says which
images train and which validate. Importing this package imports numpy and nothing heavier.
"""

from ablate.data.cache import cache_folder
from ablate.data.datasets import describe, fetch, open_dataset
from ablate.data.decoding import read_image
from ablate.data.named_datasets import DATASETS
from ablate.data.splits import split_indices
from ablate.data.types import Dataset, Progress, Source, Split

__all__ = [
    "DATASETS",
    "Dataset",
    "Progress",
    "Source",
    "Split",
    "cache_folder",
    "describe",
    "fetch",
    "open_dataset",
    "read_image",
    "split_indices",
]
