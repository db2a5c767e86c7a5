"""The UI answers, shows the right store, and leaves no processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest

from ablate.cli.runs import ui
from ablate.errors import UsageError, UserError
from ablate.tracking import Project, open_tracker
from ablate.tracking.mlflow_backend.ui import serve_command, serve_environment, serving
from tests.samples.tracking import KEY, mlflow_project, new_project, write_run


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return mlflow_project(tmp_path / "project")


def ask(port: int, path: str, body: dict[str, Any] | None = None, host: str = "") -> bytes:
    content = json.dumps(body).encode() if body else None
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


@pytest.mark.slow
def test_the_ui_shows_the_runs_of_the_project_and_ends_with_its_context(
    project: Project, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    identifier = open_tracker(project).deliver(write_run(project))
    with serving(project, project.tracking_uri(), port=port) as process:
        group = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        assert b"<html" in ask(port, "/")
        found = json.loads(ask(port, f"/api/2.0/mlflow/runs/get?run_id={identifier}"))
        assert found["run"]["info"]["run_name"] == "no-augment/s3"
        assert ask(port, f"/get-artifact?path=recipe.json&run_uuid={identifier}") == b"{}\n"
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost:8"):  # 8: a forwarded port
            assert b"<html" in ask(port, "/", host=host)
        for host in (
            *("evil.example", f"10.evil.example:{port}", f"localhost.evil.example:{port}"),
            f"127.0.0.1:{port}.evil.example",
        ):
            with pytest.raises(HTTPError, match="403"):
                ask(port, "/", host=host)
        by_server = open_tracker(project, f"http://127.0.0.1:{port}")
        late = write_run(project, "ba9876543210-feed-0")
        by_server.deliver(late)
        assert by_server.find("ba98").metrics["test/accuracy"] == 0.9
        ui(tracking_uri=f"http://127.0.0.1:{port}")
        assert capsys.readouterr().out.startswith(f"http://127.0.0.1:{port}/#/experiments/1/runs?")
        assert len(group) < 4, "one worker, no job runners"
        assert not any(address.ip not in ("127.0.0.1",) for address in listening(group)), (
            "only this machine can connect"
        )
    assert not [one for one in group if one.is_running()]
    assert sorted(run.key[:2] for run in open_tracker(project).runs()) == [KEY[:2], "ba"]


def listening(group: list[psutil.Process]) -> list[Any]:
    sockets = [connection for one in group for connection in one.net_connections() if connection.status == "LISTEN"]
    return [connection.laddr for connection in sockets]


SERVE_UNTIL_INTERRUPTED = """
import sys
from pathlib import Path
from ablate.tracking import Project
from ablate.tracking.mlflow_backend.ui import serving
from ablate.interrupts import Terminated
project = Project(Path(sys.argv[1]))
try:
    with serving(project, project.tracking_uri(), port=int(sys.argv[2])) as process:
        print(process.pid, flush=True)
        process.wait()
except (KeyboardInterrupt, Terminated):
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])  # Ctrl-C, a closed terminal
def test_an_interrupt_ends_all_processes_of_the_ui(number: int, project: Project, port: int) -> None:
    command = [sys.executable, "-c", SERVE_UNTIL_INTERRUPTED, str(project.root), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    server = psutil.Process(int(process.stdout.readline()))
    group = [server, *server.children(recursive=True)]
    os.kill(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode == 130
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(one.is_running() for one in group):
        time.sleep(0.05)
    assert not [one for one in group if one.is_running()]


@pytest.mark.slow
def test_a_server_stores_artifacts(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    home, away = mlflow_project(tmp_path / "server"), new_project(tmp_path / "project")
    environment = serve_environment(home, home.tracking_uri()) | {
        "MLFLOW_SERVE_ARTIFACTS": "true",
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "MLFLOW_ARTIFACTS_DESTINATION": str(home.artifacts),
    }
    server = subprocess.Popen(serve_command("127.0.0.1", port), env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                ask(port, "/health")
                break
            except OSError:
                time.sleep(0.2)
        tracker = open_tracker(away, f"http://127.0.0.1:{port}")
        path = write_run(away)
        identifier = tracker.deliver(path)
        assert tracker.deliver(path) == identifier
        run = tracker.find("no-augment/s3")
        assert tracker.artifact(run, "recipe.json").read_text() == "{}\n"
        assert tracker.artifact_uri(run).startswith("mlflow-artifacts:/")
        assert not (away.mlruns / "mlflow.db").exists()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_server_that_does_not_answer_is_one_line(
    project: Project, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "ablate.tracking.mlflow_backend.ui"
    monkeypatch.setattr(f"{module}._START_TIMEOUT", 0.2)
    monkeypatch.setattr(f"{module}.serve_command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    with (
        pytest.raises(UserError, match=r"did not answer within 0.2 seconds. Repeat the command$"),
        serving(project, project.tracking_uri(), port=port),
    ):
        pass


def test_a_port_in_use_is_one_line(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"{port}.*--port"), serving(project, project.tracking_uri(), port=port):
            pass


def test_a_server_has_its_own_ui(project: Project) -> None:
    address = "https://anna:secret@mlflow.example"
    with pytest.raises(UsageError, match=r"open https://anna:\*\*\*@mlflow\.example"), serving(project, address):
        pass


def test_the_uri_of_the_store_is_not_an_argument(project: Project) -> None:
    uri = "postgresql://anna:secret@db.example/runs"
    assert "secret" not in " ".join(serve_command("127.0.0.1", 5000))
    assert serve_environment(project, uri)["MLFLOW_BACKEND_STORE_URI"] == uri
