"""Commands of one project at the same time, and studies of hundreds of runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ablate.journal.run_journal import Journals
from tests.faults.audit import Auditor
from tests.faults.commands import Command, RunningCommand
from tests.faults.kills import STUDY, Trial
from tests.faults.others import SWEEP, require_clean_end
from tests.faults.stores import SLOW

CIRCLE = (
    ("doctor", "--repair"),
    ("delete", "baseline/s0", "--yes"),
    ("report", "kitchen"),
    ("sync",),
    ("list",),
    ("delete", "no-salt/s1", "--yes"),
)


def eight_sweeps(trial: Trial) -> None:
    """Start eight sweeps of one study at once: each run is made once, by one of them."""
    while trial.has_tries_left:
        project = trial.project(f"project-{trial.tally.tries}")
        (project / "kitchen.py").write_text(STUDY)
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, "--jobs", "1"), project)
        for running in [command.start() for _ in range(8)]:
            ended = running.wait(patience=900)
            require_clean_end(trial, ended)
            trial.require_success(ended)
        check_attempts(trial, auditor)
        auditor.check_store()


def check_attempts(trial: Trial, auditor: Auditor) -> None:
    """Count recipes with several attempts, although none failed or was killed."""
    for key, paths in Journals(auditor.project.journals).index().items():
        if len(paths) > 1:
            trial.tally.add_duplicate(f"{len(paths)} attempts of {key[0]}")


def circle(trial: Trial) -> None:
    """Delete, repair, report and deliver in a circle during a sweep; the same sweep makes the deleted runs again."""
    while trial.has_tries_left:
        project = trial.project(f"project-{trial.tally.tries}")
        (project / "kitchen.py").write_text(SLOW)
        command = Command((*SWEEP, "--jobs", "2"), project)
        running, number = command.start(), 0
        while not has_ended(running) and trial.has_tries_left:
            time.sleep(trial.moments.uniform(0, 0.5))
            require_clean_end(trial, Command(CIRCLE[number % len(CIRCLE)], project).run())
            number += 1
        ended = running.wait()
        require_clean_end(trial, ended)
        trial.require_success(ended)
        for line in [command.arguments, ("doctor", "--repair"), ("sync",), ("report", "kitchen")]:
            trial.run_to_end(Command(line, project))
        Auditor(project, trial.tally).check_store()
        found = {path.stem for path in Journals(project / "mlruns" / "journal").paths()}
        if len(found) != 12:
            trial.tally.add_loss(f"{len(found)} of 12 runs")


def has_ended(running: RunningCommand) -> bool:
    """Return whether a command has printed the last line of a sweep."""
    text = running.output.read_text(errors="replace") if running.output.exists() else ""
    return bool(re.search(r"^(?:error:|kitchen: \d+ runs planned,)", text, re.MULTILINE))


ARMS = """'''Which of 200 arms is best?'''
from ablate import Metric, Study, from_function
def train(recipe, log):
    return {"taste": 0.5 + 0.001 * recipe["dose"] + 0.01 * (recipe.seed % 7)}
workload = from_function(train, factors={"salt": "salt"}, settings={"dose": 0}, metric=Metric("taste"))
"""
MANY = {
    "arms": ARMS + "study = Study(workload=workload, arms={f'dose-{n}': {'dose': n} for n in range(1, 201)}, seeds=2,"
    " factors=(), margin=0.5)\n",
    "seeds": ARMS + "study = Study(workload=workload, seeds=500, margin=0.5)\n",
}


def many(trial: Trial) -> None:
    """Kill a sweep of 200 arms and one of 500 seeds; the same commands finish them, with their reports."""
    for name in list(MANY)[: trial.wanted]:
        project = trial.project(name)
        (project / "kitchen.py").write_text(MANY[name])
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, "--jobs", "2"), project)
        running = command.start()
        time.sleep(trial.moments.uniform(5, 30))
        running.kill()
        trial.tally.tries += 1
        auditor.check()
        trial.require_success(command.run(patience=3000))
        trial.run_to_end(Command(("list",), project))
        auditor.check_store()


CONCURRENCY: list[tuple[str, Callable[[Trial], None], int]] = [
    ("eight sweeps of one study at once", eight_sweeps, 16),
    ("delete, `doctor --repair`, report, sync and list in a circle during a sweep", circle, 40),
    ("SIGKILL in sweeps of 200 arms and of 500 seeds", many, 2),
]
"""Name, function and number of tries of each."""
