"""The commit of a result is that of the code that was trained."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import ablate
from ablate.runs import provenance


def git(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a study, a report and code, all committed."""
    root = tmp_path / "project"
    for name in ("study.py", "model.py", "reports/study/report.md", "mlruns/kept.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    git(root, "init", "-q")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-qm", "first")
    provenance.commit.cache_clear()
    return root


def test_results_are_not_code(project: Path) -> None:
    (project / "reports/study/report.md").write_text("other\n")
    (project / "mlruns/kept.txt").write_text("other\n")
    (project / "notes.txt").write_text("not tracked\n")
    for study_file in (None, project / "study.py"):
        found = provenance.commit(project, study_file)
        assert found is not None
        assert (len(found.hash), found.diff) == (40, "")
        assert provenance.environment(project, study_file)["dirty"] is False


def test_changed_code_is_recorded(project: Path) -> None:
    (project / "model.py").write_text("other model\n")
    for study_file in (None, project / "study.py"):
        found = provenance.commit(project, study_file)
        assert found is not None
        assert "+other model" in found.diff
        assert provenance.environment(project, study_file)["dirty"] is True


def test_a_study_file_that_git_does_not_track_is_an_uncommitted_change(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "new study.py").write_text("a new study\n")
    found = provenance.commit(project, project / "sub" / "new study.py")
    assert found is not None
    assert "+a new study" in found.diff


def test_the_repository_is_that_of_the_study_file(project: Path, tmp_path: Path) -> None:
    (project / "model.py").write_text("other model\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "study.py").write_text("a study\n")
    assert provenance.commit(project, elsewhere / "study.py") is None, "not in a repository, though the project is"
    assert provenance.commit(elsewhere, elsewhere / "study.py") is None, "nor is the code that of this package"
    assert provenance.environment(elsewhere, elsewhere / "study.py")["commit"] is None
    ours = provenance.commit(elsewhere)
    assert ours == provenance.commit(Path(ablate.__file__).parent.parent)
    found = provenance.commit(elsewhere, project / "study.py")
    assert found is not None
    assert "+other model" in found.diff


def test_reports_in_the_checkout_of_this_package_are_not_code(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablate, "__file__", str(project / "package" / "__init__.py"))
    (project / "package").mkdir()
    (project / "reports/study/report.md").write_text("other\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = provenance.commit(elsewhere)
    assert found is not None
    assert found.diff == ""
    provenance.commit.cache_clear()
    (project / "model.py").write_text("other model\n")
    found = provenance.commit(elsewhere)
    assert found is not None
    assert "+other model" in found.diff
    assert "reports" not in found.diff


def test_a_long_change_is_cut_off(project: Path) -> None:
    (project / "model.py").write_text("long line of a table\n" * 100_000)
    found = provenance.commit(project)
    assert found is not None
    assert 900_000 < len(found.diff) < 1_100_000


def test_a_change_that_is_not_utf8_is_recorded_as_it_is(project: Path) -> None:
    (project / "model.py").write_bytes(b"# caf\xe9\n")
    found = provenance.commit(project)
    assert found is not None
    assert b"+# caf\xe9\n" in found.diff.encode(errors="surrogateescape")
    assert provenance.environment(project)["dirty"] is True


def test_the_programs_of_a_repository_are_not_executed(project: Path, tmp_path: Path) -> None:
    for name in ("diff.external", "diff.all.textconv"):
        git(project, "config", name, f"touch {tmp_path / 'executed'}; cat")
    git(project, "config", "core.fsmonitor", f"touch {tmp_path / 'executed'}; false")
    hook = project / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'executed'}\n")
    hook.chmod(0o700)
    git(project, "config", "color.ui", "always")
    (project / ".git/info/attributes").write_text("* diff=all\n")
    (project / "model.py").write_text("other model\n")
    found = provenance.commit(project)
    assert found is not None
    assert "\n+other model\n" in found.diff
    assert not (tmp_path / "executed").exists()


def test_a_hook_of_another_repository_does_not_determine_the_commit(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = provenance.commit(project)
    provenance.commit.cache_clear()
    git(tmp_path, "init", "-q", "other")
    for name, value in {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_WORK_TREE": "."}.items():
        monkeypatch.setenv(name, str(tmp_path / "other" / value))
    assert provenance.commit(project) == expected


def test_changes_that_git_cannot_list_count_as_changes(project: Path) -> None:
    (project / ".git/index").write_bytes(b"damaged")
    found = provenance.commit(project)
    assert found is not None
    assert found.diff == "# `git diff` failed: the uncommitted changes are unknown\n"


def test_a_repository_of_another_user_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provenance.refused_repository.cache_clear()
    assert provenance.refused_repository(project) is None
    assert provenance.refused_repository(project.parent) is None, "not a repository"
    provenance.refused_repository.cache_clear()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert provenance.refused_repository(project) == str(project)


def test_a_git_that_does_not_end_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "_TIMEOUT", 0.2)
    assert provenance._run_git(tmp_path, "status").returncode != 0
