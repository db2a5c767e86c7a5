"""Data sets with a name: those of torchvision, downloaded and verified, and scikit-learn's digits."""

from __future__ import annotations

import gzip
import http.client
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Generator
from pathlib import Path

import numpy as np

from ablate.data.cache import cache_errors, cache_lock
from ablate.data.cifar_batches import batch_files, read_batches
from ablate.data.decoding import array_blocks
from ablate.data.source_files import ArchiveFiles
from ablate.data.types import DataProgress, ImageBlock, ImageStream, Labels, LocatedSource, Pixels, printable
from ablate.errors import UsageError, UserError
from ablate.paths import cache_folder
from ablate.wording import unknown

DATASETS = ("cifar10", "cifar100", "svhn", "fashion-mnist", "digits")
TIMEOUT = 10  # seconds without a response
DIGITS = tuple("0123456789")


def locate_named(name: str) -> LocatedSource:
    """Return the source for a named data set.

    Raises:
        UsageError: if the name is unknown.
    """
    if name not in DATASETS:
        raise UsageError(f"{unknown('data set', name, DATASETS)}. For your own images, pass --data-dir PATH")

    def read(image_size: int, progress: DataProgress | None) -> ImageStream:
        match name:
            case "digits":
                return read_digits(image_size)
            case "svhn":
                return read_svhn(image_size, progress)
            case "fashion-mnist":
                return read_fashion_mnist(image_size, progress)
            case _:
                return read_cifar(name, image_size, progress)

    return LocatedSource(name, name, "scikit-learn" if name == "digits" else "torchvision", read)


def read_digits(image_size: int) -> ImageStream:
    """Return scikit-learn's 1,797 handwritten digits (8 x 8, values 0 to 16), resized to `image_size`.

    The test split is the same fifth for every seed: the 3rd, 8th, 13th, ... image of each class, 359 in total.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int64)
    rank = np.empty_like(labels)
    for digit in range(10):
        rank[labels == digit] = np.arange(np.count_nonzero(labels == digit))
    test = rank % 5 == 2
    splits = {"train": (images[~test], labels[~test]), "test": (images[test], labels[test])}
    return array_stream(splits, DIGITS, image_size)


def array_stream(splits: dict[str, tuple[Pixels, Labels]], classes: tuple[str, ...], image_size: int) -> ImageStream:
    """Return splits that are in memory as a stream."""

    def blocks() -> Generator[ImageBlock, None, None]:
        for split, (images, labels) in splits.items():
            yield from array_blocks(split, 0, images, labels, image_size)

    return ImageStream(classes, {split: len(labels) for split, (_, labels) in splits.items()}, blocks())


def read_cifar(name: str, image_size: int, progress: DataProgress | None) -> ImageStream:
    """Return CIFAR-10 or CIFAR-100, downloaded if necessary."""
    import torchvision.datasets as published

    source = {"cifar10": published.CIFAR10, "cifar100": published.CIFAR100}[name]
    archive = download(name, [source.url], source.filename, source.tgz_md5, progress)
    batches = batch_files(name)
    return read_batches(batches, ArchiveFiles.of(archive), f"{batches.folder}/", image_size)


def read_svhn(image_size: int, progress: DataProgress | None) -> ImageStream:
    """Return the Street View House Numbers, 73,257 to train and 26,032 to test, downloaded if necessary."""
    from torchvision.datasets import SVHN

    splits = {}
    for split in ("train", "test"):
        url, file, md5 = SVHN.split_list[split]
        archive = download("svhn", [url], file, md5, progress)
        loaded = SVHN(archive.parent, split=split)
        splits[split] = (loaded.data, np.asarray(loaded.labels, dtype=np.int64))
    return array_stream(splits, DIGITS, image_size)


def read_fashion_mnist(image_size: int, progress: DataProgress | None) -> ImageStream:
    """Return Fashion-MNIST, 60,000 and 10,000 greyscale images of 28 x 28, downloaded if necessary."""
    from torchvision.datasets import FashionMNIST

    arrays = []
    for file, md5 in FashionMNIST.resources:
        archive = download("fashion-mnist", [f"{mirror}{file}" for mirror in FashionMNIST.mirrors], file, md5, progress)
        arrays.append(read_idx(archive))
    train_images, train_labels, test_images, test_labels = arrays
    splits = {
        "train": (train_images, train_labels.astype(np.int64)),
        "test": (test_images, test_labels.astype(np.int64)),
    }
    return array_stream(splits, tuple(FashionMNIST.classes), image_size)


def read_idx(path: Path) -> Pixels:
    """Return the array in a gzipped IDX file of bytes.

    The file has the bytes 0, 0, the type (8) and the number of dimensions, then big-endian sizes and the values.
    """
    content = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(content, dtype=">u4", count=content[3], offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + sizes.nbytes).reshape(sizes)


def download(name: str, urls: list[str], file: str, md5: str, progress: DataProgress | None) -> Path:
    """Return the path of the downloaded `file` of data set `name`; the first of `urls` that responds is used.

    Raises:
        UserError: if no URL responds with the published content, by torchvision's checksum.
    """
    from torchvision.datasets.utils import check_integrity

    target = cache_folder() / "downloads" / name / file
    with cache_lock(target, progress), cache_errors(target.parent):
        for leftover in target.parent.glob(f"{target.name}.*.part"):
            leftover.unlink()
        if check_integrity(target, md5):
            return target
        problem = ""
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
        for url in urls:
            try:
                problem = fetch_file(url, partial, f"downloading {name}", progress)
                if not problem and check_integrity(partial, md5):
                    partial.rename(target)
                    return target
                problem = problem or f"{url} does not have the published checksum"
            finally:
                partial.unlink(missing_ok=True)
    raise UserError(
        f"Cannot download {name}, which is not in the cache ({problem}). Choose one of: "
        f"(1) run `ablate data fetch {name}` on a machine with a network, copy its cache here and set ABLATE_CACHE; "
        "(2) pass --data-dir PATH with the CIFAR folder, an image folder (train/<class>/*, test/<class>/*) or an "
        "archive of one; (3) pass --dataset digits, which needs no download"
    )


def fetch_file(url: str, target: Path, activity: str, progress: DataProgress | None) -> str:
    """Write the content of `url` to `target`; return "", or the reason if the network fails."""
    request = urllib.request.Request(url, headers={"User-Agent": "ablate"})  # noqa: S310  # the URLs are torchvision's
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response, target.open("wb") as file:  # noqa: S310  # as above
            total = int(response.headers.get("Content-Length") or 0)
            while True:
                chunk = response.read(2**18)
                if not chunk:
                    break
                file.write(chunk)
                if progress is not None:
                    progress(activity, file.tell(), total)
            os.fsync(file.fileno())
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        return f"{url}: {printable(getattr(error, 'reason', None) or error)}"
    return ""
