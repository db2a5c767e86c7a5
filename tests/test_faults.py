"""A small part of the fault suite (`make faults` runs all of it), and regression tests of faults that it found."""

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
from tests.faults.__main__ import FAULTS, main
from tests.faults.kills import KILLS, STUDY
from tests.faults.tally import Tally, merged, read_table, table
from tests.faults.trials import TrialAuditor
from tests.samples import toy
from tests.samples.processes import start_program
from tests.samples.searches import run_search, search_spec
from tests.samples.tracking import mlflow_project

QUICK = "ablate run`$|creation of the store"


def inject_faults(*arguments: str, patience: float) -> str:
    """Inject faults, in forks of a process of their own, and return the table."""
    code = "import sys; from tests.faults.__main__ import main; sys.exit(main())"
    program = start_program(*arguments, folder=ROOT, code=code)
    page, messages = program.communicate(patience)
    assert program.returncode == 0, page + messages
    return page


@pytest.mark.slow
def test_a_small_part_of_the_fault_suite() -> None:
    page = inject_faults("--only", QUICK, "--share", "0.02", patience=550)
    assert len(re.findall(r"^\| [^*|]+ \| \d+ \| 0 \| 0 \| 0 \|", page, re.MULTILINE)) == 2


@pytest.mark.slow
def test_every_fault() -> None:
    page = inject_faults("--share", "0.1", patience=3600)
    assert page.count("\n|") == 3 + len(FAULTS)


def test_at_least_two_hundred_kills_are_in_the_whole_suite() -> None:
    assert sum(times for _, _, times in KILLS) >= 200


def test_the_harm_of_a_fault_is_reported() -> None:
    harm = Tally("x", tries=1)
    harm.add_loss("a run")
    assert not harm.passed
    assert "lost: a run" in table([harm], "")
    with pytest.raises(SystemExit):
        main(["--no-such-flag"])


def test_rows_of_a_page_are_replaced_one_by_one() -> None:
    bad = Tally("b", tries=3, seconds=7.0, date="2026-11-27", commit="abc1234")
    bad.add_duplicate("a run")
    rows = [Tally("a", skipped="mounting is not permitted"), bad, Tally("old", tries=1)]
    assert read_table(table(rows, "words")) == rows
    new = Tally("b", tries=9, date="2026-11-28", commit="def5678+")
    after = read_table(table(merged(rows, [new, Tally("c")], ["a", "b", "c"]), ""))
    assert after == [rows[0], new, Tally("c"), rows[2]]
    committed = read_table((ROOT / "reports" / "faults.md").read_text())
    assert all(row.date and row.commit and row.passed for row in committed)


def test_lost_trials_are_reported(tmp_path: Path) -> None:
    run_search(tmp_path, search_spec(budget=2))
    whole = Tally("x")
    TrialAuditor(tmp_path, "kitchen", 2, whole).check_end()
    assert whole.passed
    for path in Journals(tmp_path / "mlruns" / "journal").paths()[:1]:
        path.unlink()
    short = Tally("x")
    TrialAuditor(tmp_path, "kitchen", 3, short).check_end()
    assert short.problems[0] == "lost: 3 trials were requested, found {'COMPLETE': 2}"
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
