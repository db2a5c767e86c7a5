"""Small image folders, archives and imitations of CIFAR for the tests of `ablate.data`."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def write_folder(
    top: Path,
    classes: tuple[str, ...] = ("cat", "dog"),
    counts: dict[str, int] | None = None,
    size: int = 16,
    suffix: str = "png",
) -> Path:
    """Write `counts` (3 train, 2 test) random images per class and return `top`."""
    generator = np.random.default_rng(0)
    for split, count in (counts or {"train": 3, "test": 2}).items():
        for name in classes:
            folder = top / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:04d}.{suffix}")
    return top


def pixels_in(folder: Path, split: str) -> np.ndarray:
    """Read a folder's images without `ablate`: N x 3 x H x W in the order of class and name."""
    files = sorted((folder / split).glob("*/*"))
    return np.stack([np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file in files])


def tar_of(folder: Path, target: Path, top: str | None = None, mode: str = "w:gz") -> Path:
    """Archive a folder as a tar file, its content under `top` (default: the folder's name)."""
    with tarfile.open(target, mode) as tar:
        tar.add(folder, folder.name if top is None else top)
    return target


def zip_of(folder: Path, target: Path, top: str = "") -> Path:
    """Archive a folder as a zip file, with the prefix `top` before each name."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*"), reverse=True):  # the order does not matter
            archive.write(path, f"{top}{path.relative_to(folder)}")
    return target


def write_batches(folder: Path, rows: int = 4) -> list[list[str]]:
    """Write an imitation of `cifar-10-batches-py` and return its list of (file, md5), test_batch last."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    parts = []
    for file in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        data = generator.integers(0, 256, (rows, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": data, "labels": [number % 10 for number in range(rows)]})
        (folder / file).write_bytes(content)
        parts.append([file, hashlib.md5(content).hexdigest()])
    return parts


def write_binary_batches(folder: Path, name: str) -> tuple[np.ndarray, list[int]]:
    """Write an imitation of a CIFAR set's binary version; return its pixels and labels, training images first."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(2).integers(0, 256, (24, 3, 32, 32), dtype=np.uint8)
    labels = [number % 10 for number in range(24)]
    if name == "cifar10":
        files = {f"data_batch_{number + 1}.bin": range(4 * number, 4 * number + 4) for number in range(5)}
        files |= {"test_batch.bin": range(20, 24)}
    else:
        files = {"train.bin": range(20), "test.bin": range(20, 24)}
        (folder / "fine_label_names.txt").write_text("apple\n")
    for file, rows in files.items():
        coarse = b"\7" if name == "cifar100" else b""
        (folder / file).write_bytes(b"".join(coarse + bytes([labels[row]]) + pixels[row].tobytes() for row in rows))
    return pixels, labels
