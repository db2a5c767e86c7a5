"""A team's server: MLflow on PostgreSQL, served artifacts, logins from the environment."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.tracking import open_tracker
from ablate.tracking.project import Project
from tests.cli.test_commands import TINY, ablate
from tests.samples.servers import MlflowServer, free_port, mlflow_server

pytestmark = pytest.mark.slow

SWEEP = ("sweep", *TINY, "--factors", "dropout", "--seeds", "2", "--name", "team", "--jobs", "2")


def postgres_binary(name: str) -> str | None:
    """Return the path of a program of PostgreSQL; on Debian they are not in PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(debian[-1]) if debian else shutil.which(name)


def as_postgres(command: Sequence[str]) -> list[str]:
    """Return the command for another user, because PostgreSQL refuses to run as root."""
    return [*(["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []), *command]


def why_not() -> str | None:
    """Return why PostgreSQL cannot be started, or None."""
    if not postgres_binary("initdb") or not postgres_binary("postgres"):
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if importlib.util.find_spec("psycopg2") is None:
        return "PostgreSQL's driver is not installed (pip install psycopg2-binary)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root, and the user postgres does not exist"
    return None


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL server for the tests, with a password in its URI."""
    if reason := why_not():
        pytest.skip(reason)
    port, root = free_port(), Path(tempfile.mkdtemp(prefix="ablate-postgres-"))
    (root / "password").write_text("hunter2\n")
    root.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(root, "postgres")
        shutil.chown(root / "password", "postgres")
    data = str(root / "data")
    login = ["--username=anna", f"--pwfile={root / 'password'}", "--auth=scram-sha-256", "--no-sync"]
    initdb, server = str(postgres_binary("initdb")), str(postgres_binary("postgres"))
    subprocess.run(as_postgres([initdb, "-D", data, *login]), check=True, capture_output=True, cwd=root)
    where = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={root}"]
    with (root / "server.log").open("wb") as log:
        command = as_postgres([server, "-D", data, *where, "-c", "fsync=off"])
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=root)
    try:
        wait_for_postgres(port)
        yield f"postgresql+psycopg2://anna:hunter2@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        shutil.rmtree(root, ignore_errors=True)


def wait_for_postgres(port: int) -> None:
    import time

    import psycopg2

    for _ in range(300):
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(host="127.0.0.1", port=port, user="anna", password="hunter2", dbname="postgres").close()
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer")


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("server"), "--backend-store-uri", postgres) as running:
        yield running


@pytest.fixture
def _team(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)


def new_member(root: Path) -> Path:
    (root / "mlruns").mkdir(parents=True)
    return root


@pytest.mark.usefixtures("_team")
def test_all_commands_with_a_server_on_postgresql(server: MlflowServer, tmp_path: Path) -> None:
    anna, bert = new_member(tmp_path / "anna"), new_member(tmp_path / "bert")
    facts = json.loads(ablate("run", *TINY, "--json", folder=anna).stdout)
    assert facts["tracking_uri"] == server.address
    assert facts["artifact_uri"].startswith("mlflow-artifacts:")
    swept = json.loads(ablate(*SWEEP, "--json", folder=anna).stdout)
    assert (swept["planned"], swept["failed"]) == (4, 0)
    assert not (anna / "mlruns" / "mlflow.db").exists()
    assert not list((anna / "mlruns" / "journal").glob("*.files")), "the artifacts are on the server"
    assert list((server.folder / "artifacts").rglob("correct.npy"))

    listed = json.loads(ablate("list", "--json", folder=bert).stdout)
    assert len(listed) == 4, "baseline/s0 was run before the sweep and reused"
    assert "test/accuracy" in ablate("compare", "baseline", "no-dropout", folder=bert).stdout
    assert "finished" in ablate("show", "no-dropout/s1", folder=bert).stdout
    ablate("report", "team", folder=bert)
    mine, theirs = ((folder / "reports" / "team" / "runs.csv").read_text() for folder in (anna, bert))
    assert mine == theirs
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(bert / "black.png")
    ablate("predict", "black.png", "--run", "baseline/s0", folder=bert)

    carl = new_member(tmp_path / "carl")
    ablate("run", *TINY, "--seed", "7", "--offline", folder=carl)
    assert "1 new" in ablate("sync", folder=carl).stdout
    assert "0 new, 1 already present" in ablate("sync", folder=carl).stdout
    tracker = open_tracker(Project(bert), server.address)
    assert [run.params["seed"] for run in tracker.runs() if run.variant == "baseline" and run.seed == 7] == [7]
    assert tracker.study("team").status == "finished"


@pytest.mark.usefixtures("_team")
def test_one_recipe_run_by_two_people_is_two_runs(server: MlflowServer, tmp_path: Path) -> None:
    for name in ("dora", "emil"):
        ablate("run", *TINY, "--seed", "11", "--tag", f"by={name}", folder=new_member(tmp_path / name))
    runs = [run for run in open_tracker(Project(tmp_path), server.address).runs() if run.seed == 11]
    assert sorted(run.tags["by"] for run in runs) == ["dora", "emil"]


def test_the_database_itself_is_a_store_and_its_password_stays_hidden(
    postgres: str, server: MlflowServer, tmp_path: Path
) -> None:
    frida = new_member(tmp_path / "frida")
    answer = ablate("run", *TINY, "--seed", "3", "--tracking-uri", postgres, "--json", folder=frida)
    assert json.loads(answer.stdout)["run_id"]
    assert "hunter2" not in answer.stdout + answer.stderr
    assert not any(b"hunter2" in path.read_bytes() for path in frida.rglob("*") if path.is_file())
    wrong = postgres.replace("hunter2", "secret7")
    refused = ablate("list", "--tracking-uri", wrong, folder=frida, code=1)
    assert "secret7" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(
    importlib.util.find_spec("flask_wtf") is None, reason="pip install 'mlflow[auth]' to test passwords"
)
def test_logins_are_read_from_the_variables_of_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    (tmp_path / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{tmp_path}/auth.db\n"
        "admin_username = admin\nadmin_password = open-sesame-7\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    with mlflow_server(tmp_path / "server", "--app-name", "basic-auth", environment=environment) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
        refused = ablate("list", folder=project, code=1)
        assert "MLFLOW_TRACKING_USERNAME" in refused.stderr
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "open-sesame-7")
        answer = ablate("run", *TINY, "--json", folder=project)
        assert "open-sesame-7" not in answer.stdout + answer.stderr
        assert "baseline/s0" in ablate("list", folder=project).stdout
