"""What every test shares: a project of its own, data decoded once, and no store or cache of the user's.

The two things that took most of the time are made once: MLflow's empty database, which projects start with, and
figures, which are sketched in tests that do not ask for `pictures`. Commands in processes of their own draw them all.
"""

from __future__ import annotations

import gc
import io
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure
from PIL import Image

from ablate.cores import share_cores
from ablate.figures import style
from tests.samples.processes import fork_server
from tests.samples.tracking import mlflow_project

RENDER = style.render


def pytest_configure(config: pytest.Config) -> None:
    """Let a test take its time, threads that wait leave, and commands be interrupted, also where a shell forbade it."""
    settings.register_profile("ablate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("ablate")
    share_cores()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_worker():
        server = fork_server()
        server.__enter__()
        config.add_cleanup(lambda: server.__exit__(None, None, None))


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decode data to a folder of the session's; draw figures coarsely, or not at all, where they are asked for."""
    gc.freeze()  # what the tests import stays: a collection, which some libraries ask for, takes a second with it
    patch = pytest.MonkeyPatch()
    patch.setenv("ABLATE_CACHE", str(session_folder(tmp_path_factory) / "cache"))
    patch.setenv("NO_COLOR", "1")
    patch.setenv("COLUMNS", "200")
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr("ablate.report.plots.render.figure_pool", nullcontext)  # the other cores are the other tests'
    patch.setattr(style, "DPI", 80)  # words take the same share of a page with half the dots an inch
    patch.setattr(style, "render", sketch)
    yield
    patch.undo()


def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this session share: kernels take seconds to compile."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if _is_worker() else own


def _is_worker() -> bool:
    """Return whether pytest-xdist started this process."""
    return "PYTEST_XDIST_WORKER" in os.environ


def sketch(_figure: Figure) -> bytes:
    """Return a dot for a picture of what has been put together."""
    content = io.BytesIO()
    Image.new("L", (1, 1)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures as they are."""
    monkeypatch.setattr(style, "render", RENDER)


@pytest.fixture(scope="module")
def all_pictures() -> Iterator[None]:
    """Draw a module's figures as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "render", RENDER)
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an empty store, and the current folder in it."""
    mlflow_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread meanwhile: sums in one order, and no waiting for a busy core."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def global_seed() -> Iterator[None]:
    """Seed torch's global generator meanwhile: the notebook's own initialisation draws from it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
