"""Cache entries are complete or missing: kills, races, truncated files, full and read-only disks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ablate.data import ImageSource, open_dataset
from ablate.errors import UserError
from ablate.paths import cache_folder
from tests.samples.data import pixels_in, write_folder, zip_of

OPEN = """
import sys, time
from pathlib import Path
from ablate.data import ImageSource, open_dataset
gate, needed = Path(sys.argv[2]), int(sys.argv[3])
def progress(what, done, total):
    print(what, done, total, flush=True)
    if what.startswith("waiting"):
        with gate.open("a") as file:
            file.write("x")
    elif done:
        while gate.stat().st_size < needed:
            time.sleep(0.02)
data = open_dataset(ImageSource(folder=Path(sys.argv[1])), 16, progress)
print(data.fingerprint, int(data.train.images.sum()), flush=True)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def start():
    """Return a function that opens a data set in another process, which prints its progress.

    Decoding pauses after the first hundred images until the file `gate` next to the folder has `needed` bytes; a
    process that has to wait for another one adds a byte to it.
    """
    children = []

    def started(folder: Path, needed: int = 0, setup: str = "") -> subprocess.Popen[str]:
        gate = folder.with_name("gate")
        gate.touch()
        command = [sys.executable, "-c", setup + OPEN, str(folder), str(gate), str(needed)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return children[-1]

    yield started
    for child in children:
        child.kill()
        child.communicate()


def output_of(child: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for a process; return its output and errors."""
    return child.communicate(timeout=120)


def wait_for_pause(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.split()[2:3] == ["100"]:
            return
    pytest.fail("the process ended before it paused")


def temporaries(cache: Path) -> list[Path]:
    return list(cache.rglob("*.tmp"))


def only_entry(cache: Path) -> Path:
    (entry,) = (path for path in (cache / "decoded").iterdir() if path.is_dir())
    return entry


def test_the_cache_folder(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("ABLATE_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
    monkeypatch.delenv("ABLATE_CACHE")
    assert cache_folder().name == "ablate"


def test_a_killed_decoder_leaves_a_folder_that_the_next_one_removes(tmp_path, cache, start):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    child = start(folder, needed=1)
    wait_for_pause(child)
    assert len(temporaries(cache)) == 1, "decoding writes under a temporary name"
    child.kill()
    output_of(child)
    assert len(temporaries(cache)) == 1
    data = open_dataset(ImageSource(folder=folder), 16)
    assert len(data.train) == 300
    assert not temporaries(cache)


def test_another_data_set_removes_leftovers_except_those_in_use(tmp_path, cache, start):
    one, two, three = (write_folder(tmp_path / name, counts={"train": 150, "test": 10}) for name in "abc")
    killed, living = start(one, needed=1), start(two, needed=1)
    for child in (killed, living):
        wait_for_pause(child)
    killed.kill()
    output_of(killed)
    assert len(temporaries(cache)) == 2
    open_dataset(ImageSource(folder=three), 16)
    assert len(temporaries(cache)) == 1, "only the folder of the killed process is removed"
    (tmp_path / "gate").write_text("x")
    output, _ = output_of(living)
    assert output.splitlines()[-1].split()[0] == open_dataset(ImageSource(folder=two), 16).fingerprint
    assert not temporaries(cache)


def test_of_four_processes_one_decodes(tmp_path, start):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    children = [start(folder, needed=3) for _ in range(4)]  # the decoder pauses until the other three wait
    outputs = [output_of(child)[0].splitlines() for child in children]
    assert sum(any(line.startswith("decoding pets 0 ") for line in lines) for lines in outputs) == 1
    assert sum("waiting" in lines[0] for lines in outputs) == 3
    assert len({lines[-1] for lines in outputs}) == 1


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "dataset.json"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "removed"])
def test_incomplete_entries_are_built_again(tmp_path, cache, file, damage):
    source = ImageSource(folder=write_folder(tmp_path / "pets"))
    first = open_dataset(source, 16)
    victim = only_entry(cache) / file
    if damage == "removed":
        victim.unlink()
    else:
        os.truncate(victim, 0 if damage == "emptied" else victim.stat().st_size - 1)
    reported = []
    again = open_dataset(source, 16, lambda *call: reported.append(call))
    assert reported, "it was decoded again"
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train.images, pixels_in(tmp_path / "pets", "train"))
    assert not temporaries(cache)


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        "[" * 100_000,
        "{}",
        "null",
        '{"format": 99, "sizes": {}}',
        '{"format": 1, "sizes": 3}',
        '{"format": 1, "sizes": {}}',
        "\x00",
    ],
)
def test_invalid_metadata_is_built_again(tmp_path, cache, metadata):
    source = ImageSource(folder=write_folder(tmp_path / "pets"))
    open_dataset(source, 16)
    (only_entry(cache) / "dataset.json").write_text(metadata)
    assert len(open_dataset(source, 16).train) == 6
    assert json.loads((only_entry(cache) / "dataset.json").read_text())["format"] == 1


def test_an_unchanged_archive_is_not_read_again(tmp_path, monkeypatch):
    archive = zip_of(write_folder(tmp_path / "pets"), tmp_path / "pets.zip")
    os.utime(archive, (1e9, 1e9))
    first = open_dataset(ImageSource(folder=archive), 16)
    content = archive.read_bytes()
    archive.write_bytes(b"x" * len(content))  # same size and, below, same time: only reading it shows the change
    os.utime(archive, (1e9, 1e9))
    assert open_dataset(ImageSource(folder=archive), 16).fingerprint == first.fingerprint
    os.utime(archive, (1e9 + 1, 1e9 + 1))
    with pytest.raises(UserError, match="not an archive"):
        open_dataset(ImageSource(folder=archive), 16)
    moved = tmp_path / "moved.zip"
    moved.write_bytes(content)
    monkeypatch.setattr("ablate.data.cache.build_entry", lambda *_: pytest.fail("decoded again"))
    assert open_dataset(ImageSource(folder=moved), 16).name == "moved"


def test_reopening_maps_the_arrays_without_decoding(tmp_path, monkeypatch):
    source = ImageSource(folder=write_folder(tmp_path / "pets"))
    open_dataset(source, 64)
    monkeypatch.setattr("ablate.data.decoding.decode", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr("ablate.data.cache.build_entry", lambda *_: pytest.fail("built again"))
    data = open_dataset(source, 64)
    assert isinstance(data.train.images, np.memmap)
    assert data.train.images.base is not None


def test_a_read_only_cache_is_readable(tmp_path, cache):
    archive = zip_of(write_folder(tmp_path / "pets"), tmp_path / "pets.zip")
    first = open_dataset(ImageSource(folder=archive), 16)
    shutil.rmtree(cache / "contents", ignore_errors=True)
    (cache / "contents").write_text("in the way")  # unlike permissions, this stops root too
    assert open_dataset(ImageSource(folder=archive), 16).fingerprint == first.fingerprint


def test_the_error_names_a_cache_that_is_not_writable(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "pets")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        UserError, match=r"Cannot write to the data cache .*file/cache/decoded: Not a directory\. .* ABLATE_CACHE"
    ) as caught:
        open_dataset(ImageSource(folder=folder), 16)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_the_error_names_a_cache_without_write_permission(tmp_path, cache):
    folder = write_folder(tmp_path / "pets")
    cache.mkdir(mode=0o500)
    with pytest.raises(UserError, match=r"Cannot write to the data cache .*: Permission denied"):
        open_dataset(ImageSource(folder=folder), 16)


def test_a_failed_write_leaves_no_entry(tmp_path, cache, start):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    child = start(folder, setup=limit)
    _, errors = output_of(child)
    assert child.returncode == 1
    assert "UserError: Cannot write to the data cache" in errors.splitlines()[-1]
    assert "File too large" in errors.splitlines()[-1]
    assert not [path for path in (cache / "decoded").iterdir() if path.is_dir()]
    assert len(open_dataset(ImageSource(folder=folder), 16).train) == 300


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    linux = sys.platform == "linux" and shutil.which("mount") is not None
    if not linux or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk_gives_a_one_line_error(tmp_path, small_disk, monkeypatch, foreseen):
    monkeypatch.setenv("ABLATE_CACHE", str(small_disk / "cache"))
    if not foreseen:  # another program fills the disk in the meantime
        monkeypatch.setattr("ablate.data.cache.check_space", lambda *_: None)
    folder = write_folder(tmp_path / "pets", counts={"train": 90, "test": 10})
    with pytest.raises(UserError, match=r"needs 4 MB in .*free" if foreseen else "No space left on device"):
        open_dataset(ImageSource(folder=folder), 64)
    assert not [path for path in (small_disk / "cache/decoded").iterdir() if path.is_dir()]


def test_ctrl_c_during_decoding_leaves_no_entry(tmp_path, cache):
    def interrupt(_what, done, _total):
        if done:
            raise KeyboardInterrupt

    folder = write_folder(tmp_path / "pets")
    with pytest.raises(KeyboardInterrupt):
        open_dataset(ImageSource(folder=folder), 16, interrupt)
    assert not temporaries(cache)
    assert len(open_dataset(ImageSource(folder=folder), 16).train) == 6


@pytest.mark.slow
def test_kills_at_random_times(tmp_path, cache, start):
    folder = write_folder(tmp_path / "pets", counts={"train": 400, "test": 50}, size=64)
    begin = time.perf_counter()
    expected = output_of(start(folder))[0].splitlines()[-1].split()[0]
    duration = time.perf_counter() - begin
    shutil.rmtree(cache)
    generator = random.Random(0)
    finished = 0
    for _ in range(100):
        child = start(folder)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(generator.uniform(0.1, 1.5) * duration)
        child.kill()
        output = output_of(child)[0].splitlines()
        if child.returncode == 0:
            finished += 1
            assert output[-1].split()[0] == expected
            shutil.rmtree(cache)
        assert len(temporaries(cache)) <= 1
    assert 0 < finished < 100
    assert open_dataset(ImageSource(folder=folder), 16).fingerprint == expected
    assert not temporaries(cache)
