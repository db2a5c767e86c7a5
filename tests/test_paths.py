"""The cache folder: the user's, or a private temporary one for users without a home folder."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import platformdirs
import pytest

from ablate.errors import UserError
from ablate.paths import cache_folder, provide_home


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without HOME and without an entry in the list of users; return the temporary cache folder."""

    def fail(name: str) -> str:
        raise RuntimeError(f"no home for {name}")

    monkeypatch.delenv("ABLATE_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"ablate-{os.getuid()}"


def test_a_user_without_a_home_has_a_temporary_cache(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == no_home
    assert no_home.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == no_home, "the second time, too"
    monkeypatch.setenv("ABLATE_CACHE", "~unknown-user/cache")
    assert cache_folder() == Path("~unknown-user/cache").absolute()


def test_a_user_without_a_home_gets_one_for_libraries(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_user: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", fail)
    monkeypatch.setenv("HOME", "/home/me")
    provide_home()
    assert os.environ["HOME"] == "/home/me"
    monkeypatch.delenv("HOME")
    provide_home()
    assert os.environ["HOME"] == str(no_home)


@pytest.mark.parametrize("kind", ["writable by others", "a link"])
def test_a_temporary_cache_that_others_can_change_is_refused(no_home: Path, kind: str, tmp_path: Path) -> None:
    if kind == "a link":
        no_home.symlink_to(tmp_path)
    else:
        no_home.mkdir()
        no_home.chmod(0o777)
    with pytest.raises(UserError, match="Set ABLATE_CACHE"):
        cache_folder()
