"""SIGKILL at random moments of every command that writes.

Each entry of KILLS is one fault: to add a command's, write a function that takes a `Trial` and put it in the list.
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
from tests.faults.commands import Command, Ended
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


TRIALS = 4  # fewer than the median pruner begins with, so that all are complete


@dataclass
class Trial:
    """One fault's share of the suite: its folder, its random moments, how often it is to be tried, its counts."""

    folder: Path
    moments: random.Random
    wanted: int
    tally: Tally

    def project(self, name: str = "project") -> Path:
        """Return a new project."""
        folder = self.folder / name
        (folder / "mlruns").mkdir(parents=True)
        return folder

    def kill(self, command: Command, longest: float) -> Ended:
        """Run a command that is killed at a random moment, with its children or without; count it if it was."""
        after = self.moments.uniform(0, longest)
        ended = command.run(after, with_children=self.moments.random() < 0.5)
        if ended.was_killed:
            self.tally.tries += 1
        else:
            self.require(ended)
        return ended

    def finish(self, command: Command) -> Ended:
        """Run a command to its end; that it comes there is part of what must hold."""
        return self.require(command.run())

    def require(self, ended: Ended) -> Ended:
        """Count a command that did not go through."""
        if ended.code != 0 or not ended.is_clean:
            sys.stderr.write(ended.output)
            last = ended.output.strip().splitlines()[-1:] or [""]
            self.tally.spoil(f"the next command ended with {ended.code}: {last[0]}")
        return ended

    @property
    def goes_on(self) -> bool:
        """Whether it is to be tried more."""
        return self.tally.tries < self.wanted and self.tally.corrupt < 5


def run(trial: Trial) -> None:
    """Kill runs; the same command goes on with each until it is finished."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    trial.finish(Command(("run", *TINY), project))  # makes the store and decodes the data
    seed, longest = 2, trial.finish(Command(("run", *TINY, "--seed", "1"), project)).seconds
    while trial.goes_on:
        command = Command(("run", *TINY, "--seed", str(seed)), project)
        ended = trial.kill(command, longest)
        auditor.look_through()
        if not ended.was_killed:
            longest = min(longest, ended.seconds)
            auditor.look_through_store()
            seed += 1
    trial.finish(Command(("run", *TINY, "--seed", str(seed)), project))
    trial.finish(Command(("list",), project))
    auditor.look_through_store()


def sweep(trial: Trial) -> None:
    """Kill sweeps with two workers; the same command goes on until the study is done and reported."""
    longest, number = 0.0, 0
    while trial.goes_on or not number:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(STUDY)
        command = Command(("sweep", "kitchen.py", "--jobs", "2", "--threads", "1"), project)
        auditor = Auditor(project, trial.tally)
        if not number:
            longest = trial.finish(command).seconds
        while number and trial.goes_on and trial.kill(command, longest).was_killed:
            time.sleep(0.05)
            auditor.look_through()
        trial.finish(command)
        auditor.look_through_store()
        check_files(project / "reports", trial.tally)
        shutil.rmtree(project)
        number += 1


def tune(trial: Trial) -> None:
    """Kill searches with two workers; the same command goes on until the budget is met and reported."""
    longest, number = 0.0, 0
    while trial.goes_on or not number:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(SEARCHED)
        auditors = Auditor(project, trial.tally), TrialAuditor(project, "kitchen-tuning", TRIALS, trial.tally)
        command = Command(("tune", "kitchen.py", "--trials", str(TRIALS), "--jobs", "2", "--threads", "1"), project)
        if not number:
            longest = trial.finish(command).seconds
        while number and trial.goes_on and trial.kill(command, longest).was_killed:
            time.sleep(0.05)
            for auditor in auditors:
                auditor.look_through()
        trial.finish(command)
        auditors[0].look_through_store()
        auditors[1].look_through_end()
        check_files(project / "reports", trial.tally)
        shutil.rmtree(project)
        number += 1


def report(trial: Trial) -> None:
    """Kill reports; the older report stays whole, and nothing of the runs is touched."""
    project = trial.project()
    (project / "kitchen.py").write_text(STUDY)
    trial.finish(Command(("sweep", "kitchen.py", "--jobs", "2", "--threads", "1"), project))
    auditor = Auditor(project, trial.tally)
    auditor.look_through_store()
    command = Command(("report", "kitchen", "--html"), project)
    longest = trial.finish(command).seconds
    while trial.goes_on:
        trial.kill(command, longest)
        auditor.look_through()
        check_files(project / "reports" / "kitchen", trial.tally)
    trial.finish(command)
    auditor.look_through_store()
    check_files(project / "reports" / "kitchen", trial.tally)


def store_creation(trial: Trial) -> None:
    """Kill the first use of a project, which makes MLflow's database."""
    number, longest = 0, trial.finish(Command(("list",), trial.project("first"))).seconds
    while trial.goes_on:
        project = trial.project(f"project-{number}")
        while trial.goes_on and trial.kill(Command(("list",), project), longest).was_killed:
            Auditor(project, trial.tally).look_through()
        trial.finish(Command(("list",), project))
        Auditor(project, trial.tally).look_through_store()
        shutil.rmtree(project)
        number += 1


def _answer(ended: Ended) -> str:
    """Return the JSON of a command's output; how far it was on the way depends on the machine's load."""
    return ended.output[ended.output.find("{") :]


def cache_building(trial: Trial) -> None:
    """Kill the decoding of an archive of images into the data cache."""
    project, cache = trial.project(), trial.folder / "cache"
    archive = write_archive(trial.folder / "pets.tgz")
    where = {"ABLATE_CACHE": str(cache)}
    command = Command(("data", "info", "--data-dir", str(archive), "--json"), project, where)
    first = trial.finish(command)
    while trial.goes_on:
        shutil.rmtree(cache / "decoded", ignore_errors=True)
        while trial.goes_on and trial.kill(command, 1.2 * first.seconds).was_killed:
            check_cache(cache, trial.tally)
        again = trial.finish(command)
        check_cache(cache, trial.tally)
        leftovers = list((cache / "decoded").glob("*.tmp"))
        if _answer(again) != _answer(first) or leftovers:
            trial.tally.spoil(f"the cache differs from an uninterrupted one, or holds leftovers: {leftovers}")


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
    ("SIGKILL in `ablate sweep`, two workers, with and without them", sweep, 50),
    ("SIGKILL in `ablate tune`, two workers, with and without them", tune, 40),
    ("SIGKILL in `ablate report`", report, 30),
    ("SIGKILL while the store is made", store_creation, 30),
    ("SIGKILL while the data cache is built", cache_building, 40),
]
"""What is killed, how, and how often in the whole suite."""
