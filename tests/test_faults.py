"""The fault suite, a little of it in every test run and all of it by `make faults`; and what it once found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.journal.run_journal import Journals
from ablate.runs.executors import SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import RunTask, run_tasks
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job
from ablate.tracking import open_tracker
from ablate.workloads.custom.study_file import load_study
from tests import ROOT
from tests.faults.__main__ import main
from tests.faults.kills import KILLS, STUDY
from tests.faults.others import OTHERS
from tests.faults.tally import Tally, table
from tests.faults.trials import TrialAuditor
from tests.samples import toy
from tests.samples.processes import start_program
from tests.samples.tracking import mlflow_project
from tests.tuning.test_search import search as searched
from tests.tuning.test_search import tuning

QUICK = "ablate run`$|store is made"


def make_faults(*arguments: str, patience: float) -> str:
    """Make faults in a process of its own, from which it forks; return the table."""
    code = "import sys; from tests.faults.__main__ import main; sys.exit(main())"
    program = start_program(*arguments, folder=ROOT, code=code)
    page, messages = program.communicate(patience)
    assert program.returncode == 0, page + messages
    return page


def test_a_little_of_the_fault_suite() -> None:
    page = make_faults("--only", QUICK, "--share", "0.02", patience=550)
    assert len(re.findall(r"^\| [^*|]+ \| \d+ \| 0 \| 0 \| 0 \|", page, re.MULTILINE)) == 2


@pytest.mark.slow
def test_every_fault() -> None:
    page = make_faults("--share", "0.1", patience=3600)
    assert page.count("\n|") == 3 + len(KILLS) + len(OTHERS)


def test_at_least_two_hundred_kills_are_in_the_whole_suite() -> None:
    assert sum(times for _, _, times in KILLS) >= 200


def test_a_fault_that_does_harm_is_told() -> None:
    harm = Tally("x", tries=1)
    harm.lose("a run")
    assert not harm.holds
    assert "lost: a run" in table([harm], "")
    with pytest.raises(SystemExit):
        main(["--no-such-flag"])


def test_a_search_that_lost_something_is_told(tmp_path: Path) -> None:
    searched(tmp_path, tuning(budget=2))
    whole = Tally("x")
    TrialAuditor(tmp_path, "kitchen", 2, whole).look_through_end()
    assert whole.holds
    for path in Journals(tmp_path / "mlruns" / "journal").paths()[:1]:
        path.unlink()
    short = Tally("x")
    TrialAuditor(tmp_path, "kitchen", 3, short).look_through_end()
    assert short.wrong[0] == "lost: 3 trials were asked for, and there are {'COMPLETE': 2}"
    assert short.lost == 2


def test_runs_of_a_killed_sweep_are_delivered_by_the_next_though_it_has_none_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep was killed after its last run ended and before anything was delivered."""
    monkeypatch.chdir(tmp_path)
    project = mlflow_project(tmp_path)
    (tmp_path / "kitchen.py").write_text(STUDY)
    study, journals = load_study(tmp_path / "kitchen.py"), Journals(project.journals)
    data, conditions = toy.open_data(None, None), Conditions("cpu", "fp32", 1)
    jobs = [Job(recipe, data, conditions) for recipe in study.recipes()]
    tasks = [RunTask(job, journals.folder, RunOptions(tmp_path, "kitchen")) for job in jobs]
    assert len(list(run_tasks(tasks, SerialExecutor()))) == len(jobs)
    arguments = ["sweep", "kitchen.py", "--jobs", "1", "--threads", "1", "--precision", "fp32", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    runs = open_tracker(project).runs("kitchen")
    assert sorted(run.status for run in runs) == ["finished"] * 12
    assert not list(project.journals.glob("*.files"))
