"""Damaged and hostile input: a one-line error that names the file, and no partial entry in the cache."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablate.data import ImageSource, archives, open_dataset, read_image
from ablate.errors import UsageError, UserError
from tests.samples.data import tar_of, write_folder, zip_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


TAR_MODES = {"tgz": "gz", "tar": "", "txz": "xz", "tbz2": "bz2"}


def refusal(path: Path, cache: Path) -> str:
    """Open an invalid source; return its one-line error message."""
    with pytest.raises(UserError) as caught:
        open_dataset(ImageSource(folder=path), 16)
    message = str(caught.value)
    assert "\n" not in message
    assert not [path for path in cache.glob("decoded/*") if path.suffix != ".lock"], "the cache has no entry"
    return message


@contextlib.contextmanager
def one_line(name: str):
    """Accept success, or a one-line error that contains `name`."""
    message = name
    try:
        yield
    except UserError as error:
        message = str(error)
    assert name in message
    assert "\n" not in message


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def cut(path: Path, keep: float = 0.6) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def remove(folder: Path) -> None:
    if any(path.is_dir() for path in folder.iterdir()):
        for path in folder.iterdir():
            remove(path)
    else:
        empty(folder)
    folder.rmdir()


DAMAGES = {
    "truncated": (lambda top: cut(top / "train/dog/0001.png"), ["train/dog/0001.png", "truncated"]),
    "no bytes": (lambda top: (top / "train/dog/0001.png").write_bytes(b""), ["train/dog/0001.png", "not an image"]),
    "text": (lambda top: (top / "test/cat/notes").write_text("hello"), ["test/cat/notes", "not an image"]),
    "postscript": (
        lambda top: (top / "test/cat/x.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ["test/cat/x.png"],
    ),
    "bomb": (
        lambda top: (top / "test/cat/x.png").write_bytes(png_claiming(60_000, 60_000)),
        ["test/cat/x.png", "pixels"],
    ),
    "large": (
        lambda top: (top / "test/cat/x.png").write_bytes(png_claiming(10_000, 10_000)),
        ["test/cat/x.png", "pixels"],
    ),
    "newline": (lambda top: (top / "test/cat/x\ny.png").write_bytes(b"?"), ["test/cat/x\\ny.png"]),
    "empty class": (
        lambda top: empty(top / "test/dog"),
        ["class dog has no images in test", "Add some or remove the class"],
    ),
    "only in train": (
        lambda top: remove(top / "test/dog"),
        ["class dog is in train but not in test", "choose with --splits train=FOLDER"],
    ),
    "empty, only in train": (lambda top: (top / "train/bird").mkdir(), ["class bird has no images in train"]),
    "only in test": (lambda top: remove(top / "train/cat"), ["class cat is in test but not in train"]),
    "no train": (lambda top: remove(top / "train"), ["no train folder", "train/<class>/*"]),
    "no test": (lambda top: remove(top / "test"), ["no test folder"]),
    "neither": (lambda top: (remove(top / "train"), remove(top / "test")), ["neither a train nor a test folder"]),
    "no classes": (
        lambda top: [remove(top / "train" / name) for name in ("cat", "dog")],
        ["no class folders in train"],
    ),
    "stray": (lambda top: (top / "train/x.JPG").write_bytes(b""), ["train/x.JPG", "outside the class folders"]),
    "too deep": (lambda top: (top / "train/cat/more").mkdir(), ["train/cat/more", "is below a class folder"]),
    "control": (
        lambda top: [(top / s / "dog").rename(top / s / "d\x1bg") for s in ("train", "test")],
        ["d\\x1bg", "unprintable"],
    ),
}


@pytest.mark.parametrize("kind", ["folder", "tgz", "zip"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_invalid_folders_are_rejected_by_name(tmp_path, cache, damage, kind):
    folder = write_folder(tmp_path / "pets")
    apply, expected = DAMAGES[damage]
    apply(folder)
    path = {
        "folder": lambda: folder,
        "tgz": lambda: tar_of(folder, tmp_path / "p.tgz"),
        "zip": lambda: zip_of(folder, tmp_path / "p.zip"),
    }
    message = refusal(path[kind](), cache)
    for part in [*expected, str(tmp_path)]:
        assert part in message


def test_links_and_pipes_in_a_folder(tmp_path, cache):
    folder = write_folder(tmp_path / "pets")
    elsewhere = (folder / "train/cat/0000.png").rename(tmp_path / "elsewhere.png")
    (folder / "train/cat/0000.png").symlink_to(elsewhere)  # links in the user's own folder are allowed
    assert len(open_dataset(ImageSource(folder=folder), 16).train) == 6
    elsewhere.unlink()
    with pytest.raises(UserError, match=r"Cannot read .*0000\.png"):
        open_dataset(ImageSource(folder=folder), 16)
    (folder / "train/cat/0000.png").unlink()
    os.mkfifo(folder / "train/cat/0000.png")
    with pytest.raises(UserError, match=r"0000\.png is not a regular file"):
        open_dataset(ImageSource(folder=folder), 16)
    with pytest.raises(UserError, match="is neither a folder nor a file"):
        open_dataset(ImageSource(folder=folder / "train/cat/0000.png"), 16)


def test_missing_paths_and_files_that_are_not_archives(tmp_path, cache):
    assert "nowhere.tgz does not exist" in refusal(tmp_path / "nowhere.tgz", cache)
    for name, content in {
        "a.tgz": b"",
        "b.zip": b"PK\x03\x04 and no more",
        "c.tar": b"x" * 5000,
        "d.png": png_claiming(1, 1),
        "e.tgz": gzip.compress(b"hello"),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert name in refusal(tmp_path / name, cache)
    for several in ("one", "two"):
        write_folder(tmp_path / "both" / several)
    assert "2 image folders" in refusal(tmp_path / "both", cache)
    assert "2 image folders" in refusal(tar_of(tmp_path / "both", tmp_path / "both.tgz"), cache)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(
        UsageError, match=r"Did you mean 'fashion-mnist'\? Known: cifar10, cifar100, svhn, .*digits.*--data-dir PATH"
    ):
        open_dataset(ImageSource("fashion_mnist"))


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def tar_with(tmp_path: Path, info: tarfile.TarInfo, data: bytes = b"") -> Path:
    """Return an archive of a valid image folder with one additional member."""
    target = tmp_path / "modified.tar"
    tar_of(write_folder(tmp_path / "pets"), target, mode="w")
    with tarfile.open(target, "a") as tar:
        tar.addfile(info, io.BytesIO(data))
    return target


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (member("/etc/passwd"), "/etc/passwd points outside"),
        (member("../x.png"), "../x.png points outside"),
        (member("pets/train/cat/../../../../x.png"), "x.png points outside"),
        (member("C:/x.png"), "C:/x.png points outside"),
        (member("pets/train/cat/l.png", tarfile.SYMTYPE, link="/etc/passwd"), "l.png is a link"),
        (member("pets/train/cat/l.png", tarfile.LNKTYPE, link="pets/train/cat/0000.png"), "l.png is a link"),
        (member("pets/train/cat/null", tarfile.CHRTYPE), "null is a link or device"),
        (member("pets/train/cat/pipe", tarfile.FIFOTYPE), "pipe is a link or device"),
        (member("pets/train/cat/0000.png"), "0000.png is stored twice"),
        (member("./pets/./train/cat/0000.png"), "0000.png is stored twice"),
    ],
)
def test_hostile_tar_members_are_rejected_by_name(tmp_path, cache, info, expected):
    assert expected in refusal(tar_with(tmp_path, info), cache)
    assert not (tmp_path.parent / "x.png").exists()


def test_sparse_members_are_rejected(tmp_path, cache):
    info = member("pets/train/cat/sparse.png")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,0",
        "GNU.sparse.size": str(2**40),
    }
    assert "sparse.png is a link or device" in refusal(tar_with(tmp_path, info), cache)


@pytest.mark.parametrize("name", ["../x.png", "..\\x.png", "/x.png", "C:\\x.png"])
def test_hostile_zip_members_are_rejected_by_name(tmp_path, cache, name):
    target = zip_of(write_folder(tmp_path / "pets"), tmp_path / "modified.zip")
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(name, b"")
    assert "x.png points outside" in refusal(target, cache)


def test_zip_members_that_are_links_encrypted_or_duplicates(tmp_path, cache):
    folder = write_folder(tmp_path / "pets")
    link = zipfile.ZipInfo("train/cat/l.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(zip_of(folder, tmp_path / "link.zip"), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "train/cat/l.png is a link" in refusal(tmp_path / "link.zip", cache)
    content = bytearray(zip_of(folder, tmp_path / "secret.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption in the directory
    (tmp_path / "secret.zip").write_bytes(content)
    assert "Encrypted archive" in refusal(tmp_path / "secret.zip", cache)
    with warnings.catch_warnings(), zipfile.ZipFile(zip_of(folder, tmp_path / "twice.zip"), "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("train/cat/0000.png", b"")
    assert "train/cat/0000.png is stored twice" in refusal(tmp_path / "twice.zip", cache)


def test_zip_members_without_a_name_are_rejected(tmp_path, cache):
    target = zip_of(write_folder(tmp_path / "pets", size=8), tmp_path / "nameless.zip")
    target.write_bytes(target.read_bytes().replace(b"test/", b"\0est/"))
    assert "nameless.zip" in refusal(target, cache)


def test_huge_members_are_rejected_unread(tmp_path, cache):
    target = tmp_path / "modified.tar"
    target.write_bytes(member("train/cat/x.png", size=2**40).tobuf() + bytes(1024))
    assert "archive bomb" in refusal(target, cache)
    target.write_bytes(member("pax", tarfile.XHDTYPE, 2**32).tobuf() + bytes(1024))  # tarfile would read it at once
    assert "archive bomb" in refusal(target, cache)


def test_limits_on_members_and_bytes(tmp_path, cache, monkeypatch):
    folder = write_folder(tmp_path / "pets")
    paths = [
        *(tar_of(folder, tmp_path / f"p.{kind}", mode=f"w:{mode}") for kind, mode in TAR_MODES.items()),
        zip_of(folder, tmp_path / "p.zip"),
    ]
    for limit, name in ((5, "MEMBER_LIMIT"), (4000, "TOTAL_LIMIT")):
        with monkeypatch.context() as patch:
            patch.setattr(archives, name, limit)
            for path in paths:
                assert "archive bomb" in refusal(path, cache)
                assert f"more than {limit:,}" in refusal(path, cache)
    assert len(open_dataset(ImageSource(folder=paths[0]), 16).train) == 6


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Intact archives by kind, as paths: Hypothesis prints the arguments of a failing test."""
    top = tmp_path_factory.mktemp("intact")
    folder = write_folder(top / "pets", counts={"train": 2, "test": 1}, size=8)
    return {
        **{kind: tar_of(folder, top / f"p.{kind}", mode=f"w:{mode}") for kind, mode in TAR_MODES.items()},
        "zip": zip_of(folder, top / "p.zip"),
    }


