"""A tracking server that is down, hangs, fails or is slow: training continues with one warning, nothing is lost."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import ipaddress
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.journal.run_journal import Journals, load
from ablate.tracking import Project, StoreError, UnreachableError, open_tracker
from tests.cli.test_commands import TINY, ablate
from tests.samples.processes import PATIENCE
from tests.samples.servers import MlflowServer, answering_server, free_port, mlflow_server, silent_server, slow_proxy
from tests.samples.tracking import new_project, write_run


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a timeout of one second instead of fifteen."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@contextlib.contextmanager
def no_server() -> Iterator[str]:
    yield f"http://anna:hunter2@127.0.0.1:{free_port()}"


FAULTS = {
    "down": (no_server, "connection refused"),
    "hung": (silent_server, "does not answer in time"),
    "broken": (lambda: answering_server(500), "failed (error 500)"),
    "locked": (lambda: answering_server(401), "MLFLOW_TRACKING_USERNAME"),
    "forbidden": (lambda: answering_server(403), "permission (error 403)"),
    "busy": (lambda: answering_server(429), "too many (error 429)"),
    "elsewhere": (lambda: answering_server(404), "like an MLflow server"),
    "web page": (lambda: answering_server(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), "a login"),
    "damaged": (
        lambda: answering_server(200, {"Content-Encoding": "gzip"}, b"not compressed"),
        "like an MLflow server",
    ),
}


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_failure_is_one_line_without_the_password(fault: str, tmp_path: Path) -> None:
    server, reason = FAULTS[fault]
    project = new_project(tmp_path / "project")
    path = write_run(project)
    with server() as address, pytest.raises(UnreachableError, match=re.escape(reason)) as failure:
        open_tracker(project, address).deliver(path)
    assert "\n" not in str(failure.value)
    assert "hunter2" not in "".join(traceback.format_exception(failure.value)), "not with --debug either"


def test_a_refused_request_does_not_mean_unreachable(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    body = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "no such thing"}).encode()
    with (
        answering_server(400, {"Content-Type": "application/json"}, body) as address,
        pytest.raises(StoreError, match="no such thing") as failure,
    ):
        open_tracker(project, address).deliver(write_run(project))
    assert not isinstance(failure.value, UnreachableError)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", ["down", "hung"])
def test_a_run_continues_without_its_server_with_one_warning(fault: str, project: Path) -> None:
    server, reason = FAULTS[fault]
    with server() as address:
        began = time.monotonic()
        answer = ablate("run", *TINY, "--tracking-uri", address, "--json", folder=project)
        assert time.monotonic() - began < PATIENCE / 2
        looked = ablate("list", "--tracking-uri", address, folder=project, code=1)
    assert answer.stderr.count("warning") == 1
    assert reason in answer.stderr
    assert "`ablate sync` delivers it" in answer.stderr
    assert "hunter2" not in answer.stderr + answer.stdout
    assert json.loads(answer.stdout)["status"] == "finished"
    assert "--offline" in looked.stderr
    assert "baseline/s0" in ablate("list", "--offline", folder=project).stdout
    if fault == "hung":
        return
    assert "1 new" in ablate("sync", folder=project).stdout, "into the project's own store"
    assert "0 new, 1 already present" in ablate("sync", folder=project).stdout


@pytest.mark.usefixtures("_impatient")
def test_a_sweep_without_its_server_writes_its_report_and_delivers_it_later(project: Path) -> None:
    with no_server() as address:
        sweep = ("sweep", *TINY, "--factors", "dropout", "--seeds", "1", "--name", "alone", "--jobs", "1")
        answer = ablate(*sweep, "--tracking-uri", address, folder=project)
    assert answer.stderr.count("does not answer") == 1
    assert (project / "reports" / "alone" / "report.md").is_file()
    assert "studies: alone" in ablate("sync", folder=project).stdout
    tracker = open_tracker(Project(project))
    assert tracker.study("alone").status == "finished"
    assert [run.study for run in tracker.runs("alone")] == ["alone"] * 2
    assert list(Project(project).artifacts.rglob("report/report.md"))


@contextlib.contextmanager
def tls_server(folder: Path, host: str) -> Iterator[str]:
    """Speak TLS with a self-signed certificate for `host`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_alternative(x509, host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(encoded)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # a client that disconnects
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _alternative(x509: object, host: str) -> object:
    if host[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(host))  # type: ignore[attr-defined]  # imported where it is used
    return x509.DNSName(host)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_impatient")
def test_tls_errors_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    project = new_project(tmp_path / "project")
    path = write_run(project)

    def failure(address: str) -> str:
        with pytest.raises(UnreachableError) as raised:
            open_tracker(project, address).deliver(path)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    with tls_server(tmp_path, "127.0.0.1") as address:
        assert "untrusted TLS certificate (self-signed)" in failure(address)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "cert.pem"))
        assert "TLS" not in failure(address), "the remedy in the message helps: the server is only not MLflow now"
    with tls_server(tmp_path / "project", "elsewhere.example") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "project" / "cert.pem"))
        assert "another host name" in failure(address)
    with answering_server(200) as address:
        assert "does not support TLS" in failure(address.replace("http:", "https:"))


