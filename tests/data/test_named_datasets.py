"""CIFAR's own files and the named data sets, downloaded from a local server with small imitations."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import pickle
import shutil
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.data import ImageSource, cifar_batches, cifar_binary, fetch, open_dataset
from ablate.data.normalisation import CIFAR10, CIFAR100
from ablate.errors import UsageError, UserError
from tests.samples.data import tar_of, write_batches, write_binary_batches


def published() -> Any:
    """Return torchvision's data sets, imported when they are needed: that takes seconds."""
    from torchvision import datasets

    return datasets


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        self.server.requested.append(self.path)  # type: ignore[attr-defined]  # set below


@pytest.fixture
def server(tmp_path):
    """Serve the files in `tmp_path / "www"`; yield the address and the list of requested paths."""
    (tmp_path / "www").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www")))
    server.requested = []  # type: ignore[attr-defined]  # the handler appends to it
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", server.requested
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """An imitation of torchvision's CIFAR folder: 4 images per batch, whose checksums count as the published ones."""
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    parts = write_batches(folder)
    monkeypatch.setattr(published().CIFAR10, "train_list", parts[:5])
    monkeypatch.setattr(published().CIFAR10, "test_list", parts[5:])
    monkeypatch.setattr(cifar_batches, "SIZES", {"train": 20, "test": 4})
    return folder


def batch_pixels(folder: Path, file: str) -> np.ndarray:
    return pickle.loads((folder / file).read_bytes())["data"].reshape(-1, 3, 32, 32)


def test_the_cifar_folder_and_its_archive(tmp_path, cifar):
    expected = np.concatenate([batch_pixels(cifar, f"data_batch_{number}") for number in range(1, 6)])
    archive = tar_of(cifar, tmp_path / "cifar-10-python.tar.gz")
    found = [open_dataset(ImageSource(folder=path)) for path in (cifar, cifar.parent, archive)]
    for data in found:
        np.testing.assert_array_equal(data.train.images, expected)
        np.testing.assert_array_equal(data.test.images, batch_pixels(cifar, "test_batch"))
        assert data.train.labels.tolist() == [0, 1, 2, 3] * 5
        assert (data.name, data.classes, data.encoding) == ("cifar10", CIFAR10, "lossless")
        assert data.fingerprint == found[0].fingerprint
    assert open_dataset(ImageSource(folder=cifar), 16).train.images.shape == (20, 3, 16, 16)


def test_pickles_with_another_checksum_are_not_loaded(tmp_path, cifar):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    (cifar / "data_batch_3").write_bytes(pickle.dumps(Bomb()))
    for path in (cifar, tar_of(cifar, tmp_path / "cifar.tgz")):
        with pytest.raises(UserError, match=r"Checksum mismatch in .*: data_batch_3 differs"):
            open_dataset(ImageSource(folder=path))
    assert not (tmp_path / "exploded").exists()


