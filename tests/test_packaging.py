"""The distribution: its name, its files, and the other project on the package index named `ablate`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import ablate
import ablate_study
from ablate.doctor.machine import check_package
from ablate.doctor.types import DoctorContext
from ablate.tracking import Project
from tests import ROOT

LEFT_OUT = shutil.ignore_patterns(
    *(".*", "__pycache__", "mlruns", "reports", "docs", "build", "dist", "*.egg-info"),
    *(f"test_{letter}*.py" for letter in "abcdefghijklmnopqrstuvwxyz"),  # one file shows that tests stay out
)
BUILD = """\
import sys
from setuptools import build_meta
print(getattr(build_meta, "build_" + sys.argv[1])(sys.argv[2]))
"""
THEIRS = {
    "ablate/__init__.py": "from .report import Report\n\n__version__ = '0.2.3'\n",
    "ablate/report.py": "class Report:\n    pass\n",
    "ablate-0.2.3.dist-info/METADATA": "Metadata-Version: 2.4\nName: ablate\nVersion: 0.2.3\n",
    "ablate-0.2.3.dist-info/RECORD": "ablate/__init__.py,,\nablate/report.py,,\nablate-0.2.3.dist-info/METADATA,,\n",
}
"""The files of the other project that matter here."""


@dataclass(frozen=True)
class Environment:
    """An empty environment that finds the dependencies of the tests, but not this checkout."""

    folder: Path

    @property
    def packages(self) -> Path:
        return next((self.folder / "lib").glob("python*/site-packages"))

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment."""
        program, *arguments = command
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def built(kind: str, source: Path, target: Path) -> Path:
    """Build the source tree into `target`, with the setuptools of this environment; return the archive."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(target)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


def names_in(archive: Path) -> set[str]:
    """Return the names of the files in an archive; of a source archive without its top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as tar:
        return {member.name.partition("/")[2] for member in tar if member.isfile()}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source archive, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "checkout", ignore=LEFT_OUT)
    (folder / "checkout" / "tests" / "test_nothing.py").touch()
    source = built("sdist", folder / "checkout", folder)
    with tarfile.open(source) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    return source, built("wheel", next((folder / "unpacked").iterdir()), folder)


@pytest.fixture(scope="module")
def environment(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    made = Environment(folder)
    installer = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*installer, "install", "--quiet", "--no-deps", "--no-index", str(archives[1])], check=True)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (made.packages / "dependencies.pth").write_text("\n".join(libraries) + "\n")  # their own .pth files are not read
    return made


def test_every_extra_that_a_message_names_exists() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "ablate").rglob("*.py"))
    named = {*re.findall(r"ablate-study\[(\w+)\]", sources)}
    named |= {*re.findall(r'optional_library\("[\w.]+", "(\w+)"', sources)}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"ray", "excel", "parquet"} <= named <= extras.keys()


def test_the_name_is_written_alike_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == ablate.DISTRIBUTION == ablate_study.DISTRIBUTION
    assert project["scripts"] == {"ablate": "ablate_study:main"}


def test_no_page_and_no_message_advises_the_other_project() -> None:
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "ablate").rglob("*.py"),
        ROOT / "pyproject.toml",
    ]
    advice = re.compile(r"pip install[^\n`]*?\bablate(?!-study|\w)|\bablate\[")
    assert not {path.name: found[0] for path in pages if (found := advice.search(path.read_text()))}


