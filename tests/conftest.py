"""What every test shares: a project folder of its own, data decoded once, and no store or cache of the user's."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ablate.machine import share_cores


def pytest_configure() -> None:
    """Let a test take its time, threads that wait leave, and commands be interrupted, also where a shell forbade it."""
    settings.register_profile("ablate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("ablate")
    share_cores()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decode data to a folder of the session's; draw figures coarsely, in the process that asks for them."""
    gc.freeze()  # what the tests import stays: a collection, which some libraries ask for, takes a second with it
    patch = pytest.MonkeyPatch()
    patch.setenv("ABLATE_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("NO_COLOR", "1")
    patch.setenv("COLUMNS", "200")
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr("ablate.report.draughtsmen", nullcontext)  # the other cores are the other tests'
    patch.setattr("ablate.figures.style.DPI", 80)  # words take the same share of a page with half the dots an inch
    yield
    patch.undo()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, with the current folder in it."""
    (tmp_path / "mlruns").mkdir()
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
