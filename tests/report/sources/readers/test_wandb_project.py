"""Projects of W&B, which the public API of `wandb` reads from a local server."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.readers.wandb_project import read_wandb
from ablate.report.sources.status_words import WORDS
from ablate.report.study_data import StudyData
from tests.samples.wandb_log import write_wandb_log
from tests.samples.wandb_server import run_node, wandb_server

KEY = "a" * 40
STATES = ("finished", "crashed", "failed", "killed", "running", "preempted", "preempting", "pending")
CONFIG = {"optimizer": {"name": "sgd", "betas": [0.9, 0.99]}, "seed": 1, "amp": True}


def runs_of_a_project() -> list[dict[str, Any]]:
    runs = []
    for variant in ("base", "wide"):
        for seed in range(15):
            score = 0.5 + 0.05 * (variant == "wide") + 0.001 * seed
            rows = [{"val/acc": score + 0.1 * epoch, "val/loss": (1, 0.5, 0.75)[epoch], "epoch": 10 * epoch}
                    for epoch in range(3)]  # fmt: skip
            runs.append(run_node(f"{variant}-seed{seed}", {"lr": 0.1}, rows))
    return runs


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("wandb", reason="wandb, the extra `wandb`, is not installed")
    history = [{"acc": 0.5, "time.train": 1.5}, {"acc": "NaN"}]
    more = {"group": "g", "jobType": "train", "sweepName": "sw", "tags": ["a", "b"], "displayName": "first"}
    media = {"weights": {"_type": "histogram", "values": [1]}, "best": {"max": 0.5}, "text": "no number"}
    states = [run_node(state, CONFIG, [], state=state) for state in STATES]
    projects = {
        "lab/studies": runs_of_a_project(),
        "lab/one": [run_node("id1", CONFIG, history, summary=media, **more)],
        "lab/states": states,
        "lab/empty": [],
    }
    with wandb_server(projects) as address:
        yield address


@pytest.fixture
def connected(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


def read(project: str, **options: Any) -> RunTable:
    return read_wandb(project, TableOptions(**options))


def report(**options: Any) -> StudyData:
    given = TableOptions(**{"metric": "val/acc", "baseline": "base", "margin": 0.5, **options})
    return study_of("theirs", read_wandb("lab/studies", given), given)


def test_a_run(connected: None) -> None:
    runs = read("lab/one")
    assert {name: value for name, value in runs.table.loc["first"].items() if value} == {
        "status": "finished", "tags.name": "first", "tags.id": "id1", "tags.entity": "lab", "tags.project": "one",
        "tags.group": "g", "tags.job_type": "train", "tags.sweep": "sw", "tags.tags": "a,b",
        "params.optimizer.name": "sgd", "params.optimizer.betas": "[0.9, 0.99]", "params.seed": "1",
        "params.amp": "true", "metrics.acc": "nan", "metrics.time.train": "1.5", "metrics.best.max": "0.5",
        "metrics.text": "no number",
    }  # fmt: skip
    assert runs.source == "the W&B project lab/one"


def test_states(connected: None) -> None:
    assert list(read("lab/states").table["status"]) == list(STATES)
    assert {word for words in WORDS.values() for word in words.split()} >= set(STATES)


def test_the_summary_counts_without_a_step(connected: None) -> None:
    found = report()
    assert len(found.runs) == 30, "several pages of runs"
    assert "val/acc in the summary of each run" in found.statement
    assert round(found.runs["val_acc"].max(), 3) == 0.764


@pytest.mark.parametrize(("options", "most", "words"), [
    ({"step": "last"}, 0.764, "last recorded val/acc of each run"),
    ({"step": "1"}, 0.664, "val/acc at step 1 of each run"),
    ({"step": "best:val_loss"}, 0.664, "val/acc at the step with the lowest val/loss of each run"),
    ({"step": "20", "step_param": "epoch"}, 0.764, "val/acc at step 20 of each run"),
])  # fmt: skip
def test_histories(connected: None, options: dict[str, Any], most: float, words: str) -> None:
    found = report(**options)
    assert words in found.statement
    assert round(found.runs["val_acc"].max(), 3) == most


def test_mistakes_are_one_line(connected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for project in ("lab/none", "nobody/studies"):
        with pytest.raises(UserError, match=f"W&B project not found: {project}. Check the name, and that your API key"):
            read(project)
    with pytest.raises(UserError, match="No runs in the W&B project lab/empty"):
        read("lab/empty")
    with pytest.raises(UsageError, match=r"Unknown metric 'val_ac'. Did you mean 'val/acc'"):
        read("lab/studies", metric="val_ac", step="last")
    with pytest.raises(UsageError, match="--step needs the metric whose history is read"):
        read("lab/studies", step="last")
    monkeypatch.setenv("WANDB_API_KEY", "abc")
    with pytest.raises(UserError, match=r"Cannot read the W&B project lab/studies from http.* must have 40") as caught:
        read("lab/studies")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_one_line(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    importlib.import_module("wandb").teardown()  # which forgets the key of the other tests
    with pytest.raises(UserError, match=r"No API key of W&B. Set WANDB_API_KEY, or run `wandb login`"):
        read("lab/studies")


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"lab/studies needs wandb: pip install 'ablate-study\[wandb\]'"):
        read("lab/studies")


def test_a_folder_called_wandb_is_not_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(UserError, match="lab/studies needs wandb"):
        read("lab/studies")
    sys.modules.pop("wandb", None)  # the folder; the library, if it was imported, is restored


def test_a_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wandb_log(tmp_path / "lab" / "studies", {"id": "a", "name": "a"}, {"seed": 1}, [{"acc": 0.5}])
    monkeypatch.chdir(tmp_path)
    assert read("lab/studies").source == "W&B runs in lab/studies"
    for place in ("none", "./lab/none", "/lab/none", "../none"):
        with pytest.raises(UserError, match=r"Folder not found: .*none. Give a folder of W&B runs, or a project as"):
            read(place)
