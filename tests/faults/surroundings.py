"""Faults of the place and the account in which a command runs: homes, paths, repositories, limits, identities."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from ablate.journal.run_journal import Journal, Journals
from tests import ROOT
from tests.faults.audit import Auditor
from tests.faults.commands import Command, CommandEnd
from tests.faults.kills import STUDY, TINY, Trial
from tests.faults.others import RUN, SWEEP, limited, require_clean_end

OWN_STUDY = '''"""Which steps matter?"""
from ablate import Metric, Study, from_function
def train(recipe, log):
    print("é")
    log.file("dish.txt").write_text("done")
    for step in range(2):
        log(step, score=0.4 + 0.1 * recipe["scaling"] + 0.01 * (recipe.seed % 3))
    return {"taste": 0.5 + 0.1 * recipe["scaling"] + 0.01 * (recipe.seed % 3)}
study = Study(workload=from_function(train, factors={"scaling": "unité"}, metric=Metric("taste")), seeds=2, margin=1.0)
'''
HOMES = ("HOME", "USER", "LOGNAME", "ABLATE_CACHE", "XDG_CACHE_HOME")
"""Variables that name or imply a home folder."""
NAMES = ("new\nline", "quote'\"$x;`", "ünï #標", "tab\tescape\x1b[31m", "100% [ok]")


def no_home(trial: Trial) -> None:
    """Run every command without a home folder, as a user who is not in the system's list."""
    while trial.has_tries_left and not trial.tally.skipped:
        project = trial.project(f"project-{trial.tally.tries}")
        (project / "kitchen.py").write_text(OWN_STUDY, encoding="utf-8")
        auditor = Auditor(project, trial.tally)
        for line in [RUN, (*SWEEP, "--jobs", "2"), ("list",), ("report", "kitchen", "--html"), ("doctor",)]:
            ended = Command(line, project, {"TMPDIR": str(trial.folder)}, become_unknown).run()
            if "PermissionError" in ended.output and ended.code == 70:
                trial.tally.skipped = "user namespaces are not permitted"
                return
            require_clean_end(trial, ended)
            trial.require_success(ended)
        for line in [("list",), ("report", "kitchen")]:  # the libraries look for a home when they are imported
            ended = _in_new_process(line, project, {"TMPDIR": str(trial.folder)}, become_unknown)
            require_clean_end(trial, ended)
            trial.require_success(ended)
        auditor.check_store()


def become_unknown() -> None:
    """Become a user without a name, a home folder and a cache folder."""
    for name in HOMES:
        os.environ.pop(name, None)
    tempfile.tempdir = None  # that of the environment
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):  # CLONE_NEWUSER
        raise PermissionError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"54321 {user} 1")
    Path("/proc/self/gid_map").write_text(f"54321 {group} 1")


def moved(trial: Trial) -> None:
    """Move or copy a project, or reach it by a link, between two commands: its artifacts belong to the new place."""
    while trial.has_tries_left:
        number = trial.tally.tries
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(OWN_STUDY, encoding="utf-8")
        trial.run_to_end(Command((*SWEEP, "--jobs", "2"), project))
        place = trial.folder / f"place-{number}"
        move = (os.rename, partial(shutil.copytree, symlinks=True), lambda old, new: new.symlink_to(old))[number % 3]
        move(project, place)
        auditor = Auditor(place, trial.tally)
        auditor.check_store()
        for line in [("show", "baseline/s0"), ("report", "kitchen"), (*SWEEP, "--jobs", "1", "--seeds", "3")]:
            require_clean_end(trial, trial.run_to_end(Command(line, place)))
        trial.run_to_end(Command(("delete", "baseline/s1", "--yes"), place))
        Auditor(place, trial.tally).check_store()
        check_artifacts(place.resolve(), trial)
        if number % 3 == 1:
            check_artifacts(project, trial)


