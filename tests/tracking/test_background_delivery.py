"""Background delivery: prompt, complete, and without delaying training."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ablate.journal.run_journal import Journal
from ablate.tracking import BackgroundDelivery, Project, StoreError, background_delivery, open_tracker
from tests import ROOT
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.processes import PATIENCE, until
from tests.samples.tracking import DEAD, KEY, NoFailure, end, epoch, mlflow_project, new_project, start, write_run


class Unsteady(MemoryTracker):
    """A tracker whose store fails with `broken`, if set."""

    def __init__(self, broken: Exception | None) -> None:
        super().__init__()
        self.broken = broken
        self.asked = 0

    def deliver(self, journal: Path) -> str | None:
        self.asked += 1
        if self.broken:
            raise self.broken
        return super().deliver(journal)


class Hung(MemoryTracker):
    """A tracker whose store does not answer until it is `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def deliver(self, journal: Path) -> str | None:
        self.released.wait(PATIENCE)
        return super().deliver(journal)


class Failures(list[StoreError]):
    """An observer that collects the failures, and counts the long waits."""

    awaited = 0

    def delivery_failed(self, error: StoreError) -> None:
        self.append(error)

    def delivery_awaited(self) -> None:
        self.awaited += 1


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project")


def test_records_arrive_during_the_run_and_the_rest_at_the_end(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    tracker = open_tracker(project, project.tracking_uri(f"sqlite:///{project.database}"))
    with (
        BackgroundDelivery(tracker, project, NoFailure(), interval=0.05) as delivery,
        Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal,
    ):
        delivery.follow(journal.path)
        start(journal)
        epoch(journal, 0)
        until(lambda: [len(tracker.history(run)) for run in tracker.runs()] == [1])
        epoch(journal, 1)
        until(lambda: len(tracker.find(KEY).history) == 2)
        end(journal)
    assert delivery.close() == {journal.name: tracker.identifier(tracker.find(KEY))}
    assert tracker.find(KEY).status == "finished"
    assert delivery.failure is None


def test_nothing_is_delivered_before_the_first_metrics(project: Project) -> None:
    tracker = Unsteady(None)
    with (
        BackgroundDelivery(tracker, project, NoFailure(), interval=0.01) as delivery,
        Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal,
    ):
        delivery.follow(journal.path)
        start(journal)
        time.sleep(0.1)
        assert tracker.asked == 0
        epoch(journal, 0)
        until(lambda: tracker.asked == 1)
        time.sleep(0.1)
        assert tracker.asked == 1, "not repeated without new records"


def test_a_run_that_failed_before_its_first_metrics_is_delivered_at_the_end(project: Project) -> None:
    tracker = MemoryTracker()
    with BackgroundDelivery(tracker, project, NoFailure()) as delivery:
        delivery.follow(write_run(project, epochs=-1, status="failed"))
    assert [run.status for run in tracker.runs()] == ["failed"]


@pytest.mark.parametrize("error", [StoreError("the store is down"), ZeroDivisionError("a bug")])
def test_a_failing_store_is_reported_once_and_retried_at_the_end(project: Project, error: Exception) -> None:
    failures = Failures()
    tracker = Unsteady(error)
    delivery = BackgroundDelivery(tracker, project, failures, interval=0.01)
    delivery.follow(write_run(project))
    until(lambda: tracker.asked >= 3)
    assert delivery.failure
    tracker.broken = None
    assert list(delivery.close()) == [f"{KEY}-feed-0"]
    assert len(failures) == 1
    assert str(error) in str(failures[0])
    assert delivery.failure is None


def test_a_damaged_journal_does_not_block_the_others(project: Project) -> None:
    failures = Failures()
    tracker = MemoryTracker()
    bad = project.journals / f"0{KEY[1:]}-feed-0.jsonl"
    bad.parent.mkdir()
    bad.write_text('{"record": "metrics"}\n')
    with BackgroundDelivery(tracker, project, failures) as delivery:
        delivery.follow(bad)
        delivery.follow(write_run(project, f"f{KEY[1:]}-feed-0"))
    assert [run.key[0] for run in tracker.runs()] == ["f"]
    assert len(failures) == 1
    assert bad.name in str(failures[0])


def test_a_hanging_store_does_not_delay_the_end(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_delivery, "AWAITED_AFTER", 0.1)
    failures = Failures()
    tracker = Hung()
    delivery = BackgroundDelivery(tracker, project, failures, interval=0.01)
    delivery.follow(write_run(project))
    began = time.monotonic()
    assert delivery.close(timeout=0.2) == {}
    assert time.monotonic() - began < PATIENCE / 2
    assert "did not answer" in str(failures[0])
    assert failures.awaited == 1, "the user learns what the command waits for"
    tracker.released.set()


def test_leftovers_of_earlier_commands_are_delivered_and_closed(project: Project) -> None:
    write_run(project, f"d{KEY[1:]}-feed-0", status=None, process=DEAD)
    tracker = MemoryTracker()
    with BackgroundDelivery(tracker, project, NoFailure()) as delivery:
        delivery.follow(write_run(project))
    assert {run.key[0]: run.status for run in tracker.runs()} == {"0": "finished", "d": "killed"}


IN_A_FRESH_PROCESS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.samples.tracking import NoFailure, end, epoch, start
from ablate.journal.run_journal import Journal
from ablate.tracking import BackgroundDelivery, Project, open_tracker
project = Project(Path(sys.argv[2]))
heavy = ("mlflow", "torch", "pandas", "numpy", "sqlalchemy", "filelock")
path = project.journals / "0123456789ab-feed-0.jsonl"
delivery = BackgroundDelivery(open_tracker(project), project, NoFailure(), interval=0.01)
with delivery, Journal(path) as journal:
    delivery.follow(journal.path)
    start(journal)
    time.sleep(0.2)
    assert not [name for name in heavy if name in sys.modules], "imported only when needed"
    epoch(journal, 0)
    end(journal)
assert "mlflow" in sys.modules and "torch" not in sys.modules
print(len(delivery.close()))
"""


@pytest.mark.slow
def test_mlflow_is_imported_late_and_silently(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path / "project")
    command = [sys.executable, "-W", "error", "-c", IN_A_FRESH_PROCESS, str(ROOT), str(project.root)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert (answer.stdout, answer.stderr) == ("1\n", "")
