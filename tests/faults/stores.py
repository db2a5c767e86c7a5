"""Faults of the tracking store while a sweep runs: of its database, its server and its artifacts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socketserver
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ablate.tracking import Project
from tests.faults.audit import Auditor
from tests.faults.commands import Command
from tests.faults.kills import STUDY, Trial
from tests.faults.others import SWEEP, require_clean_end, server
from tests.samples.servers import free_port

SLOW = STUDY.replace('"pause": 0.02', '"pause": 0.2')
WORKERS = ("--jobs", "2")


def database_changed(trial: Trial) -> None:
    """Delete, empty, truncate, damage or replace the database during a sweep; the next commands restore it."""
    other = trial.project("other")
    trial.run_to_end(Command(("sync",), other))
    changes = [_delete, _delete_main_file, _empty, _truncate, _damage, _write_text, lambda path: _replace(path, other)]
    while trial.has_tries_left:
        number = trial.tally.tries
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(SLOW)
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, *WORKERS), project)
        running = command.start()
        _wait_for(Project(project).database)
        time.sleep(trial.moments.uniform(0, 3))
        changes[number % len(changes)](Project(project).database)
        ended = running.wait()
        require_clean_end(trial, ended)
        trial.require_success(ended)
        for line in [("list",), ("doctor", "--repair"), ("sync",)]:
            ended = Command(line, project).run()
            require_clean_end(trial, ended)
            trial.tally.tries -= 1
        trial.require_success(ended)
        trial.run_to_end(command)
        auditor.check_store()


def database_restored(trial: Trial) -> None:
    """Back up the database at a random moment of a sweep, and restore it later in the sweep or after it."""
    next_commands = [("list",), SWEEP, ("report", "kitchen"), ("doctor", "--repair"), ("sync",)]
    while trial.has_tries_left:
        number = trial.tally.tries
        project = trial.project(f"project-{number}")
        (project / "kitchen.py").write_text(SLOW)
        auditor, database = Auditor(project, trial.tally), Project(project).database
        running = Command((*SWEEP, *WORKERS), project).start()
        _wait_for(database)
        time.sleep(trial.moments.uniform(0, 2))
        _copy(database, project / "backup.db")
        if number % 2:
            time.sleep(trial.moments.uniform(0, 2))
            _copy(project / "backup.db", database)
        trial.require_success(running.wait())
        if not number % 2:
            _copy(project / "backup.db", database)
        ended = Command(next_commands[number % len(next_commands)], project).run()
        require_clean_end(trial, ended)
        trial.require_success(ended)
        auditor.check_store()


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source, timeout=60)) as old, closing(sqlite3.connect(target, timeout=60)) as new:
        old.backup(new)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def _delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)


def _delete_main_file(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        for place in range(4096, path.stat().st_size, 3 * 4096):
            file.seek(place)
            file.write(os.urandom(2000))


def _write_text(path: Path) -> None:
    _delete(path)
    path.write_text("no database\n" * 1000)


def _replace(path: Path, other: Path) -> None:
    _delete(path)
    shutil.copyfile(Project(other).database, path)


def artifacts_refused(trial: Trial) -> None:
    """Put a file in the place of the folder of artifacts during a sweep; after its removal they are delivered."""
    while trial.has_tries_left:
        project = trial.project(f"project-{trial.tally.tries}")
        (project / "kitchen.py").write_text(SLOW)
        auditor, command = Auditor(project, trial.tally), Command((*SWEEP, *WORKERS), project)
        running = command.start()
        _wait_for(Project(project).database)
        time.sleep(trial.moments.uniform(0, 0.5))
        folder = Project(project).artifacts
        with contextlib.suppress(FileNotFoundError):
            folder.rename(folder.with_name("before"))
        folder.touch()
        ended = running.wait()
        require_clean_end(trial, ended)
        trial.require_success(ended)
        auditor.check()
        folder.unlink()
        with contextlib.suppress(FileNotFoundError):
            folder.with_name("before").rename(folder)
        trial.run_to_end(Command(("sync",), project))
        auditor.check_store()


class _Answers(BaseHTTPRequestHandler):
    """A server that answers in the way `mode`, or forwards to `target` and spoils a part of the answers."""

    mode, target, spoiled = "500", "", 0.0
    random: Callable[[], float] = staticmethod(lambda: 1.0)

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        kind = type(self)
        if kind.target and kind.random() >= kind.spoiled:
            self._send(*self._forward(body))
            return
        if kind.target and kind.random() < 0.5:
            self._forward(body)  # it is processed, and its answer is lost
        self._spoil(["500", "429", "web page", "cut", "half"][int(5 * kind.random())] if kind.target else kind.mode)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # http.server's names

    def _forward(self, body: bytes | None) -> tuple[int, bytes]:
        request = Request(type(self).target + self.path, data=body, method=self.command)
        request.add_header("Content-Type", self.headers.get("Content-Type", "application/json"))
        try:
            with urlopen(request, timeout=60) as found:
                return found.status, found.read()
        except HTTPError as error:
            return error.code, error.read()

    def _send(self, code: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _spoil(self, mode: str) -> None:
        if mode.isdecimal():
            self._send(int(mode), b"no", "text/plain")
        elif mode == "web page":
            self._send(200, b"<html>Log in</html>", "text/html")
        elif mode == "half":
            self._send(200, b'{"experiments": [')
        elif mode == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(1000):
                    self.wfile.write(b" ")
                    time.sleep(1)

    def log_message(self, *arguments: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def answering(**settings: object) -> Iterator[str]:
    """Run the server of `_Answers`; yield its address."""
    with _Server(("127.0.0.1", 0), type("Answers", (_Answers,), settings)) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()


MODES = ("500", "429", "web page", "slow", "404", "cut", "half", "403")


def wrong_answers(trial: Trial) -> None:
    """Let the server answer in one wrong way to a sweep and other commands; the project's own store gets all runs."""
    for mode in MODES[: trial.wanted]:
        project = trial.project(mode.replace(" ", "-"))
        (project / "kitchen.py").write_text(STUDY)
        auditor = Auditor(project, trial.tally)
        with answering(mode=mode) as address:
            patience = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
            ended = Command((*SWEEP, *WORKERS), project, patience).run()
            require_clean_end(trial, ended)
            trial.require_success(ended)
            for line in [("list",), ("delete", "baseline/s0", "--yes"), ("sync",), ("doctor",)]:
                require_clean_end(trial, Command(line, project, patience).run())
        auditor.check()
        trial.run_to_end(Command(("sync",), project))
        auditor.check_store()


