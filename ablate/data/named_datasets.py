"""The data sets that have a name: torchvision's, downloaded and checked, and scikit-learn's digits."""

from __future__ import annotations

import difflib
import gzip
import http.client
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Generator
from pathlib import Path

import numpy as np

from ablate.data.cache import cache_folder, locked, writing
from ablate.data.cifar_batches import batches_of, read_batches_archive
from ablate.data.decoding import sliced
from ablate.data.types import Block, Labels, Origin, Pixels, Progress, Stream, shown
from ablate.errors import UsageError, UserError

DATASETS = ("cifar10", "cifar100", "svhn", "fashion-mnist", "digits")
TIMEOUT = 10  # seconds without an answer
DIGIT = tuple("0123456789")


def find_named(name: str) -> Origin:
    """Return the origin of a data set of the catalogue.

    Raises:
        UsageError: if there is none of this name.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"no data set {shown(name)!r}; {hint}there are {', '.join(DATASETS)} (or --data-dir PATH)")

    def read(image_size: int, progress: Progress | None) -> Stream:
        match name:
            case "digits":
                return read_digits(image_size)
            case "svhn":
                return read_svhn(image_size, progress)
            case "fashion-mnist":
                return read_fashion_mnist(image_size, progress)
            case _:
                return read_cifar(name, image_size, progress)

    return Origin(name, name, "scikit-learn" if name == "digits" else "torchvision", read)


def read_digits(image_size: int) -> Stream:
    """Return scikit-learn's 1,797 handwritten digits (8 x 8, values 0 to 16), grown to `image_size`.

    Test is a fixed fifth, whatever the seed: of each class the 3rd, 8th, 13th, ... image, 359 in all.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int64)
    rank = np.empty_like(labels)
    for digit in range(10):
        rank[labels == digit] = np.arange(np.count_nonzero(labels == digit))
    test = rank % 5 == 2
    return whole({"train": (images[~test], labels[~test]), "test": (images[test], labels[test])}, DIGIT, image_size)


def whole(parts: dict[str, tuple[Pixels, Labels]], classes: tuple[str, ...], image_size: int) -> Stream:
    """Return splits that are already in memory as a stream."""

    def blocks() -> Generator[Block, None, None]:
        for split, (images, labels) in parts.items():
            yield from sliced(split, 0, images, labels, image_size)

    return Stream(classes, {split: len(labels) for split, (_, labels) in parts.items()}, blocks())


def read_cifar(name: str, image_size: int, progress: Progress | None) -> Stream:
    """Return CIFAR-10 or CIFAR-100, downloaded if need be."""
    import torchvision.datasets as published

    source = {"cifar10": published.CIFAR10, "cifar100": published.CIFAR100}[name]
    archive = download(name, [source.url], source.filename, source.tgz_md5, progress)
    return read_batches_archive(batches_of(name), archive, image_size)


def read_svhn(image_size: int, progress: Progress | None) -> Stream:
    """Return the Street View House Numbers, 73,257 to train and 26,032 to test, downloaded if need be."""
    from torchvision.datasets import SVHN

    parts = {}
    for split in ("train", "test"):
        url, file, md5 = SVHN.split_list[split]
        archive = download("svhn", [url], file, md5, progress)
        loaded = SVHN(archive.parent, split=split)
        parts[split] = (loaded.data, np.asarray(loaded.labels, dtype=np.int64))
    return whole(parts, DIGIT, image_size)


def read_fashion_mnist(image_size: int, progress: Progress | None) -> Stream:
    """Return Fashion-MNIST, 60,000 and 10,000 greyscale images of 28 x 28, downloaded if need be."""
    from torchvision.datasets import FashionMNIST

    arrays = []
    for file, md5 in FashionMNIST.resources:
        archive = download("fashion-mnist", [f"{mirror}{file}" for mirror in FashionMNIST.mirrors], file, md5, progress)
        arrays.append(read_idx(archive))
    train_images, train_labels, test_images, test_labels = arrays
    parts = {
        "train": (train_images, train_labels.astype(np.int64)),
        "test": (test_images, test_labels.astype(np.int64)),
    }
    return whole(parts, tuple(FashionMNIST.classes), image_size)


def read_idx(path: Path) -> Pixels:
    """Return the bytes in a gzipped IDX file: 0, 0, the type (8), how many sizes, big-endian sizes, values."""
    content = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(content, dtype=">u4", count=content[3], offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + sizes.nbytes).reshape(sizes)


def download(name: str, urls: list[str], file: str, md5: str, progress: Progress | None) -> Path:
    """Return the downloaded `file` of data set `name`, getting it from the first of `urls` that answers.

    Raises:
        UserError: if there is no answer or not the published content (torchvision's checksum).
    """
    from torchvision.datasets.utils import check_integrity

    target = cache_folder() / "downloads" / name / file
    with locked(target, progress), writing(target.parent):
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
        f"{name} is not in the cache and cannot be downloaded ({problem}). Three ways out: "
        f"(1) run `ablate data fetch {name}` on a machine with network, copy its cache here and set ABLATE_CACHE; "
        "(2) --data-dir PATH with the CIFAR folder, an image folder (train/<class>/*, test/<class>/*) or an archive "
        "of one; (3) --dataset digits, which needs no download"
    )


def fetch_file(url: str, target: Path, what: str, progress: Progress | None) -> str:
    """Write what `url` answers to `target`; return "" or, if the network fails, why."""
    request = urllib.request.Request(url, headers={"User-Agent": "ablate"})  # noqa: S310  # addresses are torchvision's
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, target.open("wb") as file:  # noqa: S310  # as above
            total = int(answer.headers.get("Content-Length") or 0)
            while True:
                chunk = answer.read(2**18)
                if not chunk:
                    break
                file.write(chunk)
                if progress is not None:
                    progress(what, file.tell(), total)
            os.fsync(file.fileno())
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        return f"{url}: {shown(getattr(error, 'reason', None) or error)}"
    return ""
