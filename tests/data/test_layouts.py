"""Every layout in which images are found in the wild: the same images give the same data set."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data import Dataset, ImageSource, describe, open_dataset
from ablate.data.image_folders import index_images
from ablate.data.source_files import ArchiveFiles
from ablate.data.splits import held_out_test
from ablate.errors import UsageError, UserError
from tests.samples.data import tar_of
from tests.samples.layouts import (
    CLASSES,
    PLAIN,
    WITH_SPLIT,
    WITHOUT_SPLIT,
    named,
    pixels_of,
    sample_images,
    with_tables,
    with_validation,
    write_parquet,
    write_split,
)

IMAGES = sample_images()
WHOLE = sample_images({"train": 10})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def top(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def opened(path: Path, splits: str = "") -> Dataset:
    return open_dataset(ImageSource(folder=path, splits=splits), 8)


def refusal(path: Path, splits: str = "") -> str:
    """Return the one-line message about a source that is refused."""
    with pytest.raises(UserError) as caught:
        opened(path, splits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The fingerprint of the plain layout."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABLATE_CACHE", str(folder / "cache"))
        return opened(PLAIN(folder / "plain", IMAGES)).fingerprint


def test_test_images_that_are_also_training_images_are_counted(top: Path) -> None:
    folder = PLAIN(top, IMAGES)
    assert not opened(folder).notes
    first, *_, last = sorted((folder / "train" / CLASSES[0]).iterdir())
    for number, image in enumerate((first, first, last)):
        (folder / "test" / CLASSES[1] / f"copy{number}.png").write_bytes(image.read_bytes())
    assert opened(folder).notes == ("3 test images with the same pixels as a training image",)


@pytest.mark.parametrize("layout", WITH_SPLIT)
def test_the_same_images_give_the_same_data_set_in_every_layout(top, layout, reference):
    data = opened(WITH_SPLIT[layout](top, IMAGES))
    assert data.classes == CLASSES
    for split in ("train", "test"):
        pixels, labels = pixels_of(IMAGES, split)
        np.testing.assert_array_equal(getattr(data, split).images, pixels)
        np.testing.assert_array_equal(getattr(data, split).labels, labels)
    assert data.fingerprint == reference
    assert all(note.isprintable() for note in data.notes)
    again = opened(top if layout in ("deep", "seg") else data_path(top))
    assert (again.fingerprint, again.notes) == (data.fingerprint, data.notes), "from the cache"


def data_path(top: Path) -> Path:
    return next(top.glob("archive.*"), top)


@pytest.mark.parametrize("layout", WITHOUT_SPLIT)
def test_images_without_a_split_get_a_stratified_one_that_is_recorded(top, layout):
    data = opened(WITHOUT_SPLIT[layout](top, WHOLE))
    pixels, labels = pixels_of(WHOLE, "train")
    train, test = held_out_test(labels)
    np.testing.assert_array_equal(data.train.images, pixels[train])
    np.testing.assert_array_equal(data.test.images, pixels[test])
    np.testing.assert_array_equal(data.test.labels, labels[test])
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    (note,) = [note for note in data.notes if "held out" in note]
    assert "a stratified 20% (6 images) is held out as test images by the random stream 'test split' of seed 0" in note
    assert describe(data)["notes"] == list(data.notes)


def test_the_split_of_data_without_one_never_changes():
    train, test = held_out_test(np.repeat([0, 1, 2], 10))
    assert test.tolist() == [0, 4, 10, 18, 21, 24]
    assert sorted([*train, *test]) == list(range(30))


@pytest.mark.parametrize(
    ("layout", "note"),
    [
        ("train and test", ""),
        ("nested", ""),
        ("val", "training images from train, test images from val"),
        ("Training/Test", "training images from Training, test images from Test"),
        ("seg", "training images from seg_train, test images from seg_test"),
        ("sidecars", "skipped 9 files that are not images (3 .csv, 3 .json, 3 .txt)"),
        ("tables", "labels: testLabels.csv, trainLabels.csv"),
        (
            "unused validation",
            "not used: val (validation images are drawn from the training images; --splits train=train+val,test=test "
            "trains on it too)",
        ),
    ],
)
def test_the_rule_that_settled_a_layout_is_stated(top, layout, note):
    assert opened(WITH_SPLIT[layout](top, IMAGES)).notes == ((note,) if note else ())


@pytest.mark.parametrize("kind", ["folder", "tgz"])
def test_folders_named_by_the_user(top, tmp_path, reference, kind):
    folder = named("one/alpha", "beta")(top, IMAGES)
    path = folder if kind == "folder" else tar_of(folder, tmp_path / "p.tgz")
    data = opened(path, "train=alpha,test=beta")
    assert data.fingerprint == reference
    assert data.notes == (
        f"training images from {'one/alpha' if kind == 'folder' else 'source/one/alpha'}, "
        f"test images from {'beta' if kind == 'folder' else 'source/beta'}",
    )
    assert opened(path, "test=beta, train=one/alpha").fingerprint == reference
    swapped = opened(path, "train=beta,test=alpha")
    assert (len(swapped.train), len(swapped.test)) == (6, 15)
    alone = opened(path, "train=alpha")
    assert (len(alone.train), len(alone.test)) == (12, 3)
    assert alone.cache != data.cache


def test_two_folders_are_joined(top):
    data = opened(with_validation(top, IMAGES), "train=train+val,test=test")
    assert np.bincount(data.train.labels).tolist() == [6, 6, 6]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("train", "--splits takes train=FOLDER,test=FOLDER"),
        ("train=a,train=b", "--splits takes"),
        ("test=a", "--splits takes"),
        ("train=a,val=b", "--splits has no val"),
        ("train=../a", "relative to --data-dir"),
        ("train=/a", "relative to --data-dir"),
        ("train=,test=b", "relative to --data-dir"),
        ("train=nowhere,test=beta", "has no folder nowhere. Known: beta, one, beta/cat"),
        ("train=one,test=alpha", "--splits names one and one/alpha, which have images in common"),
        ("train=alpha,test=alpha", "which have images in common"),
        ("train=alpha,test=beta/cat", "beta/cat has neither class folders nor a CSV file"),
    ],
)
def test_wrong_splits_are_refused(top, splits, message):
    assert message in refusal(named("one/alpha", "beta")(top, IMAGES), splits)


def test_a_further_folder_next_to_train_and_test_is_named(top):
    write_split(PLAIN(top / "x", IMAGES) / "testing", IMAGES["test"])
    assert opened(top).notes == ("not used: testing",)


def test_splits_need_a_folder_without_fixed_splits(tmp_path):
    with pytest.raises(UsageError, match="--splits needs --data-dir PATH: digits has its own splits"):
        open_dataset(ImageSource("digits", splits="train=a,test=b"))


REFUSED = {
    "two tests": (
        lambda top: (
            PLAIN(top / "x", IMAGES),
            write_split(top / "y/testing", IMAGES["test"]),
            (top / "x/test").rename(top / "x/Test"),
        ),
        "has 2 folders for test: x/Test, y/testing. Choose with --splits train=FOLDER,test=FOLDER",
    ),
    "two trains": (
        lambda top: [write_split(top / name, IMAGES["train"]) for name in ("Training", "train_set", "valid")],
        "has 2 folders for train: Training, train_set",
    ),
    "train alone": (
        lambda top: write_split(top / "Training", IMAGES["train"]),
        "has no test folder. Expected train/<class>/* and test/<class>/*, or choose with --splits "
        "train=FOLDER,test=FOLDER. --splits train=Training holds out a part of the training images",
    ),
    "folds": (
        lambda top: [write_split(top / name, IMAGES["test"]) for name in ("fold1", "fold2")],
        "has class folders in several folders: fold1, fold2. Choose with --splits",
    ),
    "few images": (
        lambda top: write_split(top, IMAGES["test"]),
        "class cat has 2 images, too few to hold out test images (at least 5)",
    ),
    "no labels": (
        lambda top: [(with_tables(top, IMAGES) / f"{split}Labels.csv").unlink() for split in ("train",)],
        "train/000.png is an image outside the class folders, and no CSV file has its label",
    ),
    "no table": (
        lambda top: [path.unlink() for path in with_tables(top, {"images": IMAGES["train"]}).glob("*.csv")],
        "has images in images, but neither class folders nor a CSV file with their labels",
    ),
}


@pytest.mark.parametrize("layout", REFUSED)
def test_layouts_that_leave_a_choice_are_refused(top, tmp_path, layout):
    write, message = REFUSED[layout]
    write(top)
    assert message in refusal(top)
    archive = tar_of(top, tmp_path / "archive.tgz", "")
    assert message in refusal(archive)


def test_a_class_named_train_is_a_class(top):
    images = sample_images({"train": 5}, ("bus", "car", "train"))
    assert opened(write_split(top, images["train"])).classes == ("bus", "car", "train")


TABLES = {
    "missing row": (lambda text: text.replace("003,cat\n", ""), "has no label for 1 of 15 images, train/003.png among"),
    "two rows": (lambda text: text + "003,dog\n", "has two rows for 003. Remove one of them"),
    "two labels": (
        lambda text: "\n".join(f"{row},{'breed' if row.startswith('id') else 1}" for row in text.split()),
        "has 2 columns that may be the label. Keep two columns",
    ),
    "no label": (
        lambda text: text.replace(",cat", ",").replace(",dog", ",cat"),
        "class name  has unprintable characters",
    ),
}


@pytest.mark.parametrize("damage", TABLES)
def test_wrong_tables_of_labels_are_refused(top, damage):
    change, message = TABLES[damage]
    table = with_tables(top, IMAGES) / "trainLabels.csv"
    table.write_text(change(table.read_text()))
    assert message in refusal(top)


def test_tables_that_contradict_each_other_or_fit_both_splits_are_refused(top):
    with_tables(top, IMAGES)
    table = top / "trainLabels.csv"
    (top / "train_again.csv").write_text(table.read_text())
    assert len(opened(top).train) == 15
    (top / "train_again.csv").write_text(table.read_text().replace("003,cat", "003,dog"))
    assert "have different labels for the same images" in refusal(top)
    (top / "train_again.csv").unlink()
    (top / "testLabels.csv").unlink()
    table.rename(top / "labels.csv")
    assert "in labels.csv may be an image of train or of test. Write test/" in refusal(top)
    assert refusal(top).endswith("or choose with --splits train=FOLDER,test=FOLDER")


def test_the_training_table_does_not_label_test_images(top):
    with_tables(top, {"train": WHOLE["train"], "test": IMAGES["test"]})
    (top / "testLabels.csv").unlink()
    data = opened(top)
    assert (len(data.train), len(data.test)) == (24, 6)
    assert "not used: test (without labels)" in data.notes


def test_parquet_files_without_the_name_of_a_split_are_named(top, reference):
    for name, split in (("train", "train"), ("test", "test"), ("extra", "train")):
        write_parquet(top / f"data/{name}-00000-of-00001.parquet", IMAGES[split])
    data = opened(top)
    assert (data.fingerprint, data.notes) == (reference, ("not used: data/extra",))
    joined = opened(top, "train=train+extra,test=test")
    assert (len(joined.train), len(joined.test)) == (30, 6)
    (top / "data/train-00000-of-00001.parquet").unlink()
    (top / "data/test-00000-of-00001.parquet").rename(top / "data/more-00000-of-00001.parquet")
    assert "has the Parquet files data/extra, data/more, none named train or test. Choose with --splits" in refusal(top)


def test_parquet_files_that_cannot_be_read_are_refused(top, monkeypatch):
    path = write_parquet(top / "train.parquet", IMAGES["train"])
    assert "has no test folder" in refusal(top)
    write_parquet(top / "test.parquet", {"cat": IMAGES["test"]["cat"], "dog": {}, "emu": {}})
    assert "class dog has no images in test" in refusal(top)
    write_parquet(top / "test.parquet", IMAGES["test"])
    assert "has Parquet files. Unpack it and pass the folder" in refusal(tar_of(top, top.parent / "p.tgz"))
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert "train.parquet" in refusal(top)
    path.write_bytes(content)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "needs PyArrow. Run `pip install pyarrow`" in refusal(top)


def test_zstandard_is_read_if_a_package_for_it_is_installed(top, tmp_path, reference):
    zstandard = pytest.importorskip("zstandard")
    archive = tar_of(PLAIN(top, IMAGES), tmp_path / "pets.tar", "", "w")
    target = tmp_path / "pets.tar.zst"
    target.write_bytes(zstandard.compress(archive.read_bytes()))
    data = opened(target)
    assert (data.fingerprint, data.name) == (reference, "pets")
    content = target.read_bytes()
    for damaged in (content[: len(content) // 2], content[:99] + b"?" * 99 + content[198:]):
        target.write_bytes(damaged)
        assert re.search(r"pets\.tar\.zst is .*damaged", refusal(target))


def test_zstandard_without_a_package_for_it_is_named(tmp_path, monkeypatch):
    for name in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    target = tmp_path / "pets.tar.zst"
    target.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    message = "pets.tar.zst is compressed with Zstandard, which Python reads from 3.14 on. Run `pip install zstandard`"
    assert message in refusal(target)


class Names(ArchiveFiles):
    """The members of an archive that exist by name only; each table of labels has the same content."""

    def __init__(self, path: Path, names: tuple[str, ...], table: bytes) -> None:
        super().__init__(path, names)
        object.__setattr__(self, "table", table)

    def read(self, name: str) -> bytes:
        return self.table  # type: ignore[attr-defined]  # set above


PARTS = st.sampled_from(["train", "test", "val", "Training", "cat", "dog", "data", "seg_test", ".x", "images"])
NAMES = st.sampled_from(["1.png", "2.png", "3.jpg", "notes.txt", "labels.csv", "trainLabels.csv", "LICENSE", ""])
TREES = st.lists(st.tuples(st.lists(PARTS, max_size=4), NAMES), max_size=25)


@settings(max_examples=100)
@given(
    tree=TREES,
    table=st.sampled_from([b"", b"id,label\n1,a\n2,b\n", b"id,label\n1,a\n1,b\n2,a\n3,b\n", b"\xff\xfe"]),
    splits=st.sampled_from(["", "train=train", "train=train,test=test", "train=cat+dog,test=val"]),
)
def test_any_names_give_a_complete_index_or_one_line(tree, table, splits):
    names = sorted({"/".join([*folders, name]) for folders, name in tree} - {""})
    files = Names(Path("pets.zip"), tuple(names), table)
    message, index = "pets.zip", None
    try:
        index = index_images(files, splits)
    except UserError as error:
        message = str(error)
    assert "pets.zip" in message
    assert message.isprintable()
    if index is None:
        return
    for split in ("train", "test"):
        slots = [slot for slot in index.slots.values() if slot.split == split]
        assert sorted(slot.position for slot in slots) == list(range(len(slots)))
        assert {slot.label for slot in slots} == set(range(len(index.classes)))
    assert set(index.slots) <= set(names)
