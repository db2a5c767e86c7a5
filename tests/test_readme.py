"""The README: its commands run, or a reason is given here; its studies and tables are up to date."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.resnet9.factors import FACTORS
from tests import ROOT, doc_blocks
from tests.samples.tracking import mlflow_project

README = (ROOT / "README.md").read_text()


TYPED = re.findall(r"^\$ ((?:ablate|make) .*)$", README, re.MULTILINE)


COMMANDS = [re.sub(r"\s+#.*", "", line).strip() for line in TYPED]


RUN_ELSEWHERE = {
    "ablate run --data-dir cifar10.tgz --preset laptop": "needs CIFAR-10; planned below with the digits",
    "ablate sweep experiments/laptop.py --name mine": "takes hours on CIFAR-10; planned below with the digits",
    "ablate sweep experiments/laptop.py --name mine --data-dir cifar10.tgz --seeds 5": "the same",
    "ablate report --experiment theirs --metric val_acc --dry-run": "needs an experiment; tests/cli makes one",
    'ablate report --experiment theirs --metric val_acc --baseline "model=resnet"': "the same",
    "ablate ui": "runs until it is stopped; tests/tracking/mlflow_backend/test_ui.py starts and stops it",
}


QUICK = ["--epochs", "1", "--width", "2", "--threads", "1"]
SHORTER = {
    "ablate run --preset demo --no-augment": QUICK,
    "ablate sweep experiments/demo.py": [*QUICK, "--seeds", "1", "--executor", "serial"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    mlflow_project(folder)
    (folder / "experiments").symlink_to(ROOT / "experiments")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / "runs.csv").symlink_to(ROOT / "reports" / "example" / "runs.csv")
    return folder


def test_every_ablate_command_in_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    commands = [command.strip() for command in COMMANDS if command.startswith("ablate ")]
    assert set(RUN_ELSEWHERE) <= set(commands)
    for command in commands:
        if command in RUN_ELSEWHERE:
            continue
        result = CliRunner().invoke(app, [*shlex.split(command)[1:], *SHORTER.get(command, [])])
        assert result.exit_code == 0, f"{command}: {result.output}"
    assert (project / "reports" / "demo" / "report.html").exists()
    assert (project / "reports" / "runs" / "report.md").exists()


@pytest.mark.slow
def test_the_long_study_can_be_planned(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    arguments = ["sweep", "experiments/laptop.py", "--dataset", "digits", "--train-size", "all", "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "400 runs" in result.output


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [command.split()[1] for command in COMMANDS if command.startswith("make ")]
    assert targets
    assert all(re.search(rf"^{target}:.*## ", makefile, re.MULTILINE) for target in targets)


def test_the_demo_leaves_the_checkout_clean() -> None:
    """A tracked file that `make demo` rewrites would be an uncommitted change."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a checkout")
    tracked = subprocess.run(["git", "ls-files", "mlruns", "reports/demo"], cwd=ROOT, capture_output=True, check=True)
    assert tracked.stdout.decode().split() == ["mlruns/.gitkeep"]
    outputs = ["mlruns/journal/key-data-0.jsonl", "mlruns/mlflow.db", "reports/demo/report.md", ".venv/installed"]
    ignored = subprocess.run(["git", "check-ignore", *outputs], cwd=ROOT, capture_output=True, check=True)
    assert ignored.stdout.decode().split() == outputs


def test_the_study_in_the_readme_runs(tmp_path: Path) -> None:
    text = re.search(r'```python\n(""".*?study = .*?)```', README, re.DOTALL)
    assert text
    path = tmp_path / "mixing.py"
    path.write_text(text[1])
    assert len(load_study(path).recipes()) == 8 * 3


def test_the_factor_in_the_readme_is_the_one_in_the_registry() -> None:
    text = re.search(r"```python\n(@_register.*?)```", README, re.DOTALL)
    assert text
    assert text[1] in (ROOT / "ablate" / "workloads" / "resnet9" / "factors.py").read_text()


def test_the_front_page_shows_a_report() -> None:
    """tests/test_docs.py checks the marked table against the committed runs."""
    block = doc_blocks.blocks(ROOT / "README.md")["laptop-report"]
    rows = doc_blocks.effects("laptop")
    assert len(rows) == 7
    for row in rows:
        bounds = f"[{row['fw_low']:.2f}, {row['fw_high']:.2f}]"
        assert f"| `{row['variant']}` | {row['verdict']} | {row['delta']:+.2f} | {bounds} |" in block


def test_the_first_screen_is_a_summary_the_figure_and_two_commands() -> None:
    parts = re.split(r"\n{2,}", README.partition("\n## ")[0])
    title, summary, figure, caption, typed, requirements = (part.strip() for part in parts)
    assert title == "# ablate"
    assert len(re.findall(r"[.?](?= [A-Z`]|\*\*|$)", summary)) == 2
    assert "forest-narrow.png" in figure
    assert "forest.png" in figure
    assert len(caption.splitlines()) == 1
    assert re.findall(r"^\$ (make \w+)", typed, re.MULTILINE) == ["make demo", "make test"]
    assert len(requirements.splitlines()) <= 3


def test_the_numbers_of_components_are_right() -> None:
    assert (len(FACTORS), len(FACTORS.baseline)) == (14, 7)
    assert "one ResNet9 with fourteen components" in README
    assert "seven candidates" in README
