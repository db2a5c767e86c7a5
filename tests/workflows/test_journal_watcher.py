"""The live view of a sweep or a search shows its running jobs, each with its title and facts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ablate.journal.run_journal import Journals
from ablate.workflows.journal_watcher import JournalWatcher, WatchedJob
from tests.samples.processes import until
from tests.samples.tracking import KEY, new_project, write_run


class View:
    """A view that keeps its last rows."""

    rows: tuple[str, ...] = ()

    def show_running(self, rows: list[str]) -> None:
        self.rows = tuple(rows)


def test_trials_are_shown_with_their_values(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    path = write_run(project, status=None, epochs=3)
    job: Any = SimpleNamespace(recipe=SimpleNamespace(key=KEY), data=SimpleNamespace(fingerprint="feed"))
    other: Any = SimpleNamespace(recipe=SimpleNamespace(key="other"), data=SimpleNamespace(fingerprint="feed"))
    jobs = [WatchedJob(other, "trial 6"), WatchedJob(job, "trial 7", ["lr 0.02", "width 8"])]
    view: Any = View()
    followed: list[Path] = []
    delivery: Any = SimpleNamespace(follow=followed.append)
    with JournalWatcher(Journals(project.journals), lambda: jobs, delivery, view, interval=0.01):
        until(lambda: view.rows)
    assert view.rows == ("  running  trial 7  step 3  train/loss 0.25  lr 0.02  width 8",)
    assert set(followed) == {path}