def test_deeper_folders_of_batches_are_found(tmp_path, cifar):
    data = open_dataset(ImageSource(folder=cifar))
    outer = tmp_path / "one/two/three"
    outer.mkdir(parents=True)
    shutil.copytree(cifar, outer / cifar.name)
    for path in (tmp_path / "one", tar_of(tmp_path / "one", tmp_path / "deep.tar.xz", mode="w:xz")):
        assert open_dataset(ImageSource(folder=path)).fingerprint == data.fingerprint
    with pytest.raises(UsageError, match=r"--splits does not apply to .*: CIFAR's batches have their own splits"):
        open_dataset(ImageSource(folder=cifar, splits="train=a,test=b"))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_binary_batches(tmp_path, monkeypatch, name):
    monkeypatch.setattr(cifar_binary, "SIZES", {"train": 20, "test": 4})
    folder = tmp_path / "downloads" / "cifar-binary"
    pixels, labels = write_binary_batches(folder, name)
    archive = tar_of(folder, tmp_path / "binary.tar.gz")
    for path in (folder, folder.parent, archive):
        data = open_dataset(ImageSource(folder=path))
        assert data.classes == {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
        assert data.name == path.name.removesuffix(".tar.gz"), "these pixels are not CIFAR's"
        np.testing.assert_array_equal(data.train.images, pixels[:20])
        np.testing.assert_array_equal(data.test.images, pixels[20:])
        assert [*data.train.labels, *data.test.labels] == labels
    last = sorted(folder.glob("*.bin"))[-1]
    content = last.read_bytes()
    last.write_bytes(content[:-1])
    with pytest.raises(UserError, match=rf"{last.name} does not have \d+ images. Download"):
        open_dataset(ImageSource(folder=folder))
    last.write_bytes(bytes([200] * len(content)))
    with pytest.raises(UserError, match=rf"{last.name} has the label 200"):
        open_dataset(ImageSource(folder=folder))
    last.unlink()
    with pytest.raises(UserError, match=rf"has no {last.name}. Download"):
        open_dataset(ImageSource(folder=folder))


def test_a_missing_batch_is_named(tmp_path, cifar):
    (cifar / "data_batch_2").unlink()
    with pytest.raises(UserError, match="data_batch_2 does not exist"):
        open_dataset(ImageSource(folder=cifar))
    with pytest.raises(UserError, match=r"cifar\.tgz has no data_batch_2"):
        open_dataset(ImageSource(folder=tar_of(cifar, tmp_path / "cifar.tgz")))


def test_published_checksums_and_sizes_are_those_of_torchvision():
    for name, count in (("cifar10", 10), ("cifar100", 100)):
        batches = cifar_batches.batch_files(name)
        assert len(batches.classes) == count
        assert sum(batches.rows(split) for split, _, _ in batches.parts) == 60_000
        assert all(len(md5) == 32 for _, _, md5 in batches.parts)
        assert batches.folder == {10: published().CIFAR10, 100: published().CIFAR100}[count].base_folder


def test_downloads_are_verified_reported_and_kept(tmp_path, cifar, server, monkeypatch, cache, capsys):
    address, requested = server
    archive = tar_of(cifar, tmp_path / "www" / "cifar-10-python.tar.gz")
    monkeypatch.setattr(published().CIFAR10, "url", f"{address}/{archive.name}")
    with pytest.raises(UserError, match=r"Cannot download cifar10.*does not have the published checksum"):
        fetch("cifar10")
    monkeypatch.setattr(published().CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    reported = []
    data = fetch("cifar10", progress=lambda *call: reported.append(call))
    assert ("downloading cifar10", archive.stat().st_size, archive.stat().st_size) in reported
    assert reported[-1] == ("decoding cifar10", 24, 24)
    assert (len(data.train), data.origin) == (20, "torchvision")
    assert len(requested) == 2
    fetch("cifar10")
    fetch("cifar10", 64)  # decoded again from the downloaded file
    assert len(requested) == 2
    copy = tmp_path / "copy"
    cache.rename(copy)
    monkeypatch.setenv("ABLATE_CACHE", str(copy))
    assert fetch("cifar10").fingerprint == data.fingerprint
    assert len(requested) == 2
    assert [path.name for path in copy.rglob("*.part")] == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [("refused", "refused"), ("missing", "File not found"), ("hung", "timed out"), ("invalid", "127.0.0.1:99999")],
)
def test_without_a_network_the_error_lists_three_alternatives(server, monkeypatch, problem, reason, capsys):
    address, _ = server
    url = {"refused": "http://127.0.0.1:9/x", "missing": f"{address}/x", "invalid": "http://127.0.0.1:99999/x"}
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts and never responds
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        monkeypatch.setattr(published().CIFAR10, "url", url.get(problem, silent))
        monkeypatch.setattr("ablate.data.named_datasets.TIMEOUT", 0.3)
        with pytest.raises(UserError) as caught:
            open_dataset(ImageSource())
    message = str(caught.value)
    assert "\n" not in message
    assert reason in message
    for alternative in ("ablate data fetch cifar10", "ABLATE_CACHE", "--data-dir PATH", "--dataset digits"):
        assert alternative in message
    assert capsys.readouterr() == ("", "")


def test_fashion_mnist(tmp_path, server, monkeypatch):
    address, _ = server
    generator = np.random.default_rng(0)
    arrays = [
        generator.integers(0, 256, (20, 28, 28)),
        np.arange(20) % 10,
        generator.integers(0, 256, (10, 28, 28)),
        np.arange(10),
    ]
    resources = []
    for (file, _), array in zip(published().FashionMNIST.resources, arrays, strict=True):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
        content = gzip.compress(header + array.astype(np.uint8).tobytes())
        (tmp_path / "www" / file).write_bytes(content)
        resources.append((file, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(published().FashionMNIST, "resources", resources)
    monkeypatch.setattr(published().FashionMNIST, "mirrors", ["http://127.0.0.1:9/", f"{address}/"])
    data = fetch("fashion-mnist", 32)
    assert data.train.images.shape == (20, 3, 32, 32)
    assert data.test.labels.tolist() == list(range(10))
    assert data.classes[9] == "Ankle boot"
    assert (data.train.images[:, 0] == data.train.images[:, 2]).all()
    whole = published().FashionMNIST  # compare with torchvision's own reader
    raw = tmp_path / "again/FashionMNIST/raw"
    raw.mkdir(parents=True)
    for file, _ in resources:
        shutil.copy(tmp_path / "www" / file, raw / file)
    theirs = whole(tmp_path / "again", train=True, download=True)
    ours = fetch("fashion-mnist", 56)  # at twice the size the corner pixels are unchanged
    assert ours.train.images.shape == (20, 3, 56, 56)
    np.testing.assert_array_equal(ours.train.images[:, 0, 0, 0], theirs.data.numpy()[:, 0, 0])
    np.testing.assert_array_equal(data.train.labels, theirs.targets.numpy())


def test_svhn(tmp_path, server, monkeypatch):
    from scipy.io import savemat

    address, _ = server
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 10), dtype=np.uint8)
    files = {}
    for split in ("train", "test"):
        file = f"{split}_32x32.mat"
        savemat(tmp_path / "www" / file, {"X": pixels, "y": np.arange(1, 11, dtype=np.uint8)[:, None]})
        files[split] = [f"{address}/{file}", file, hashlib.md5((tmp_path / "www" / file).read_bytes()).hexdigest()]
    monkeypatch.setattr(published().SVHN, "split_list", files)
    data = fetch("svhn")
    np.testing.assert_array_equal(data.train.images, pixels.transpose(3, 2, 0, 1))
    assert data.test.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert data.classes == tuple("0123456789")
