"""Compiled kernels are loaded from a folder and a file that are not writable by others."""

from __future__ import annotations

import _socket
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.studies.conditions import RequestedConditions
from ablate.workloads.resnet9.devices import kernel_error, resolve_conditions
from ablate.workloads.resnet9.kernels import compile as compile_kernels

pytestmark = pytest.mark.skipif(
    not compile_kernels.compiler() or sys.platform != "linux", reason="there is no C++ compiler"
)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, whose kernels are those of the session's."""
    compiled = compile_kernels.library()._name
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))

    def copy(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if "-o" in command:
            shutil.copyfile(compiled, command[-1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(compile_kernels.subprocess, "run", copy)
    compile_kernels.library.cache_clear()
    yield tmp_path / "kernels"
    compile_kernels.library.cache_clear()


@pytest.mark.parametrize("damage", [b"", b"not a library", None])
def test_a_damaged_or_foreign_library_is_compiled_again(own_cache: Path, damage: bytes | None) -> None:
    load = compile_kernels.library.__wrapped__
    load()
    (path,) = own_cache.glob("*.so")
    whole = path.read_bytes()
    if damage is None:
        path.chmod(0o777)
    else:
        path.unlink()
        path.write_bytes(damage)
    assert load().forward_float32 is not None
    assert path.read_bytes() == whole
    assert path.stat().st_mode & 0o022 == 0


def test_kernels_are_not_loaded_from_a_folder_that_others_can_write(
    own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_cache.mkdir()
    own_cache.chmod(0o777)
    assert "not used" in str(kernel_error())
    assert resolve_conditions(RequestedConditions(device="cpu")).fused is False
    assert capsys.readouterr().err.count(str(own_cache)) == 1
    assert list(own_cache.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_kernels_are_not_loaded_from_a_folder_that_others_can_replace(own_cache: Path, mode: int) -> None:
    own_cache.mkdir(mode=0o700)
    own_cache.parent.chmod(mode)
    assert ("not used" in str(kernel_error())) == (mode == 0o777)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"0" * 10**6, None])
def test_a_library_with_a_damaged_digest_is_compiled_again(own_cache: Path, damage: bytes | None) -> None:
    load = compile_kernels.library.__wrapped__
    load()
    (path,) = own_cache.glob("*.sha256")
    whole = path.read_bytes()
    path.unlink()
    if damage is None:
        os.mkfifo(path)
    else:
        path.write_bytes(damage)
    assert load().forward_float32 is not None
    assert path.read_bytes() == whole


@pytest.mark.parametrize("suffix", [".so", ".sha256"])
def test_a_folder_in_the_place_of_a_library_or_digest_is_replaced(own_cache: Path, suffix: str) -> None:
    load = compile_kernels.library.__wrapped__
    load()
    (path,) = own_cache.glob(f"*{suffix}")
    path.unlink()
    (path / "part").mkdir(parents=True)
    assert load().forward_float32 is not None
    assert path.is_file()


def test_folders_of_killed_compilations_are_removed(own_cache: Path) -> None:
    for age in (0, 10**4):
        (own_cache / f"unfinished-{age}").mkdir(parents=True, mode=0o700)
        os.utime(own_cache / f"unfinished-{age}", (time.time() - age,) * 2)
    own_cache.chmod(0o700)
    compile_kernels.library.__wrapped__()
    assert [path.name for path in own_cache.glob("unfinished*")] == ["unfinished-0"]


@pytest.mark.parametrize("content", ["truncated", "another library"])
def test_another_library_with_a_correct_digest_is_compiled_again(
    own_cache: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_kernels, "_name", lambda _: content)  # a process loads each path once
    compile_kernels._compile("compiler", own_cache.parent / "whole.so")
    whole = (own_cache.parent / "whole.so").read_bytes()
    own_cache.mkdir(mode=0o700)
    path = own_cache / f"{content}.so"
    path.write_bytes(whole[: len(whole) // 2] if content == "truncated" else Path(_socket.__file__).read_bytes())
    path.with_suffix(".sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    assert compile_kernels.library.__wrapped__().forward_float32 is not None
    assert path.read_bytes() == whole


COMPILERS = {
    "that fails, with a message that is not UTF-8": (
        "printf '\\377 error\\n' >&2; echo part > $out; exit 1",
        "could not compile",
    ),
    "that is killed": ("echo part > $out; kill -9 $$", "could not compile"),
    "that writes nothing": ("exit 0", "wrote no library"),
    "that writes a folder": ("mkdir -p $out/part", "wrote no library"),
    "that writes a pipe": ("mkfifo $out", "wrote no library"),
    "that writes a link": ("ln -s /bin/sh $out", "wrote no library"),
    "that does not end": ("echo part > $out; exec sleep 600", "did not end"),
    "with a child that does not end": ("sleep 20; true", "did not end"),
    "with a long message": ("yes | head -c 20000000 | tr -d '\\n' >&2; exit 1", "could not compile.{,400}$"),
}


@pytest.mark.parametrize("how", COMPILERS)
def test_a_failed_compilation_is_an_error_without_leftovers(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, message = COMPILERS[how]
    program = tmp_path / "compiler"
    program.write_text(
        f'#!/bin/bash\nif [ "$1" = --version ]; then printf "\\377"; exit; fi\nout=${{@: -1}}\n{script}\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compile_kernels, "_LONGEST", 2)
    with pytest.raises(UserError, match=message):
        compile_kernels.library.__wrapped__()
    assert list((tmp_path / "cache" / "kernels").iterdir()) == []


def test_a_compiler_that_makes_no_library_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "compiler"
    program.write_text("#!/bin/bash\n[ $1 = --version ] || head -c 5000 /bin/sh > ${@: -1}\n")
    program.chmod(0o700)
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="no complete library"):
        compile_kernels.library.__wrapped__()


def test_a_compiler_that_does_not_print_its_version_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "compiler"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setattr(compile_kernels, "_LONGEST_ANSWER", 1)
    with pytest.raises(UserError, match="did not end within 1 s"):
        compile_kernels.library.__wrapped__()


def test_a_compiler_that_cannot_be_started_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "compiler"
    program.write_text("#!/nowhere/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("CXX", str(program))
    with pytest.raises(UserError, match="cannot be used"):
        compile_kernels.library.__wrapped__()
