"""Runs that commit: the history of the project is there, and stays as it was."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.workloads.custom.mirror import Mirror
from ablate.workloads.custom.private_repository import copy_repository
from tests.workloads.custom.test_mirror import inside, mirror_of

HISTORY = ("log", "--all", "--format=%h %s"), ("for-each-ref",), ("ls-files", "-s"), ("stash", "list"), ("config", "-l")
CHANGES = """
echo 2 > a.txt; git add a.txt; git commit -qm second; git tag v2
git checkout -qb other; git branch -D -q main
echo 3 > a.txt; git stash -q; git config user.email new@example.org
git gc -q --prune=now; git fsck --no-progress
echo 2 > b.txt; git add b.txt; echo exit 1 > .git/hooks/pre-commit
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.replace(str(folder), "")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in ("user.name", "user.email"):
        git(folder, "config", name, "me@example.org")
    (folder / "a.txt").write_text("1\n", encoding="utf-8")
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "first")
    return folder


def view_of(project: Path, folder: Path | None = None) -> tuple[Mirror, Path]:
    mirror = mirror_of(project)
    mirror.restore([folder or project])
    return mirror, inside(mirror, folder or project)


def test_a_run_that_changes_the_repository_changes_its_own(repository: Path) -> None:
    before = [git(repository, *part) for part in HISTORY]
    mirror, view = view_of(repository)
    assert [git(view, *part) for part in HISTORY] == before
    assert git(view, "status", "--short") == ""
    subprocess.run(["sh", "-ec", CHANGES], cwd=view, check=True, capture_output=True)
    assert git(view, "log", "--format=%s", "-1") == "second\n"
    assert [git(repository, *part) for part in HISTORY] == before
    mirror.restore([repository])
    assert [git(view, *part) for part in HISTORY] == before, "the next run starts from the original"


def linked(repository: Path) -> Path:
    git(repository, "worktree", "add", "-q", "../linked", "-b", "side")
    return repository.parent / "linked"


def below(repository: Path) -> Path:
    (repository / "part").mkdir()
    return repository / "part"


def submodule(repository: Path) -> Path:
    git(repository, "clone", "-q", str(repository), str(repository.parent / "other"))
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../other", "sub")
    return repository / "sub"


@pytest.mark.parametrize("make", [linked, below, submodule])
def test_other_places_of_a_repository(repository: Path, make: Callable[[Path], Path]) -> None:
    project = make(repository)
    before = git(repository, "for-each-ref"), git(project, "log", "--format=%h")
    _, view = view_of(project)
    assert git(view, "rev-parse", "HEAD") == git(project, "rev-parse", "HEAD")
    (view / "new.txt").touch()
    git(view, "add", "new.txt")
    git(view, "-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qm", "second")
    assert (git(repository, "for-each-ref"), git(project, "log", "--format=%h")) == before


def test_what_is_no_repository_or_too_large_is_left_alone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n", encoding="utf-8")
    for original in (tmp_path / ".git", tmp_path / "project" / "a.txt", tmp_path):
        assert not copy_repository(original, tmp_path / "place")
    monkeypatch.setattr("ablate.workloads.custom.private_repository.MOST_FILES", 2)
    assert not copy_repository(repository / ".git", tmp_path / "place")
    assert not os.path.lexists(tmp_path / "place")
