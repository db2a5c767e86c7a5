"""SIGKILL at random moments of every command that writes.

Each entry of KILLS is one fault. To add one, write a function that takes a `Trial` and add it to the list.
"""

from __future__ import annotations

import random
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests import ROOT
from tests.faults.audit import Auditor, check_cache, check_files
from tests.faults.commands import Command, CommandEnd
from tests.faults.tally import Tally
from tests.faults.trials import TrialAuditor

TINY = ("--preset", "demo", "--epochs", "2", "--width", "2", "--threads", "1")


STUDY = f"""'''What makes it taste?'''
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.samples import toy
from ablate import Study
study = Study(workload=toy.WORKLOAD, seeds=3, margin=1.0, values={{"pause": 0.02, "epochs": 4}})
"""


SEARCHED = STUDY.replace("toy", "tuning_toy")


TRIALS = 4  # fewer than the start-up trials of the median pruner, so that all are complete


@dataclass
class Trial:
    """The injection of one fault: its folder, its random moments, the number of tries, and the counts."""

    folder: Path
    moments: random.Random
    wanted: int
    tally: Tally

    def project(self, name: str = "project") -> Path:
        """Return a new project."""
        folder = self.folder / name
        (folder / "mlruns").mkdir(parents=True)
        return folder

    def kill(self, command: Command, longest: float) -> CommandEnd:
        """Run a command and kill it at a random moment, with or without its child processes; count the kill."""
        after = self.moments.uniform(0, longest)
        ended = command.run(after, with_children=self.moments.random() < 0.5)
        if ended.was_killed:
            self.tally.tries += 1
        else:
            self.require_success(ended)
        return ended

    def run_to_end(self, command: Command) -> CommandEnd:
        """Run a command, which must succeed."""
        return self.require_success(command.run())

    def require_success(self, ended: CommandEnd) -> CommandEnd:
        """Count a failed command as a corruption."""
        if ended.code != 0 or not ended.is_clean:
            sys.stderr.write(ended.output)
            last = ended.output.strip().splitlines()[-1:] or [""]
            self.tally.add_corruption(f"the next command ended with {ended.code}: {last[0]}")
        return ended

    @property
    def has_tries_left(self) -> bool:
        """Whether to continue."""
        return self.tally.tries < self.wanted and self.tally.corrupt < 5


