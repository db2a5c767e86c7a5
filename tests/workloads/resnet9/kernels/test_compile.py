"""Compiled kernels are loaded from a folder and a file that are not writable by others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