def check_artifacts(project: Path, trial: Trial) -> None:
    """Check that the artifacts of every run are in the folder of its project."""
    with closing(sqlite3.connect(f"file:{project / 'mlruns/mlflow.db'}?mode=ro", uri=True)) as database:
        query = "select run_uuid, artifact_uri from runs where lifecycle_stage = 'active'"
        for run, uri in database.execute(query):
            folder = project / "mlruns" / "artifacts" / run / "artifacts"
            if uri != folder.as_uri() or not any(folder.iterdir()):
                trial.tally.add_loss(f"artifacts of {run}: {uri}")


def odd_paths(trial: Trial) -> None:
    """Work in folders with odd names, and in some that MLflow misreads, which are refused before the first run."""
    for name in NAMES:
        if not trial.has_tries_left:
            return
        project = trial.project(name)
        (project / "kitchen.py").write_text(OWN_STUDY, encoding="utf-8")
        for line in [RUN, (*SWEEP, "--jobs", "2"), ("report", "kitchen", "--html"), ("list",)]:
            ended = Command(line, project).run()
            require_clean_end(trial, ended)
            trial.require_success(ended)
        Auditor(project, trial.tally).check()
    for name in ("what?", "100%20", "b\udcff\udcfe"):
        project = trial.project(name)
        ended = Command(RUN, project).run()
        require_clean_end(trial, ended)
        if ended.code != 2 or list(project.rglob("*.jsonl")):
            trial.tally.add_corruption(f"a path that MLflow misreads ended with {ended.code}")


def repositories(trial: Trial) -> None:
    """Run in a worktree, with changes that are huge, binary or not UTF-8, and in the repository of another user."""
    changes: list[tuple[str, Callable[[Path], None]]] = [
        ("worktree", lambda _: None),
        ("not UTF-8", lambda folder: _write(folder / "other.py", b"# caf\xe9\n")),
        ("huge", lambda folder: _write(folder / "other.py", b"# line\n" * 20_000_000)),
        ("binary", lambda folder: _write(folder / "other.py", os.urandom(20_000_000))),
    ]
    for name, change in changes[: trial.wanted]:
        project = trial.project(name)
        (project / "kitchen.py").write_text(OWN_STUDY, encoding="utf-8")
        (project / "other.py").write_text("#\n")
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
        for words in (["init", "-q"], ["add", "kitchen.py", "other.py"], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], cwd=project, check=True)
        if name == "worktree":
            subprocess.run([*git, "worktree", "add", "-q", "../tree"], cwd=project, check=True, capture_output=True)
            project = project.parent / "tree"
            (project / "mlruns").mkdir()
        change(project)
        require_clean_end(trial, trial.run_to_end(Command((*SWEEP, "--jobs", "2"), project)))
        auditor = Auditor(project, trial.tally)
        auditor.check_store()
        for path in Journals(project / "mlruns" / "journal").paths():
            found = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["environment"]
            if found["dirty"] != (name != "worktree") or not found["commit"]:
                trial.tally.add_corruption(f"{name}: commit {found['commit']}, changed: {found['dirty']}")
    refused = Command((*SWEEP, "--jobs", "2"), project, {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}).run()
    require_clean_end(trial, refused)
    if "safe.directory" not in refused.output:
        trial.tally.add_corruption("the repository of another user caused no warning")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def few_resources(trial: Trial) -> None:
    """Allow few open files or few processes; without the limit the same command succeeds."""
    while trial.has_tries_left:
        number = trial.tally.tries
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(STUDY)
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, "--jobs", "2"), project)
        what = (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)[number % 2]
        limit = trial.moments.randint(10, 60) if what == resource.RLIMIT_NOFILE else trial.moments.randint(1, 12)
        require_clean_end(trial, Command(command.arguments, project, before=partial(_limited, what, limit)).run())
        auditor.check()
        trial.run_to_end(command)
        auditor.check_store()


def _limited(what: int, limit: int) -> None:
    if what == resource.RLIMIT_NPROC:  # does not apply to root
        become_unknown()
    limited(what, limit)


