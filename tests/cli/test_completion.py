"""The Tab key: what it offers, off declarations and journals alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from ablate.cli import completion
from ablate.cli.app import app
from ablate.cli.options import names
from ablate.data import named_datasets
from ablate.journal.run_journal import Journals
from ablate.runs.executors import EXECUTORS
from ablate.studies.designs import DESIGNS
from ablate.workloads.resnet9.devices import PRECISIONS
from ablate.workloads.resnet9.factors import FACTORS


@pytest.fixture
def runs(project: Path) -> Path:
    """A project with two runs, a study file, a report, and a journal that was cut off in its first line."""
    journals = Journals(project / "mlruns" / "journal")
    journals.folder.mkdir()
    for key, variant, seed in (("0" * 12, "baseline", 0), ("1" * 12, "no-augment", 3)):
        start = {"record": "start", "time": 1.0, "variant": variant, "recipe": {"seed": seed}, "study": "first"}
        journals.path(f"{key}-{'d' * 12}-0").write_text(json.dumps(start) + "\n")
    journals.path(f"{'2' * 12}-{'d' * 12}-0").write_text('{"record": "sta')
    (project / "experiments").mkdir()
    (project / "experiments" / "mine.py").touch()
    (project / "reports" / "older").mkdir(parents=True)
    (project / "reports" / "older" / "report.md").touch()
    return project


def offered(line: str) -> list[str]:
    words = line.split()
    position = len(words) if line.endswith(" ") else len(words) - 1
    environment = {"_ABLATE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(position)}
    result = CliRunner().invoke(app, [], env=environment, prog_name="ablate")
    assert result.exit_code == 0, result.output
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ablate sw", ["sweep"]),
        ("ablate run --no-aug", ["--no-augment"]),
        ("ablate run --compi", ["--compile"]),
        ("ablate sweep --help-a", ["--help-all"]),
        ("ablate run --optimizer adamw", ["adamw"]),
        ("ablate run --lr-schedule-shape co", ["cosine"]),
        ("ablate run --preset l", ["laptop"]),
        ("ablate sweep ", ["experiments/mine.py"]),
        ("ablate sweep --factors augment,batch", ["augment,batch-norm"]),
        ("ablate sweep --design ", sorted(DESIGNS)),
        ("ablate show ", ["baseline/s0", "no-augment/s3"]),
        ("ablate compare base", ["baseline", "baseline/s0"]),
        ("ablate report ", ["first", "older"]),
        ("ablate list --experiment f", ["first"]),
    ],
)
def test_names_are_offered(line: str, expected: list[str], runs: Path) -> None:
    assert offered(line) == expected


def test_nothing_is_offered_where_nothing_is(project: Path) -> None:
    assert offered("ablate show ") == []
    (project / "mlruns" / "journal").write_text("not a folder")
    assert offered("ablate show ") == []


def test_the_words_are_those_that_the_commands_take() -> None:
    assert names.DATASETS == named_datasets.DATASETS
    assert names.EXECUTORS == EXECUTORS
    assert names.PRECISIONS == PRECISIONS
    for device in set(names.DEVICES) - {"auto"}:
        assert torch.device(device).type == device
    assert set(completion._factor_lists("")) == {factor.flag for factor in FACTORS.values()}


def test_it_imports_nothing_heavy(runs: Path) -> None:
    code = (
        "import sys\nfrom ablate.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'mlflow', 'matplotlib', 'pandas', 'scipy', 'ray'} & set(sys.modules)), file=sys.stderr)"
    )
    script = runs / "ablate"
    script.write_text(code)
    environment = {"_ABLATE_COMPLETE": "complete_bash", "COMP_WORDS": "ablate show no", "COMP_CWORD": "2"}
    command = [sys.executable, str(script)]
    answer = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["no-augment/s3"]
    assert answer.stderr.strip() == "[]"