def lost_answers(trial: Trial) -> None:
    """Refuse requests at random, or lose the answers to them, between a sweep and its server; a sync delivers all."""
    store = trial.project("store")
    trial.run_to_end(Command(("sync",), store))
    port = free_port()
    with server(store, port):
        while trial.has_tries_left:
            number = trial.tally.tries
            project = trial.project(f"project-{number}")
            own = SLOW.replace('"pause": 0.2', f'"pause": 0.{200 + number}')  # recipes that no other try has
            (project / f"kitchen{number}.py").write_text(own)
            line = ("sweep", f"kitchen{number}.py", "--threads", "1", *WORKERS)
            settings = {"target": f"http://127.0.0.1:{port}", "spoiled": trial.moments.uniform(0.05, 0.2)}
            with answering(**settings, random=staticmethod(trial.moments.random)) as address:
                ended = Command(line, project, {"MLFLOW_TRACKING_URI": address}).run()
                require_clean_end(trial, ended)
                trial.require_success(ended)
                for _ in range(3):  # each delivers a part
                    require_clean_end(trial, Command(("sync",), project, {"MLFLOW_TRACKING_URI": address}).run())
            for command in [("sync",), line]:
                trial.run_to_end(Command(command, project, {"MLFLOW_TRACKING_URI": settings["target"]}))
            Auditor(project, trial.tally).check()
            shutil.copytree(project / "mlruns" / "journal", store / "mlruns" / "journal", dirs_exist_ok=True)
            Auditor(store, trial.tally).check_store()
            shutil.rmtree(store / "mlruns" / "journal")


STORES: list[tuple[str, Callable[[Trial], None], int]] = [
    ("database deleted, emptied, truncated, damaged or replaced during a sweep", database_changed, 7),
    ("database restored from a backup, during or after a sweep", database_restored, 10),
    ("artifact store that refuses files", artifacts_refused, 2),
    ("server that answers 500, 429, 404, a web page, half an answer, a byte per second", wrong_answers, 40),
    ("server whose answers are lost at random", lost_answers, 24),
]
"""Name, function and number of tries of each fault of the store."""