def damages(most: int) -> st.SearchStrategy:
    """Bytes to change, at relative positions: what is drawn does not depend on the length of the content."""
    return st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=most)


def damaged(content: bytes, damage: list[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in damage:
        changed[int(place * len(changed))] = value
    return bytes(changed)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from([*TAR_MODES, "zip"]), where=st.floats(0, 1, exclude_max=True))
def test_truncated_archives_are_rejected(tmp_path, cache, intact, kind, where):
    content = intact[kind].read_bytes()
    if kind == "tar":
        content = content.rstrip(b"\0")  # any number of final zeros is valid
    target = tmp_path / f"cut.{kind}"
    target.write_bytes(content[: int(where * len(content))])
    assert "cut." in refusal(target, cache)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from([*TAR_MODES, "zip"]), damage=damages(4))
def test_damaged_archives_give_a_data_set_or_one_line(tmp_path, intact, kind, damage):
    target = tmp_path / f"damaged.{kind}"
    target.write_bytes(damaged(intact[kind].read_bytes(), damage))
    with one_line("damaged."):
        assert len(open_dataset(ImageSource(folder=target), 8).classes) >= 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["png", "jpg", "gif", "bmp", "webp", "tiff", "ppm"]),
    damage=damages(3),
    kept=st.floats(0, 1),
)
def test_damaged_images_give_pixels_or_one_line(tmp_path, suffix, damage, kept):
    target = tmp_path / f"picture.{suffix}"
    Image.fromarray(np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)).save(target)
    content = damaged(target.read_bytes(), damage)
    target.write_bytes(content[: round(kept * len(content))])
    with one_line(target.name):
        assert read_image(target, 8).shape == (3, 8, 8)
