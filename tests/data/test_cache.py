"""The cache is whole or not there: kills, races, cut files, full and read-only disks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ablate.data import Source, cache_folder, open_dataset
from ablate.errors import UserError
from tests.samples.data import pixels_in, write_folder, zip_of

OPEN = """
import sys, time
from pathlib import Path
from ablate.data import Source, open_dataset
gate, needed = Path(sys.argv[2]), int(sys.argv[3])
def progress(what, done, total):
    print(what, done, total, flush=True)
    if what.startswith("waiting"):
        with gate.open("a") as file:
            file.write("x")
    elif done:
        while gate.stat().st_size < needed:
            time.sleep(0.02)
data = open_dataset(Source(folder=Path(sys.argv[1])), 16, progress)
print(data.fingerprint, int(data.train.images.sum()), flush=True)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def start(folder: Path, needed: int = 0, setup: str = "") -> subprocess.Popen[str]:
    """Open a data set in another process, which tells its progress.

    Decoding pauses at the first hundred images until the file `gate` beside the folder has `needed` bytes; a process
    that has to wait for another one adds a byte to it.
    """
    gate = folder.with_name("gate")
    gate.touch()
    command = [sys.executable, "-c", setup + OPEN, str(folder), str(gate), str(needed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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


def test_the_place_of_the_cache(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("ABLATE_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
    monkeypatch.delenv("ABLATE_CACHE")
    assert cache_folder().name == "ablate"


def test_a_kill_in_mid_decoding_leaves_nothing_for_long(tmp_path, cache):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    child = start(folder, needed=1)
    wait_for_pause(child)
    assert len(temporaries(cache)) == 1, "decoding goes on under another name"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert len(temporaries(cache)) == 1
    data = open_dataset(Source(folder=folder), 16)
    assert len(data.train) == 300
    assert not temporaries(cache)


def test_another_data_set_clears_up_too_but_not_what_is_being_built(tmp_path, cache):
    one, two, three = (write_folder(tmp_path / name, counts={"train": 150, "test": 10}) for name in "abc")
    killed, living = start(one, needed=1), start(two, needed=1)
    for child in (killed, living):
        wait_for_pause(child)
    killed.kill()
    killed.communicate()
    assert len(temporaries(cache)) == 2
    open_dataset(Source(folder=three), 16)
    assert len(temporaries(cache)) == 1, "the killed one's is gone, the living one's is there"
    (tmp_path / "gate").write_text("x")
    output, _ = living.communicate()
    assert output.splitlines()[-1].split()[0] == open_dataset(Source(folder=two), 16).fingerprint
    assert not temporaries(cache)


def test_eight_at_once_decode_once(tmp_path):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    children = [start(folder, needed=7) for _ in range(8)]  # the one that decodes pauses until seven wait for it
    outputs = [child.communicate()[0].splitlines() for child in children]
    assert sum(any(line.startswith("decoding pets 0 ") for line in lines) for lines in outputs) == 1
    assert sum("waiting" in lines[0] for lines in outputs) == 7
    assert len({lines[-1] for lines in outputs}) == 1


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "dataset.json"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "gone"])
def test_a_cache_cut_short_is_built_anew(tmp_path, cache, file, damage):
    source = Source(folder=write_folder(tmp_path / "pets"))
    first = open_dataset(source, 16)
    victim = only_entry(cache) / file
    if damage == "gone":
        victim.unlink()
    else:
        os.truncate(victim, 0 if damage == "emptied" else victim.stat().st_size - 1)
    told = []
    again = open_dataset(source, 16, lambda *call: told.append(call))
    assert told, "it was decoded again"
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train.images, pixels_in(tmp_path / "pets", "train"))
    assert not temporaries(cache)


@pytest.mark.parametrize(
    "facts",
    [
        "[]",
        "{}",
        "null",
        '{"format": 99, "sizes": {}}',
        '{"format": 1, "sizes": 3}',
        '{"format": 1, "sizes": {}}',
        "\x00",
    ],
)
def test_facts_that_make_no_sense_are_not_believed(tmp_path, cache, facts):
    source = Source(folder=write_folder(tmp_path / "pets"))
    open_dataset(source, 16)
    (only_entry(cache) / "dataset.json").write_text(facts)
    assert len(open_dataset(source, 16).train) == 6
    assert json.loads((only_entry(cache) / "dataset.json").read_text())["format"] == 1


def test_an_archive_is_not_read_again_while_it_is_the_same(tmp_path, monkeypatch):
    archive = zip_of(write_folder(tmp_path / "pets"), tmp_path / "pets.zip")
    os.utime(archive, (1e9, 1e9))
    first = open_dataset(Source(folder=archive), 16)
    content = archive.read_bytes()
    archive.write_bytes(b"x" * len(content))  # same size and, below, same time: only reading it would tell
    os.utime(archive, (1e9, 1e9))
    assert open_dataset(Source(folder=archive), 16).fingerprint == first.fingerprint
    os.utime(archive, (1e9 + 1, 1e9 + 1))
    with pytest.raises(UserError, match="not an archive"):
        open_dataset(Source(folder=archive), 16)
    moved = tmp_path / "moved.zip"
    moved.write_bytes(content)
    monkeypatch.setattr("ablate.data.cache.build", lambda *_: pytest.fail("the content is in the cache"))
    assert open_dataset(Source(folder=moved), 16).name == "moved"


def test_reopening_is_quick_and_copies_nothing(tmp_path):
    source = Source(folder=write_folder(tmp_path / "pets", counts={"train": 500, "test": 10}))
    open_dataset(source, 64)
    start_time = time.perf_counter()
    data = open_dataset(source, 64)
    assert time.perf_counter() - start_time < 1
    assert isinstance(data.train.images, np.memmap)
    assert data.train.images.base is not None


def test_a_read_only_cache_serves_what_it_has(tmp_path, cache):
    archive = zip_of(write_folder(tmp_path / "pets"), tmp_path / "pets.zip")
    first = open_dataset(Source(folder=archive), 16)
    shutil.rmtree(cache / "contents", ignore_errors=True)
    (cache / "contents").write_text("in the way")  # works for root, too, whom permissions do not stop
    assert open_dataset(Source(folder=archive), 16).fingerprint == first.fingerprint


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "pets")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        UserError, match=r"file/cache/decoded cannot be written: Not a directory; .* ABLATE_CACHE"
    ) as caught:
        open_dataset(Source(folder=folder), 16)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path, cache):
    folder = write_folder(tmp_path / "pets")
    cache.mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be written: Permission denied"):
        open_dataset(Source(folder=folder), 16)


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path, cache):
    folder = write_folder(tmp_path / "pets", counts={"train": 150, "test": 10})
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    child = start(folder, setup=limit)
    _, errors = child.communicate()
    assert child.returncode == 1
    assert "UserError: the data cache" in errors.splitlines()[-1]
    assert "File too large" in errors.splitlines()[-1]
    assert not [path for path in (cache / "decoded").iterdir() if path.is_dir()]
    assert len(open_dataset(Source(folder=folder), 16).train) == 300


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    linux = sys.platform == "linux" and shutil.which("mount") is not None
    if not linux or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk_is_one_line_and_no_crash(tmp_path, small_disk, monkeypatch, foreseen):
    monkeypatch.setenv("ABLATE_CACHE", str(small_disk / "cache"))
    if not foreseen:  # another program fills the disk meanwhile
        monkeypatch.setattr("ablate.data.cache.check_space", lambda *_: None)
    folder = write_folder(tmp_path / "pets", counts={"train": 90, "test": 10})
    with pytest.raises(UserError, match=r"needs 4 MB in .*free" if foreseen else "No space left on device"):
        open_dataset(Source(folder=folder), 64)
    assert not [path for path in (small_disk / "cache/decoded").iterdir() if path.is_dir()]


def test_ctrl_c_while_decoding_leaves_nothing(tmp_path, cache):
    def interrupt(_what, done, _total):
        if done:
            raise KeyboardInterrupt

    folder = write_folder(tmp_path / "pets")
    with pytest.raises(KeyboardInterrupt):
        open_dataset(Source(folder=folder), 16, interrupt)
    assert not temporaries(cache)
    assert len(open_dataset(Source(folder=folder), 16).train) == 6


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path, cache):
    folder = write_folder(tmp_path / "pets", counts={"train": 400, "test": 50}, size=64)
    expected = open_dataset(Source(folder=folder), 16).fingerprint
    shutil.rmtree(cache)
    chance = random.Random(0)
    finished = 0
    for _ in range(100):
        child = start(folder)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(chance.uniform(0.1, 0.9))
        child.kill()
        output = child.communicate()[0].splitlines()
        if child.returncode == 0:
            finished += 1
            assert output[-1].split()[0] == expected
            shutil.rmtree(cache)
        assert len(temporaries(cache)) <= 1
    assert 0 < finished < 100
    assert open_dataset(Source(folder=folder), 16).fingerprint == expected
    assert not temporaries(cache)
