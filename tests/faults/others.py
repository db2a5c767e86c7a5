"""Faults of the machine around a command: disk, memory, clock, locks, servers."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from ablate.journal import process_identity
from ablate.tracking import Project
from ablate.tracking.mlflow_backend.ui import serve_command, serve_environment
from tests.faults.audit import Auditor
from tests.faults.commands import Command, CommandEnd
from tests.faults.kills import STUDY, TINY, Trial

RUN = ("run", *TINY)
SWEEP = ("sweep", "kitchen.py", "--threads", "1")


def require_clean_end(trial: Trial, ended: CommandEnd, *, may_die: bool = False) -> None:
    """Count a command that did not end cleanly under a fault: with one line and not with a traceback.

    `may_die`: the system or a library may end it by a signal, which nothing can catch.
    """
    trial.tally.tries += 1
    if not ended.is_clean and not (may_die and ended.code < 0):
        sys.stderr.write(ended.output)
        last = ended.output.strip().splitlines()[-1:] or [""]
        trial.tally.add_corruption(f"a command ended with {ended.code}: {last[0]}")


@contextlib.contextmanager
def mounted(*arguments: str, target: Path) -> Iterator[bool]:
    """Mount a file system in the context; yield False if that is not allowed."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(target)], capture_output=True, check=False).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(target)], capture_output=True, check=False)


def disk_full(trial: Trial) -> None:
    """Fill the disk, then free some space: the same command resumes."""
    while trial.has_tries_left and not trial.tally.skipped:
        folder = trial.folder / f"disk-{trial.tally.tries}"
        size = trial.moments.randint(100, 2500)
        with mounted("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", target=folder) as is_there:
            if not is_there:
                trial.tally.skipped = "mounting is not permitted"
                return
            (folder / "mlruns").mkdir()
            (folder / "kitchen.py").write_text(STUDY)
            line = trial.moments.choice([RUN, (*SWEEP, "--jobs", "2"), (*SWEEP, "--jobs", "1")])
            auditor, command = Auditor(folder, trial.tally), Command(line, folder)
            require_clean_end(trial, command.run())
            auditor.check()
            subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
            trial.run_to_end(command)
            auditor.check_store()


def files_too_large(trial: Trial) -> None:
    """Limit the size of files, as a quota does; then lift the limit."""
    number = 0
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        limit = trial.moments.randint(1, 800) * 1024
        auditor, command = Auditor(project, trial.tally), Command(RUN, project)
        require_clean_end(
            trial, Command(RUN, project, before=lambda limit=limit: limited(resource.RLIMIT_FSIZE, limit)).run()
        )  # type: ignore[misc]
        auditor.check()
        trial.run_to_end(command)
        auditor.check_store()
        number += 1


def limited(what: int, limit: int) -> None:
    """Set a resource limit of this process."""
    resource.setrlimit(what, (limit, limit))


def read_only(trial: Trial) -> None:
    """Make `mlruns/` read-only, of a new and of a used project; then make it writable again."""
    while trial.has_tries_left and not trial.tally.skipped:
        project = trial.project(f"project-{trial.tally.tries}")
        auditor = Auditor(project, trial.tally)
        if trial.tally.tries % 2:
            trial.run_to_end(Command(RUN, project))
        (project / "kitchen.py").write_text(STUDY)
        folder = project / "mlruns"
        with mounted("--bind", str(folder), target=folder) as is_there:
            if not is_there:
                trial.tally.skipped = "mounting is not permitted"
                return
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            for line in [(*RUN, "--seed", "7"), (*SWEEP, "--jobs", "1"), ("list",), ("report", "kitchen"), ("doctor",)]:
                require_clean_end(trial, Command(line, project).run())
        auditor.check()
        trial.run_to_end(Command((*RUN, "--seed", "7"), project))
        auditor.check_store()


def locked_database(trial: Trial) -> None:
    """Lock the database while a command runs; the next command delivers its run."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    trial.run_to_end(Command(RUN, project))
    for seed in range(1, trial.wanted + 1):
        with contextlib.closing(sqlite3.connect(project / "mlruns" / "mlflow.db", isolation_level=None)) as holder:
            holder.execute("begin exclusive")
            ended = Command((*RUN, "--seed", str(seed)), project).run()
            require_clean_end(trial, ended)
            if ended.code:
                trial.tally.add_corruption(f"a locked database ended a run: {ended.output.strip().splitlines()[-1]}")
            holder.execute("rollback")
        auditor.check()
    trial.run_to_end(Command((*RUN, "--seed", "100"), project))
    auditor.check_store()


def server_killed(trial: Trial) -> None:
    """Kill the tracking server during a run; the next command after its restart delivers the run."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    trial.run_to_end(Command(("list",), project))  # creates the database of the server
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    longer = ("run", "--preset", "demo", "--epochs", "20", "--width", "4", "--threads", "1")
    for seed in range(trial.wanted):
        with server(project, port) as kill:
            running = Command((*longer, "--seed", str(seed)), project, address).start()
            time.sleep(trial.moments.uniform(0.2, 4))
            kill()
            ended = running.wait()
        require_clean_end(trial, ended)
        if ended.code:
            trial.tally.add_corruption(f"a dead server ended a run: {ended.output.strip().splitlines()[-1]}")
        auditor.check()
    with server(project, port):
        trial.run_to_end(Command(RUN, project, address))
    auditor.check_store()


