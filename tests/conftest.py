"""Fixtures of all tests: a project of their own, data decoded once, and no store or cache of the user.

Expensive work is shared: MLflow's empty database is created once and copied, programs are forked from a process that
has imported the libraries, and figures are replaced by a dot in tests that do not use the fixture `pictures`.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ablate.cores import share_cores
from ablate.figures import style
from tests.samples.browser import CHROMIUM
from tests.samples.processes import fork_server
from tests.samples.sketch import FULL, SKETCHES
from tests.samples.tracking import mlflow_project

NURSERY, YOUNG, MIDDLE = 50_000, 10, 10
"""Objects until a garbage collection, and collections until the next generation; the usual ones cost a tenth more."""


def pytest_configure(config: pytest.Config) -> None:
    """Set up Hypothesis without deadlines, waiting threads that yield their core, SIGINT, and the fork server."""
    gc.disable()  # while tests are imported, almost nothing is garbage
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
    """Set a cache folder for the session, and draw figures coarsely or not at all."""
    gc.freeze()  # imported modules stay; a garbage collection takes a second with them
    gc.set_threshold(NURSERY, YOUNG, MIDDLE)
    gc.enable()
    patch = pytest.MonkeyPatch()
    patch.setenv("ABLATE_CACHE", str(session_folder(tmp_path_factory) / "cache"))
    patch.setenv("NO_COLOR", "1")
    patch.setenv("COLUMNS", "200")
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr("ablate.report.plots.render.figure_pool", nullcontext)  # the other cores run other tests
    patch.setattr(style, "DPI", 80)  # text has the same share of a figure at any resolution
    for replaced in SKETCHES:
        patch.setattr(*replaced)
    yield
    patch.undo()


def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of the session share, since kernels take seconds to compile."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if _is_worker() else own


def _is_worker() -> bool:
    """Return whether pytest-xdist started this process."""
    return "PYTEST_XDIST_WORKER" in os.environ


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures in full."""
    for original in FULL:
        monkeypatch.setattr(*original)


@pytest.fixture(scope="module")
def all_pictures() -> Iterator[None]:
    """Draw the figures of a module in full."""
    with pytest.MonkeyPatch.context() as patch:
        for original in FULL:
            patch.setattr(*original)
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an empty store, and the current folder in it."""
    mlflow_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Limit torch to one thread, for a fixed order of summation and no waiting for a busy core."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def global_seed() -> Iterator[None]:
    """Seed torch's global generator, from which the notebook's initialisation draws."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def browser() -> Iterator[Any]:
    """Return a Chromium, controlled by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
