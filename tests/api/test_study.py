"""Studies, runs and searches from Python: what the commands do, without output."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import ablate
from ablate.api import progress
from ablate.api.surroundings import surroundings_kept
from ablate.cli.app import app
from ablate.errors import UsageError, UserError
from ablate.tracking.mlflow_backend.quiet import ignore_warnings, silence_mlflow
from tests.samples import toy

HOW: dict[str, Any] = {"jobs": 1, "offline": True}
QUICK: dict[str, Any] = {"epochs": 1, "width": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a study of three variants and four seeds."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study().run(**HOW)
    return folder


def study(**changes: Any) -> ablate.Study:
    given = {"name": "kitchen", "workload": toy.WORKLOAD, "factors": ["sugar", "salt"], "seeds": 4, "margin": 1}
    return ablate.Study(**{**given, **changes})


def test_a_study_is_planned_run_and_reported(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    handlers = list(logging.getLogger().handlers)
    planned = study(seeds=6).plan(**HOW)
    assert planned.runs["status"].tolist().count("missing") == 6
    assert "6 missing runs" in repr(planned)
    assert planned.detectable
    done = study().run(**HOW)
    assert (done.summary["ran"], done.summary["reused"]) == (0, 12)
    assert done.runs["variant"].tolist() == ["baseline", "no-sugar", "no-salt"] * 4
    report = study().report(offline=True)
    assert report.folder == project / "reports" / "kitchen"
    assert dict(zip(report.effects["variant"], report.effects["delta"].round(6), strict=True)) == {
        "no-sugar": -10,
        "no-salt": -2,
    }
    ax = Figure().subplots()
    assert report.plot("curves", ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "score")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    written = CliRunner().invoke(app, ["report", "kitchen", "--offline", "--output", "theirs", "--json"])
    assert written.exit_code == 0
    theirs = (project / "theirs" / "effects.csv").read_text()
    assert (report.folder / "effects.csv").read_text() == theirs


def test_failed_runs_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failing = study(factors=["luck"], seeds=1, values={"without_luck": "error"})
    with pytest.raises(UserError, match=r"1 of 2 runs failed. The first: no-luck/s0 .*--retry-failed reruns them"):
        failing.run(**HOW)
    assert failing.report(offline=True).analysis.study.counts.statuses["failed"] == 1


@pytest.mark.slow
def test_a_run_of_the_built_in_network_has_metrics_history_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    choice: dict[str, Any] = {"preset": "demo", "off": ["augment"], "values": QUICK, "offline": True, "threads": 1}
    ablate.run(**choice)
    run = ablate.run(**choice)
    assert (run.name, run.status in ("finished", "unstable")) == ("no-augment/s0", True)
    assert "made earlier" in repr(run)
    assert 0 <= run.metrics["test/accuracy"] <= 1
    assert run.history["step"].tolist() == [0, 1]
    assert run.artifact("curves.png").is_file()
    with pytest.raises(UserError, match=r"nothing\.png"):
        run.artifact("nothing.png")


def test_wrong_arguments_are_explained(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(UsageError, match="Unknown argument 'jbos'"):
        study().run(jbos=2)  # type: ignore[call-arg]
    for wrong in ({"jobs": 0}, {"max_failures": 1.5}, {"threads": True}):
        with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be an integer of at least 1, not"):
            study().run(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="trials must be an integer of at least 1, not 0"):
        study().tune(trials=0)
    with pytest.raises(UsageError, match="augment is both in on= and in off="):
        ablate.run(preset="demo", on=["augment"], off=["augment"])
    with pytest.raises(UsageError, match="mixup is both in on= and in off="):
        ablate.Study(on=["mixup"], off=["augment", "mixup"])
    with pytest.raises(UsageError, match="Unknown factor 'agument'"):
        ablate.run(preset="demo", off=["agument"])
    with pytest.raises(UsageError, match=r"on and off are lists of names, such as \['augment'\]"):
        ablate.run(preset="demo", off="augment")
    with pytest.raises(UserError, match="Unknown study 'other'"):
        ablate.Study(name="other").report(offline=True)
    with pytest.raises(UsageError, match="--margin must be above 0"):
        study().report(margin=-1, offline=True)
    workload = ablate.from_function(lambda recipe, log: 0.0, factors={"a": "a"}, metric=ablate.Metric("score"))
    with pytest.raises(UsageError, match=r"load it: ablate.load_study\('mine.py'\)"):
        ablate.Study(workload=workload).run()


def test_a_loaded_study_has_the_same_methods(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    declared = "factors=['sugar', 'salt'], seeds=4, margin=1, workload=WORKLOAD"
    Path("kitchen.py").write_text(
        f"from ablate import Study\nfrom tests.samples.toy import WORKLOAD\n\nstudy = Study({declared})\n"
    )
    loaded = ablate.load_study("kitchen.py")
    assert isinstance(loaded, ablate.Study)
    assert loaded.plan(**HOW).facts["reused"] == 12


def test_messages_are_logged(project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(project)
    with caplog.at_level(logging.INFO, "ablate"):
        study().run(**HOW)
    assert any("leave-one-out over 2 factors" in record.getMessage() for record in caplog.records)


def test_surroundings_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.delenv("MLFLOW_LOGGING_LEVEL", raising=False)
    logger, filters = logging.getLogger("urllib3.connectionpool"), list(warnings.filters)
    logger.setLevel(logging.WARNING)
    monkeypatch.setitem(sys.modules, "optuna", ModuleType("optuna"))
    monkeypatch.setattr(logging.getLogger("optuna"), "level", logging.DEBUG)
    with surroundings_kept():
        logging.getLogger("optuna").setLevel(logging.ERROR)
        silence_mlflow()
        ignore_warnings()
        assert os.environ["MLFLOW_LOGGING_LEVEL"] == "CRITICAL"
        assert not logging.getLogger("mlflow.store.db.utils").isEnabledFor(logging.INFO)
        with warnings.catch_warnings(record=True) as shown:
            warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)
        assert shown == []
    assert "MLFLOW_LOGGING_LEVEL" not in os.environ
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
    assert (logger.level, logging.getLogger("optuna").level) == (logging.WARNING, logging.DEBUG)
    monkeypatch.delitem(sys.modules, "optuna")
    with surroundings_kept():
        monkeypatch.setitem(sys.modules, "optuna", ModuleType("optuna"))
        logging.getLogger("optuna").setLevel(logging.ERROR)
    assert logging.getLogger("optuna").level == logging.INFO
    assert list(warnings.filters) == filters


def test_a_notebook_shows_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from ablate import console

    cells: list[list[str]] = []

    def display(line: dict[str, str], **_: Any) -> SimpleNamespace:
        cells.append([line["text/plain"]])
        return SimpleNamespace(update=lambda line, **_: cells[-1].append(line["text/plain"]))

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(progress, "is_notebook", lambda: True)
    with progress.shown_progress(None):
        console.info("[1/2] baseline/s0")
        console.warning("not shown, but logged")
    with progress.shown_progress(None):
        pass  # everything was there already
    with suppress(UserError), progress.shown_progress(None):
        console.info("[1/2] baseline/s0")
        raise UserError("Runs failed")
    with progress.shown_progress(False):
        console.info("only logged")
    assert cells == [["[1/2] baseline/s0", "Finished in less than 1 s"], ["[1/2] baseline/s0"]]


@pytest.mark.slow
def test_a_search_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = ablate.Study(preset="demo", values=QUICK)
    found = study.tune(trials=3, space=["lr"], threads=1, **HOW)
    assert found.trials["trial"].tolist() == [0, 1, 2]
    assert set(found.best) == {"lr"}
    assert (found.folder / "report.md").is_file()
    assert str(found.folder) in repr(found)