def run(trial: Trial) -> None:
    """Kill runs; the same command resumes each of them until it is finished."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    trial.run_to_end(Command(("run", *TINY), project))  # creates the store and decodes the data
    seed, longest = 2, trial.run_to_end(Command(("run", *TINY, "--seed", "1"), project)).seconds
    while trial.has_tries_left:
        command = Command(("run", *TINY, "--seed", str(seed)), project)
        ended = trial.kill(command, longest)
        auditor.check()
        if not ended.was_killed:
            longest = min(longest, ended.seconds)
            auditor.check_store()
            seed += 1
    trial.run_to_end(Command(("run", *TINY, "--seed", str(seed)), project))
    trial.run_to_end(Command(("list",), project))
    auditor.check_store()


def sweep(trial: Trial) -> None:
    """Kill sweeps with two workers; the same command resumes the study until its report is written."""
    longest, number = 0.0, 0
    while trial.has_tries_left or not number:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(STUDY)
        command = Command(("sweep", "kitchen.py", "--jobs", "2", "--threads", "1"), project)
        auditor = Auditor(project, trial.tally)
        if not number:
            longest = trial.run_to_end(command).seconds
        while number and trial.has_tries_left and trial.kill(command, longest).was_killed:
            time.sleep(0.05)
            auditor.check()
        trial.run_to_end(command)
        auditor.check_store()
        check_files(project / "reports", trial.tally)
        shutil.rmtree(project)
        number += 1


def tune(trial: Trial) -> None:
    """Kill searches with two workers; the same command resumes the search until its report is written."""
    longest, number = 0.0, 0
    while trial.has_tries_left or not number:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(SEARCHED)
        auditors = Auditor(project, trial.tally), TrialAuditor(project, "kitchen-tuning", TRIALS, trial.tally)
        command = Command(("tune", "kitchen.py", "--trials", str(TRIALS), "--jobs", "2", "--threads", "1"), project)
        if not number:
            longest = trial.run_to_end(command).seconds
        while number and trial.has_tries_left and trial.kill(command, longest).was_killed:
            time.sleep(0.05)
            for auditor in auditors:
                auditor.check()
        trial.run_to_end(command)
        auditors[0].check_store()
        auditors[1].check_end()
        check_files(project / "reports", trial.tally)
        shutil.rmtree(project)
        number += 1


def report(trial: Trial) -> None:
    """Kill reports; the older report stays complete, and the runs do not change."""
    project = trial.project()
    (project / "kitchen.py").write_text(STUDY)
    trial.run_to_end(Command(("sweep", "kitchen.py", "--jobs", "2", "--threads", "1"), project))
    auditor = Auditor(project, trial.tally)
    auditor.check_store()
    command = Command(("report", "kitchen", "--html"), project)
    longest = trial.run_to_end(command).seconds
    while trial.has_tries_left:
        trial.kill(command, longest)
        auditor.check()
        check_files(project / "reports" / "kitchen", trial.tally)
    trial.run_to_end(command)
    auditor.check_store()
    check_files(project / "reports" / "kitchen", trial.tally)


def store_creation(trial: Trial) -> None:
    """Kill the first command of a project that creates MLflow's database."""
    number, longest = 0, trial.run_to_end(Command(("sync",), trial.project("first"))).seconds
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        while trial.has_tries_left and trial.kill(Command(("sync",), project), longest).was_killed:
            Auditor(project, trial.tally).check()
        trial.run_to_end(Command(("sync",), project))
        Auditor(project, trial.tally).check_store()
        shutil.rmtree(project)
        number += 1


def _answer(ended: CommandEnd) -> str:
    """Return the JSON of a command's output, without its progress messages."""
    return ended.output[ended.output.find("{") :]


def cache_building(trial: Trial) -> None:
    """Kill the decoding of an archive of images into the data cache."""
    project, cache = trial.project(), trial.folder / "cache"
    archive = write_archive(trial.folder / "pets.tgz")
    where = {"ABLATE_CACHE": str(cache)}
    command = Command(("data", "info", "--data-dir", str(archive), "--json"), project, where)
    first = trial.run_to_end(command)
    while trial.has_tries_left:
        shutil.rmtree(cache / "decoded", ignore_errors=True)
        while trial.has_tries_left and trial.kill(command, 1.2 * first.seconds).was_killed:
            check_cache(cache, trial.tally)
        again = trial.run_to_end(command)
        check_cache(cache, trial.tally)
        leftovers = list((cache / "decoded").glob("*.tmp"))
        if _answer(again) != _answer(first) or leftovers:
            trial.tally.add_corruption(f"the cache differs from an uninterrupted one, or has leftovers: {leftovers}")


def write_archive(path: Path, images: int = 1500) -> Path:
    """Write an archive of an image folder of two classes."""
    noise = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(images):
            split, label = ("train", "test")[number % 5 == 0], ("cat", "dog")[number % 2]
            folder = Path(temporary) / split / label
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number:04}.png")
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            for split in ("train", "test"):
                tar.add(Path(temporary) / split, split)
    return path


KILLS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("SIGKILL in `ablate run`", run, 60),
    ("SIGKILL in `ablate sweep`, two workers, killed with and without the workers", sweep, 50),
    ("SIGKILL in `ablate tune`, two workers, killed with and without the workers", tune, 40),
    ("SIGKILL in `ablate report`", report, 30),
    ("SIGKILL during the creation of the store", store_creation, 30),
    ("SIGKILL during the creation of the data cache", cache_building, 40),
]
"""Name, function and number of tries of each kill."""