def test_both_archives_hold_everything_that_runs_and_no_tests(archives: tuple[Path, Path]) -> None:
    checkout = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ablate").rglob("*") if path.is_file()}
    package = {name for name in checkout if "__pycache__" not in name} | {"ablate_study.py"}
    assert {"ablate/py.typed", "ablate/workloads/resnet9/kernels/tiles.h"} < package
    assert any(name.endswith(".cpp") for name in package)
    assert any(name.startswith("ablate/cli/templates/") for name in package)
    source, wheel = map(names_in, archives)
    assert package | {"LICENSE", "README.md", "pyproject.toml"} <= source
    assert {name for name in wheel if ".dist-info/" not in name} == package
    assert any(name.endswith("/LICENSE") for name in wheel)
    assert not [name for name in source | wheel if name.startswith(("tests", "benchmarks"))]


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(environment: Environment, tmp_path: Path) -> None:
    """The command as a shell starts it: exit code, streams, and no warnings."""
    where = environment.run("python", "-c", "import ablate; print(ablate.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(environment.packages)
    command = ["run", "--preset", "demo", "--epochs", "1", "--threads", "1", "--json"]
    done = environment.run("ablate", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"Traceback|\w+Warning:", done.stderr), done.stderr
    assert "width 8, 1 epoch" in done.stderr
    assert "test/accuracy" in json.loads(done.stdout)["metrics"]
    journal = next((tmp_path / "mlruns" / "journal").glob("*.jsonl"))
    begun = json.loads(journal.read_text().splitlines()[0])
    assert begun["environment"]["versions"]["ablate"] == ablate.__version__
    assert begun["conditions"]["fused"], "the kernels were not compiled"
    assert environment.run("ablate", "init", "mine.py", cwd=tmp_path).returncode == 0
    assert "from_function" in (tmp_path / "mine.py").read_text()


def spoilt(environment: Environment, folder: Path, files: dict[str, str], removed: Sequence[str] = ()) -> Environment:
    """Return a copy of the environment in which another installation wrote or removed files."""
    copy = Environment(folder)
    shutil.copytree(environment.folder, folder, symlinks=True)
    script = folder / "bin" / "ablate"
    script.write_text(f"#!{folder / 'bin' / 'python'}\n" + script.read_text().partition("\n")[2])
    for name, text in files.items():
        (copy.packages / name).parent.mkdir(parents=True, exist_ok=True)
        (copy.packages / name).write_text(text)
    for name in removed:
        (copy.packages / name).unlink()
    return copy


def test_the_other_project_installed_over_ours_is_named(environment: Environment, tmp_path: Path) -> None:
    other = spoilt(environment, tmp_path / "environment", THEIRS)
    answer = other.run("ablate", "list", cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        "error: Files of the package 'ablate' are overwritten by another project named 'ablate' (version 0.2.3) ("
    )
    assert answer.stderr.endswith(
        "To repair the installation: "
        "pip uninstall --yes ablate, then pip install --force-reinstall --no-deps ablate-study\n"
    )
    assert answer.stderr.count("\n") == 1


def test_files_that_went_with_the_other_project_are_missed(environment: Environment, tmp_path: Path) -> None:
    other = spoilt(environment, tmp_path / "environment", {}, removed=["ablate/__init__.py", "ablate/py.typed"])
    answer = other.run("ablate", "list", cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: Files of the package 'ablate' are missing or overwritten. To repair")


def test_a_missing_module_of_ours_is_one_line_and_of_others_a_traceback(
    environment: Environment, tmp_path: Path
) -> None:
    other = spoilt(environment, tmp_path / "environment", {}, removed=["ablate/redaction.py"])
    answer = other.run("ablate", "list", cwd=tmp_path)
    assert answer.stderr.startswith("error: Files of the package 'ablate' are missing or overwritten (No module named")
    (other.packages / "ablate" / "redaction.py").write_text("import no_such_library\n")
    assert "Traceback" in other.run("ablate", "list", cwd=tmp_path).stderr


def test_doctor_finds_the_other_project_before_it_does_harm(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = DoctorContext(Project(tmp_path))
    assert [finding.state for finding in check_package(here)] == ["ok"]
    for name in ("METADATA", "RECORD"):
        path = tmp_path / "other" / "ablate-0.2.3.dist-info" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(THEIRS[f"ablate-0.2.3.dist-info/{name}"])
    monkeypatch.syspath_prepend(tmp_path / "other")
    (finding,) = check_package(here)
    assert finding.state == "problem"
    assert "another project named 'ablate' (version 0.2.3)" in finding.text
    assert finding.remedy == ablate_study.REINSTALL