def start_run(project: Path, address: str, epochs: int = 40) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ablate", "run", *TINY, "--epochs", str(epochs), "--json"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=project, env=environment, text=True, **pipes)


def epochs_of(project: Path) -> int:
    paths = Journals(project / "mlruns" / "journal").paths()
    run = load(paths[0]) if paths else None
    return len(run.history) if run else 0


def until_epoch(project: Path, process: subprocess.Popen[str], number: int) -> None:
    while process.poll() is None and epochs_of(project) < number:
        time.sleep(0.02)


def mishap(server: MlflowServer, kind: str) -> None:
    if kind == "killed":
        server.stop()
    elif kind == "stopped":
        server.signal(signal.SIGTERM)
    else:
        server.signal(signal.SIGSTOP)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["killed", "stopped", "hung"])
def test_a_server_that_fails_during_a_run_receives_the_rest_later(kind: str, tmp_path: Path, project: Path) -> None:
    with mlflow_server(tmp_path / "server") as server:
        process = start_run(project, server.address)
        until_epoch(project, process, 8)
        mishap(server, kind)
        stdout, stderr = process.communicate(timeout=180)
        assert process.returncode == 0, stderr
        assert json.loads(stdout)["status"] == "finished"
        assert stderr.count("warning") == 1, stderr
        server.stop()
        server.start()
        assert "baseline/s0" in ablate("list", "--tracking-uri", server.address, folder=project).stdout
        tracker = open_tracker(new_project(tmp_path / "other"), server.address)
        (run,) = tracker.runs()
        assert (run.status, len(tracker.history(run))) == ("finished", 41)
        assert tracker.artifact(run, "history.csv").is_file()
        assert "0 new, 1 already present" in ablate("sync", "--tracking-uri", server.address, folder=project).stdout


@pytest.mark.slow
def test_a_slow_server_does_not_slow_the_training(tmp_path: Path, project: Path) -> None:
    def seconds(address: str, folder: Path) -> float:
        folder.mkdir()
        (folder / "mlruns").mkdir()
        stdout, stderr = start_run(folder, address).communicate(timeout=300)
        assert "warning" not in stderr
        return float(json.loads(stdout)["seconds"])

    with mlflow_server(tmp_path / "server") as server, slow_proxy(server.port, 0.4) as slow:
        without = min(seconds(f"sqlite:///{tmp_path}/{name}.db", project / name) for name in "ab")
        assert seconds(slow, project / "slow") < 2 * without + 2, "generous, for busy machines"
        (run, *_) = open_tracker(new_project(tmp_path / "other"), server.address).runs()
        assert run.status == "finished"