@contextlib.contextmanager
def server(project: Path, port: int) -> Iterator[Callable[[], None]]:
    """Run an MLflow server on the project's store; yield a function that kills it."""
    uri = Project(project).tracking_uri()
    environment = serve_environment(Project(project), uri)
    process = subprocess.Popen(
        serve_command("127.0.0.1", port),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield kill
    finally:
        kill()


def out_of_memory(trial: Trial) -> None:
    """Give a run too little memory; with enough memory the same command succeeds."""
    number = 0
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        auditor = Auditor(project, trial.tally)
        limit = psutil.Process().memory_info().vms + trial.moments.randint(1, 250) * 2**20
        starved = Command(RUN, project, before=lambda limit=limit: limited(resource.RLIMIT_AS, limit))  # type: ignore[misc]
        require_clean_end(trial, starved.run(), may_die=True)  # C++ code aborts when an allocation fails
        auditor.check()
        trial.run_to_end(Command(RUN, project))
        auditor.check_store()
        number += 1


def worker_killed(trial: Trial) -> None:
    """Kill one worker of a sweep, as the system does when memory runs out: the sweep continues."""
    number = 0
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(STUDY.replace('"pause": 0.02', '"pause": 0.2'))
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, "--jobs", "2"), project)
        running = command.start()
        deadline = time.monotonic() + 60
        while not (workers := psutil.Process(running.process).children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(trial.moments.uniform(0.2, 3))
        with contextlib.suppress(psutil.NoSuchProcess):
            trial.moments.choice(workers).kill()
        ended = running.wait()
        require_clean_end(trial, ended)
        trial.require_success(ended)
        auditor.check_store()
        number += 1


def clock_set_back(trial: Trial) -> None:
    """Set the clock back by an hour during a run, kill the run, and resume it with the clock a day back."""
    number = 0
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        auditor = Auditor(project, trial.tally)
        jump = trial.moments.uniform(0, 3)
        first = Command(RUN, project, before=lambda jump=jump: set_clock_back(3600, after=jump))  # type: ignore[misc]
        ended = first.run(trial.moments.uniform(0.5, 6))
        trial.tally.tries += 1
        if not ended.was_killed:
            trial.require_success(ended)
        auditor.check()
        trial.run_to_end(Command(RUN, project, before=lambda: set_clock_back(86400, after=0)))
        auditor.check_store()
        number += 1


def set_clock_back(seconds: float, after: float) -> None:
    """Set the clock of this process back after some seconds."""
    real, began = time.time, time.monotonic()
    time.time = lambda: real() - seconds * (time.monotonic() - began >= after)


def two_machines(trial: Trial) -> None:
    """Start the same sweep on two machines that share the folder: each run is made once."""
    number = 0
    while trial.has_tries_left:
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(STUDY)
        auditor = Auditor(project, trial.tally)
        line = (*SWEEP, "--jobs", "1")
        machines = [Command(line, project, before=lambda name=name: pretend_to_be(name)) for name in ("north", "south")]  # type: ignore[misc]
        both = [machine.start() for machine in machines]
        if number % 2:
            time.sleep(trial.moments.uniform(0.5, 4))
            both[0].kill()
            ended = [both[1].wait()]
        else:
            ended = [one.wait() for one in both]
        for one in ended:
            require_clean_end(trial, one)
            trial.require_success(one)
        trial.run_to_end(machines[1])
        auditor.check_store()
        number += 1


def pretend_to_be(name: str) -> None:
    """Use the name and the boot identifier of another machine."""
    socket.gethostname = lambda: name
    process_identity._boot = lambda: f"boot of {name}"


OTHERS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("disk full in `ablate run` or `ablate sweep`, then space freed", disk_full, 10),
    ("file size limit (quota)", files_too_large, 6),
    ("read-only `mlruns/`: run, sweep, list, report, doctor", read_only, 10),
    ("database locked by another process", locked_database, 2),
    ("MLflow server killed during a run", server_killed, 3),
    ("too little memory for a run", out_of_memory, 6),
    ("worker of a sweep killed (out of memory)", worker_killed, 6),
    ("clock set back during a run", clock_set_back, 6),
    ("two machines on one folder, one of them killed", two_machines, 6),
]
"""Name, function and number of tries of each fault of the machine."""
