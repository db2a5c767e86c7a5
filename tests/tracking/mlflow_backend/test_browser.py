"""A real browser shows the runs of a study at the address that `ablate ui` prints."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ablate.tracking import PlanEntry, Project, StudyRecord, open_tracker
from ablate.tracking.mlflow_backend.ui import serving
from ablate.workflows.runs_page import runs_page
from tests.samples.browser import CHROMIUM
from tests.samples.tracking import mlflow_project, write_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two studies: the second one reuses two runs of the first."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = mlflow_project(tmp_path / "project")
    tracker = open_tracker(project)
    plans: dict[str, list[PlanEntry]] = {"first": [], "second": []}
    for number, (study, variant, seed) in enumerate(
        (study, variant, seed)
        for study, seeds in (("first", (0, 1, 2)), ("second", (3,)))
        for seed in seeds
        for variant in ("baseline", "no-augment", "no-residual")
    ):
        key = f"{number:012x}"
        path = write_run(
            project, f"{key}-feed-0", study=study, variant=variant, recipe={"seed": seed, "workload": "resnet9"}
        )
        tracker.deliver(path)
        plans[study].append(PlanEntry(key, "feed", variant, seed, path.stem))
    reused = [entry for entry in plans["first"] if entry.variant != "no-residual"]
    details = {"metric": {"tracked": "test/accuracy"}}
    tracker.open_study(StudyRecord("first", "", {}, plans["first"], details=details))
    tracker.open_study(StudyRecord("second", "", {}, [*reused, *plans["second"]], details=details))
    return project


def open_page(browser: Any, address: str, width: int = 1600) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 1000})
    page.goto(address)
    page.get_by_text("matching runs").wait_for(timeout=60_000)
    return page


def columns_of(page: Any) -> list[str]:
    """Return the titles of the columns, from left to right."""
    headers = [header for header in page.locator(".ag-header-cell").all() if header.inner_text().strip()]
    headers.sort(key=lambda header: header.bounding_box()["x"])
    return [header.inner_text().strip() for header in headers]


def test_the_address_shows_the_runs_by_variant(project: Project, browser: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    first, second = (runs_page(open_tracker(project), study) for study in ("first", "second"))
    with serving(project, project.tracking_uri(), port=port):
        address = f"http://127.0.0.1:{port}"
        page = open_page(browser, f"{address}/{first}")
        page.get_by_text("Group: no-residual").wait_for()
        assert page.get_by_text("9 matching runs").is_visible(), "without the parent run"
        columns = columns_of(page)
        first_column = columns.index("test/accuracy")
        assert columns[first_column - 1 : first_column + 3] == [
            "Created",
            "test/accuracy",
            "ablate.variant",
            "ablate.seed",
        ]
        page = open_page(browser, f"{address}/{second}")
        for group, runs in (("baseline", 4), ("no-augment", 4), ("no-residual", 1)):
            row = page.get_by_role("row").filter(has=page.get_by_text(f"Group: {group}", exact=True))
            assert str(runs) in row.first.inner_text().split(), "runs of both experiments"
        assert page.get_by_text("9 matching runs").is_visible()
        page = open_page(browser, f"{address}/{second}&compareRunsMode=CHART")
        page.get_by_role("heading", name="train/loss").wait_for()
        charts = page.get_by_test_id("experiment-view-compare-runs-card").get_by_role("heading")
        assert charts.all_inner_texts() == ["test/accuracy", "train/loss"], "the others are in closed sections"
