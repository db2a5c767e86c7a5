"""Check what a fault leaves behind: no finished run is lost, none is duplicated, every file is complete."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from ablate.data.cache import read_entry
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run, load
from ablate.tracking import Project
from ablate.tracking.mlflow_backend.schema import STATUSES
from tests.faults.tally import Tally


class Auditor:
    """Remember the finished runs of a project, and compare every later state with them."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self.project, self.tally = Project(folder), tally
        self._finished: dict[str, bytes] = {}
        self._reported: set[str] = set()

    def check(self) -> None:
        """Check the invariants that hold at any moment, also right after a kill."""
        for path in Journals(self.project.journals).paths():
            run = self._read(path)
            if run and run.is_result:
                self._finished.setdefault(path.name, path.read_bytes())
        for name, content in self._finished.items():
            path = self.project.journals / name
            if not path.exists() or path.read_bytes() != content:
                self._report(self.tally.add_loss, f"the journal {name}")
        keys = Counter(tuple(name.split("-")[:2]) for name in self._finished)
        for key, count in keys.items():
            if count > 1:
                self._report(self.tally.add_duplicate, f"{count} finished runs of {key[0]}")
        self._check_database()

    def check_store(self) -> None:
        """Check the invariants after a successful command: MLflow has every run exactly once and complete."""
        self.check()
        if not self.project.database.exists():
            self._report(self.tally.add_loss, "the database is missing")
            return
        with self._database() as database:
            for path in Journals(self.project.journals).paths():
                run = self._read(path)
                if run and run.ended is not None:
                    self._compare(database, run)
            self._check_values(database)
            self._check_studies(database)
        for path in self.project.journals.glob("*.files"):
            self._report(self.tally.add_loss, f"{path.name} was not delivered")
        check_files(self.project.artifacts, self.tally)

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(f"file:{quote(str(self.project.database))}?mode=ro", uri=True, timeout=30))

    def _report(self, count: object, what: str) -> None:
        """Count a defect once, however often it is found."""
        if what not in self._reported:
            self._reported.add(what)
            count(what)  # type: ignore[operator]

    def _read(self, path: Path) -> Run | None:
        try:
            return load(path)
        except UserError as error:
            self._report(self.tally.add_corruption, str(error))
            return None

    def _check_database(self) -> None:
        if not self.project.database.exists():
            return
        try:
            with self._database() as database:
                answer = database.execute("pragma quick_check").fetchone()[0]
                database.execute("select count(*) from runs")
        except sqlite3.DatabaseError as error:
            answer = str(error)
        if answer != "ok":
            self._report(self.tally.add_corruption, f"the database: {answer}")

    def _compare(self, database: sqlite3.Connection, run: Run) -> None:
        query = (
            "select r.run_uuid, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
            "where t.key = 'ablate.run' and t.value = ? and r.lifecycle_stage = 'active'"
        )
        found = database.execute(query, [run.name]).fetchall()
        if not found:
            self._report(self.tally.add_loss, f"{run.name} is not in MLflow")
        elif len(found) > 1:
            self._report(self.tally.add_duplicate, f"{run.name} is {len(found)} times in MLflow")
        else:
            identifier, status = found[0]
            if status != STATUSES[run.status]:
                self._report(self.tally.add_loss, f"{run.name} ended as {run.status}, and is {status} in MLflow")
            steps = database.execute(
                "select count(distinct step) from metrics "
                "where run_uuid = ? and key in ('val/loss', 'score', 'val/taste')",
                [identifier],
            )
            if steps.fetchone()[0] != len(run.history):
                self._report(self.tally.add_loss, f"epochs of {run.name}")

    def _check_values(self, database: sqlite3.Connection) -> None:
        twice = (
            "select m.key, m.step from metrics m join tags t on t.run_uuid = m.run_uuid "
            "where t.key = 'ablate.kind' and t.value = 'run' "
            "group by m.run_uuid, m.key, m.step having count(*) > 1"
        )
        for key, step in database.execute(twice):
            self._report(self.tally.add_duplicate, f"the value of {key} at step {step}")

    def _check_studies(self, database: sqlite3.Connection) -> None:
        twice = (
            "select name.value, count(*) from tags name join tags kind on kind.run_uuid = name.run_uuid "
            "join runs r on r.run_uuid = name.run_uuid where name.key = 'ablate.study' and kind.key = 'ablate.kind' "
            "and kind.value = 'study' and r.lifecycle_stage = 'active' group by name.value having count(*) > 1"
        )
        for name, count in database.execute(twice):
            self._report(self.tally.add_duplicate, f"{count} records of study {name} in MLflow")


def check_files(folder: Path, tally: Tally) -> None:
    """Read every file of a known format."""
    for path in folder.rglob("*"):
        try:
            if path.suffix == ".png":
                with Image.open(path) as image:
                    image.load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".csv":
                with path.open(newline="") as file:
                    widths = {len(row) for row in csv.reader(file)}
                if len(widths) != 1:
                    raise ValueError(f"rows of {sorted(widths)} cells")
        except (OSError, ValueError, SyntaxError) as error:
            tally.add_corruption(f"{path.name}: {error}")


def check_cache(cache: Path, tally: Tally) -> None:
    """Check that every entry of a data cache is complete."""
    for entry in (cache / "decoded").glob("*"):
        if entry.is_dir() and entry.suffix != ".tmp" and read_entry(entry) is None:
            tally.add_corruption(f"the cache entry {entry.name}")
