"""The content of data sets does not depend on the format of the source."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.data import Dataset, ImageSource, cifar_identity, describe, open_dataset, read_image
from ablate.data.decoding import decode
from ablate.data.normalisation import CIFAR10, CIFAR100, measure
from ablate.errors import UsageError
from tests.samples.data import pixels_in, tar_of, write_folder, zip_of

REAL = os.environ.get("ABLATE_CIFAR10")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(path: Path, image_size: int = 16) -> Dataset:
    return open_dataset(ImageSource(folder=path), image_size)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, ablate.data; print([m for m in ('torch', 'torchvision', 'sklearn', 'PIL') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_folder_gives_its_pixels_in_order(tmp_path):
    folder = write_folder(tmp_path / "pets", ("dog", "cat", "emu"))
    data = opened(folder)
    assert data.name == "pets"
    assert data.classes == ("cat", "dog", "emu")
    for split in ("train", "test"):
        part = getattr(data, split)
        np.testing.assert_array_equal(part.images, pixels_in(folder, split))
        assert part.images.dtype == np.uint8
        assert part.images.flags.c_contiguous
        assert isinstance(part.images, np.memmap)
        assert part.images.mode == "c", "changes stay in the process"
        assert part.labels.dtype == np.int64
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(data.test) == 6
    assert (data.encoding, data.origin) == ("PNG", str(folder))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_archives_equal_their_folder(tmp_path, suffix):
    folder = write_folder(tmp_path / "pets", suffix=suffix)
    (tmp_path / "outer").mkdir()
    archives = [
        tar_of(folder, tmp_path / "pets.tgz"),
        tar_of(folder, tmp_path / "a.tar.gz", ""),
        tar_of(folder, tmp_path / "b.tar", "./deep/pets", "w"),
        zip_of(folder, tmp_path / "c.zip"),
        zip_of(folder, tmp_path / "d.zip", "pets/"),
        zip_of(folder, tmp_path / "e.zip", ".\\pets\\"),  # as written by some programs on Windows
    ]
    plain = opened(folder)
    for archive in archives:
        data = opened(archive)
        assert data.fingerprint == plain.fingerprint, archive.name
        assert (data.mean, data.std, data.classes) == (plain.mean, plain.std, plain.classes)
        np.testing.assert_array_equal(data.train.images, plain.train.images)
        np.testing.assert_array_equal(data.test.labels, plain.test.labels)
    assert opened(archives[1]).name == "a"
    assert plain.encoding == {"png": "PNG", "jpg": "JPEG"}[suffix]
    folder.rename(tmp_path / "outer" / "pets")
    assert opened(tmp_path / "outer").fingerprint == plain.fingerprint


@pytest.mark.parametrize("change", ["pixel", "label", "class name"])
def test_the_fingerprint_covers_pixels_labels_and_class_names(tmp_path, change):
    folder = write_folder(tmp_path / "pets")
    before = opened(folder).fingerprint
    if change == "pixel":
        with Image.open(folder / "test/dog/0001.png") as image:
            image.putpixel((5, 5), (1, 2, 3))
            image.save(folder / "test/dog/0001.png")
    elif change == "label":
        (folder / "train/cat/0002.png").rename(folder / "train/dog/.0002.png")  # hidden, so not part of the set
        (folder / "train/dog/.0002.png").rename(folder / "train/dog/+.png")  # the same index, but another label
    else:
        for split in ("train", "test"):
            (folder / split / "cat").rename(folder / split / "bat")
    after = opened(folder)
    assert after.fingerprint != before
    assert len(before) == 12
    assert int(before, 16) >= 0


def test_changed_folders_and_archives_are_decoded_again(tmp_path):
    folder = write_folder(tmp_path / "pets")
    archive = zip_of(folder, tmp_path / "pets.zip")
    assert len(opened(folder).train) == len(opened(archive).train) == 6
    Image.new("RGB", (16, 16)).save(folder / "train/cat/more.png")
    zip_of(folder, tmp_path / "pets.zip")
    assert len(opened(folder).train) == len(opened(archive).train) == 7


def test_hidden_system_and_text_files_are_ignored(tmp_path):
    folder = write_folder(tmp_path / "pets")
    before = opened(folder).fingerprint
    for name in (
        "README.md",
        "train/labels.txt",
        "train/cat/.DS_Store",
        ".DS_Store",
        "test/dog/Thumbs.db",
        "sample.png",
    ):
        (folder / name).write_text("not an image")
    (folder / "docs").mkdir()
    (folder / "train/.ipynb_checkpoints").mkdir()
    assert opened(folder).fingerprint == before
    assert opened(tar_of(folder, tmp_path / "pets.tgz")).fingerprint == before


def test_every_image_mode_becomes_rgb_of_the_requested_size(tmp_path):
    folder = write_folder(tmp_path / "pets")
    colour = Image.effect_mandelbrot((40, 24), (-2, -1, 1, 1), 40).convert("RGB")
    target = folder / "train/cat"
    for mode in ("L", "P", "RGBA", "LA", "1", "I;16"):
        image = (
            colour.convert("L").point(lambda value: value * 256, "I").convert("I;16")
            if mode == "I;16"
            else colour.convert(mode)
        )
        image.save(target / f"{mode.replace(';', '')}.png")
    colour.convert("CMYK").save(target / "cmyk.jpg")
    colour.save(target / "animation.gif", save_all=True, append_images=[colour.rotate(90)])
    colour.quantize(8).save(target / "transparent.png", transparency=b"\x00\x80\xff")
    data = opened(folder)
    assert data.train.images.shape == (6 + 9, 3, 16, 16)
    assert data.encoding == "GIF, JPEG, PNG"
    grey = np.asarray(colour.convert("L").resize((16, 16), Image.Resampling.BILINEAR))
    for name in ("L.png", "I16.png", "LA.png"):
        np.testing.assert_array_equal(read_image(target / name, 16), np.stack([grey] * 3), err_msg=name)
    expected = np.asarray(colour.resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_image(target / "RGBA.png", 16), expected)


def test_images_of_the_requested_size_are_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    decoded, encoding = decode(file.getvalue(), 24, "x")
    np.testing.assert_array_equal(decoded, pixels.transpose(2, 0, 1))
    assert encoding == "PNG"


@pytest.mark.parametrize("size", [0, -8, 4, 30, 33])
def test_image_sizes_are_multiples_of_eight(size):
    with pytest.raises(UsageError, match="multiple of 8"):
        open_dataset(ImageSource("digits"), size)


def test_class_names_alone_are_not_cifar10(tmp_path):
    folder = write_folder(tmp_path / "pictures", CIFAR10[::-1], {"train": 1, "test": 1})
    data = opened(folder)
    assert data.name == "pictures"
    assert data.classes == CIFAR10
    np.testing.assert_allclose(data.mean, (pixels_in(folder, "train") / 255).mean((0, 2, 3)), atol=5e-5)
    assert len(set(CIFAR100)) == 100
    assert sorted(CIFAR100) == list(CIFAR100)


def flat_images(means: dict[str, np.ndarray], per_class: dict[str, int]) -> tuple[dict, dict]:
    """Return images of one colour per class, in mixed order, and their labels."""
    order = np.random.default_rng(0).permutation
    labels = {split: order(np.repeat(np.arange(len(colours)), per_class[split])) for split, colours in means.items()}
    images = {
        split: np.broadcast_to(
            np.rint(colours)[labels[split]][:, :, None, None].astype(np.uint8), (len(labels[split]), 3, 8, 8)
        )
        for split, colours in means.items()
    }
    return images, labels


def test_cifar10_is_recognised_by_its_pixels_in_any_order(monkeypatch):
    colours = {"train": cifar_identity.CIFAR10_TRAIN, "test": cifar_identity.CIFAR10_TEST}
    monkeypatch.setitem(cifar_identity.IMAGES, "cifar10", {"train": 50, "test": 10})
    images, labels = flat_images(colours, {"train": 50, "test": 10})

    def name(changed: dict[str, np.ndarray]) -> str:
        return cifar_identity.recognise(CIFAR10, labels | changed, lambda split: np.array_split(images[split], 7))

    assert name({}) == "cifar10"
    assert name({"train": np.roll(labels["train"], 1)}) == "", "other labels"
    assert name({"test": (labels["test"] + 1) % 10}) == "", "other labels of the test images"
    assert name({"train": labels["train"] // 2}) == "", "other numbers of images"
    images["test"] = images["test"] + np.uint8(4)
    assert name({}) == "", "other test images"


def test_cifar100_is_recognised_by_the_mean_of_all_pixels():
    colours = np.tile(cifar_identity.CIFAR100_TRAIN, (100, 1))
    images, labels = flat_images({"train": colours, "test": colours}, {"train": 500, "test": 100})
    chunks = {split: [part] for split, part in images.items()}
    assert cifar_identity.recognise(CIFAR100, labels, chunks.__getitem__) == "cifar100"
    chunks["train"] = [images["train"] + np.uint8(4)]
    assert cifar_identity.recognise(CIFAR100, labels, chunks.__getitem__) == ""


def test_cache_entries_of_earlier_versions_are_named_by_their_pixels(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "pictures", CIFAR10, {"train": 1, "test": 1})
    data = opened(folder)
    metadata = json.loads((data.cache / "dataset.json").read_text())
    del metadata["published"], metadata["notes"]
    (data.cache / "dataset.json").write_text(json.dumps(metadata))
    again = opened(folder)
    assert (again.name, again.fingerprint, again.notes) == ("pictures", data.fingerprint, ())
    monkeypatch.setitem(cifar_identity.FINGERPRINTS, data.fingerprint, "cifar10")
    assert opened(folder).name == "cifar10"


def test_moments_of_other_sets_are_measured(tmp_path):
    folder = write_folder(tmp_path / "pets")
    data = opened(folder)
    scaled = pixels_in(folder, "train") / 255
    np.testing.assert_allclose(data.mean, scaled.mean((0, 2, 3)), atol=5e-5)
    np.testing.assert_allclose(data.std, scaled.std((0, 2, 3)), atol=5e-5)
    black = np.zeros((3, 2, 8, 8), dtype=np.uint8)
    assert measure([black, black]) == ((0.0, 0.0), (1.0, 1.0))


def test_digits_need_no_network():
    data = open_dataset(ImageSource("digits"))
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert data.train.images.shape[1:] == (3, 32, 32)
    shares = np.bincount(data.test.labels) / (np.bincount(data.test.labels) + np.bincount(data.train.labels))
    assert abs(shares - 0.2).max() < 0.01
    assert data.train.images.min() == 0
    assert data.train.images.max() == 255
    small = open_dataset(ImageSource("digits"), 8)
    assert small.train.images.shape == (1438, 3, 8, 8)
    assert small.fingerprint != data.fingerprint


def test_describe_returns_plain_data(tmp_path):
    properties = describe(opened(write_folder(tmp_path / "pets")))
    assert properties["classes"] == ["cat", "dog"]
    assert (properties["train_images"], properties["test_images"], properties["image_size"]) == (6, 4, 16)
    assert properties["bytes"] > 10 * 3 * 16 * 16
    assert Path(properties["cache"]).is_dir()


def test_progress_is_reported_and_sources_can_be_pickled(tmp_path):
    reported = []
    source = ImageSource(folder=write_folder(tmp_path / "pets", counts={"train": 150, "test": 1}))
    open_dataset(pickle.loads(pickle.dumps(source)), 16, lambda *call: reported.append(call))
    assert reported[0] == ("decoding pets", 0, 302)
    assert reported[-1] == ("decoding pets", 302, 302)
    assert 3 <= len(reported) <= 10
    open_dataset(source, 16, lambda *call: pytest.fail("decoded twice"))


@pytest.mark.skipif(not REAL, reason="ABLATE_CIFAR10 is not set to an archive of CIFAR-10")
def test_the_real_cifar10(tmp_path, monkeypatch):
    code = (
        "import sys; from pathlib import Path; from ablate.data import *\n"
        "print(open_dataset(ImageSource(folder=Path(sys.argv[1]))).fingerprint)\n"
        "status = Path('/proc/self/status')\n"  # ru_maxrss includes the process that forked
        "print(status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code, REAL], capture_output=True, text=True, check=True)
    fingerprint, peak = answer.stdout.split()
    assert int(peak) * 1024 < 150e6, "below one copy of the images"
    monkeypatch.setattr("ablate.data.cache.build_entry", lambda *_: pytest.fail("decoded again"))
    data = open_dataset(ImageSource(folder=Path(REAL)))
    assert data.fingerprint == fingerprint
    assert data.train.images.shape == (50_000, 3, 32, 32)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.name == "cifar10"
