"""The same small images in every layout that is read: with a split, and without one."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.samples.data import tar_of, zip_of

CLASSES = ("cat", "dog", "emu")
COUNTS = {"train": 5, "test": 2}
Images = dict[str, dict[str, dict[str, bytes]]]
"""The content of image files by split, class and file name."""


def sample_images(counts: dict[str, int] | None = None, classes: tuple[str, ...] = CLASSES, size: int = 8) -> Images:
    """Return random PNG files. A name occurs once in all classes of a split, in ascending order."""
    generator = np.random.default_rng(0)
    images: Images = {}
    for split, count in (counts or COUNTS).items():
        for number, name in enumerate(classes):
            for index in range(count):
                content = io.BytesIO()
                Image.fromarray(generator.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(content, "PNG")
                file = f"{number * count + index:03d}.png"
                images.setdefault(split, {}).setdefault(name, {})[file] = content.getvalue()
    return images


def pixels_of(images: Images, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and labels of a split, without `ablate`."""
    files = [(label, content) for label, name in enumerate(images[split]) for content in images[split][name].values()]
    pixels = [np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1) for _, content in files]
    return np.stack(pixels), np.array([label for label, _ in files])


def write_split(folder: Path, classes: dict[str, dict[str, bytes]]) -> Path:
    """Write `folder/<class>/<file>`."""
    for name, files in classes.items():
        (folder / name).mkdir(parents=True)
        for file, content in files.items():
            (folder / name / file).write_bytes(content)
    return folder


def named(train: str, test: str) -> Callable[[Path, Images], Path]:
    """Return a function that writes the splits under these names."""

    def write(top: Path, images: Images) -> Path:
        write_split(top / train, images["train"])
        write_split(top / test, images["test"])
        return top

    return write


def with_sidecars(top: Path, images: Images) -> Path:
    """Write `train` and `test`, with files that are not images next to them."""
    named("train", "test")(top, images)
    for place in ("train", "train/cat", "test/dog"):
        for name in (".DS_Store", "Thumbs.db", "notes.txt", "boxes.json", "labels.csv"):
            (top / place / name).write_text("not an image")
    return top


def with_validation(top: Path, images: Images) -> Path:
    """Write `train` and `test`, and a validation folder that is not used."""
    write_split(top / "val", {name: dict(list(files.items())[:1]) for name, files in images["train"].items()})
    return named("train", "test")(top, images)


def with_tables(top: Path, images: Images) -> Path:
    """Write images without class folders, and a CSV file with the labels of each split."""
    for split, classes in images.items():
        rows = ["id,label"]
        (top / split).mkdir(parents=True)
        for name, files in classes.items():
            for file, content in files.items():
                (top / split / file).write_bytes(content)
                rows.append(f"{Path(file).stem},{name}")
        (top / f"{split}Labels.csv").write_text("\n".join(rows) + "\n")
    (top / "sampleSubmission.csv").write_text("id,label\n000,cat\n")
    return top


def with_one_table(top: Path, images: Images) -> Path:
    """Write images without class folders, and one CSV file with the paths and labels of all."""
    with_tables(top, images)
    rows = [
        f"{split}/{file};1;{name}"
        for split, classes in images.items()
        for name, files in classes.items()
        for file in files
    ]
    for table in top.glob("*.csv"):
        table.unlink()
    (top / "labels.csv").write_text("\n".join(["image;fold;class", *rows[::-1]]))
    return top


def parquet(name: str, *, class_label: bool = True) -> Callable[[Path, Images], Path]:
    """Return a function that writes a Parquet file per split, called `name` with the split's name for `{}`."""

    def write(top: Path, images: Images) -> Path:
        for split in images:
            write_parquet(top / name.format(split), images[split], class_label=class_label)
        return top

    return write