def end_record_fails(trial: Trial) -> None:
    """Let the write of a run's last record fail, as on a full or a faulty disk, with or without a part of the line."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    while trial.has_tries_left:
        number = trial.tally.tries
        command = Command(("run", *TINY, "--seed", str(number)), project)
        code, part = (errno.ENOSPC, errno.EIO)[number % 2], trial.moments.choice([0, 1, 30])
        require_clean_end(trial, Command(command.arguments, project, before=partial(fail_at_end, code, part)).run())
        auditor.check()
        trial.run_to_end(command)
        auditor.check_store()


def fail_at_end(code: int, part: int) -> None:
    """Make the write of an end record fail after some bytes."""
    write = Journal.write

    def failing(journal: Journal, record: str, **fields: object) -> None:
        if record != "end":
            write(journal, record, **fields)
            return
        with journal.path.open("ab") as file:
            file.write(b'{"record": "end", "time": 1234567.8'[:part])
        raise OSError(code, os.strerror(code), str(journal.path))

    Journal.write = failing  # type: ignore[method-assign]


def other_identities(trial: Trial) -> None:
    """Kill a run, give its process id to a living process, change clock and time zone, and resume it."""
    project = trial.project()
    auditor = Auditor(project, trial.tally)
    trial.run_to_end(Command(RUN, project))
    while trial.has_tries_left:
        seed = str(100 + trial.tally.tries)
        command = Command(("run", *TINY, "--seed", seed), project)
        known = set(Journals(project / "mlruns" / "journal").paths())
        running = command.start()
        deadline = time.monotonic() + 60
        while set(Journals(project / "mlruns" / "journal").paths()) == known and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(trial.moments.uniform(0, 0.3))
        running.kill()
        trial.tally.tries += 1
        for path in set(Journals(project / "mlruns" / "journal").paths()) - known:
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(f'"pid": {running.process}', f'"pid": {os.getpid()}'), encoding="utf-8")
        zone = {"TZ": trial.moments.choice(["Pacific/Kiritimati", "Pacific/Pago_Pago", "Nowhere/Unknown"])}
        ahead = trial.moments.choice([-400, 400]) * 86400
        trial.run_to_end(Command(command.arguments, project, zone, partial(_shift_clock, ahead)))
        auditor.check_store()


def _shift_clock(seconds: float) -> None:
    real = time.time
    time.time = lambda: real() + seconds
    time.tzset()


def ascii_locale(trial: Trial) -> None:
    """Run commands in new processes with an ASCII locale, on a study with other characters."""
    project = trial.project()
    (project / "kitchen.py").write_text(OWN_STUDY, encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    lines = [(*SWEEP, "--jobs", "2"), ("list",), ("show", "baseline/s0"), ("report", "kitchen", "--html"), ("doctor",)]
    for line in lines[: trial.wanted]:
        ended = _in_new_process(line, project, plain)
        require_clean_end(trial, ended)
        trial.require_success(ended)
    Auditor(project, trial.tally).check_store()


def _in_new_process(
    line: tuple[str, ...], project: Path, environment: dict[str, str], before: Callable[[], None] | None = None
) -> CommandEnd:
    """Run a command in a new process, which imports the libraries itself."""
    began = time.monotonic()
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    if before is become_unknown:
        variables = {name: value for name, value in variables.items() if name not in HOMES}
    done = subprocess.run(
        [sys.executable, "-m", "ablate", *line],
        cwd=project,
        env=variables,
        preexec_fn=before,
        capture_output=True,
        check=False,
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    return CommandEnd(done.returncode, output, time.monotonic() - began)


SURROUNDINGS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("no home folder, unknown user: run, sweep, list, report, doctor", no_home, 14),
    ("project moved, copied, or reached by a link", moved, 9),
    ("paths with line breaks, quotes, escapes, other encodings", odd_paths, 23),
    ("git: worktree, huge, binary and not UTF-8 changes, another user's repository", repositories, 4),
    ("few open files or processes", few_resources, 8),
    ("no space or an I/O error exactly at the end record", end_record_fails, 8),
    ("process id reused, clock and time zone changed by the next command", other_identities, 6),
    ("ASCII locale: sweep, list, show, report, doctor", ascii_locale, 5),
]
"""Name, function and number of tries of each fault of the surroundings."""