def write_parquet(path: Path, classes: dict[str, dict[str, bytes]], *, class_label: bool = True) -> Path:
    """Write one Parquet file as the `datasets` library does."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": content, "path": file} for files in classes.values() for file, content in files.items()]
    labels = [label for label, files in enumerate(classes.values()) for _ in files]
    names = list(classes)
    stored = pa.array(labels, pa.int64()) if class_label else pa.array([names[label] for label in labels])
    table = pa.table({"image": pa.array(cells), "label": stored})
    if class_label:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return path


def archived(write: Callable[[Path, Images], Path], suffix: str, top: str) -> Callable[[Path, Images], Path]:
    """Return a function that writes an archive of a layout, with its content under `top`."""

    def archive(folder: Path, images: Images) -> Path:
        source = write(folder / "source", images)
        target = folder / f"archive{suffix}"
        if suffix == ".zip":
            zip_of(source, target, f"{top}/" if top else "")
        else:
            tar_of(source, target, top, "w")
            compress = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.xz": lzma.compress, ".tar.bz2": bz2.compress}
            target.write_bytes(compress[suffix](target.read_bytes()))
        shutil.rmtree(source)
        return target

    return archive


PLAIN = named("train", "test")
WITH_SPLIT: dict[str, Callable[[Path, Images], Path]] = {
    "train and test": PLAIN,
    "nested": named("data/train", "data/test"),
    "deep": named("a/b/c/d/train", "a/b/c/d/test"),
    "val": named("train", "val"),
    "valid": named("train", "valid"),
    "validation": named("train", "validation"),
    "Training/Test": named("Training", "Test"),
    "seg": named("seg_train/seg_train", "seg_test/seg_test"),
    "sets": named("dataset/training_set/training_set", "dataset/test_set/test_set"),
    "twice": named("train/train", "test/test"),
    "apart": named("one/train", "two/test"),
    "sidecars": with_sidecars,
    "unused validation": with_validation,
    "tables": with_tables,
    "one table": with_one_table,
    "parquet": parquet("data/{}-00000-of-00001.parquet"),
    "parquet in folders": parquet("default/{}/0000.parquet"),
    "parquet without names": parquet("{}.parquet", class_label=False),
    **{f"plain{suffix}": archived(PLAIN, suffix, "") for suffix in (".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip")},
    "nested.tar.xz": archived(named("data/train", "data/valid"), ".tar.xz", "deep/down/here"),
    "seg.zip": archived(named("seg_train/seg_train", "seg_test/seg_test"), ".zip", "archive"),
    "tables.zip": archived(with_tables, ".zip", "competition"),
    "sidecars.tar.bz2": archived(with_sidecars, ".tar.bz2", "pets"),
}


def flat(top: Path, images: Images) -> Path:
    """Write class folders without a split."""
    return write_split(top / "images", images["train"])


def flat_table(top: Path, images: Images) -> Path:
    """Write a folder of images and a CSV file with their labels."""
    with_tables(top, {"images": images["train"]})
    (top / "imagesLabels.csv").rename(top / "labels.csv")
    return top


def secret_test(top: Path, images: Images) -> Path:
    """Write a competition's folder: labelled training images, and test images without labels."""
    with_tables(top, {"train": images["train"]})
    (top / "test").mkdir()
    for files in images["train"].values():
        (top / "test" / next(iter(files))).write_bytes(next(iter(files.values())))
    return top


WITHOUT_SPLIT: dict[str, Callable[[Path, Images], Path]] = {
    "classes": flat,
    "classes below": lambda top, images: flat(top, images).parent,
    "table": flat_table,
    "secret test": secret_test,
    "parquet": lambda top, images: write_parquet(top / "pets.parquet", images["train"]),
    "folder of parquet": lambda top, images: write_parquet(top / "pets.parquet", images["train"]).parent,
    "classes.tar.xz": archived(flat, ".tar.xz", "pets"),
    "table.zip": archived(flat_table, ".zip", ""),
    "secret.tar.gz": archived(secret_test, ".tar.gz", "competition"),
}
