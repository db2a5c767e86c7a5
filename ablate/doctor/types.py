"""What a check looks at, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ablate.errors import UserError
from ablate.journal.run_journal import Journals, Run, load
from ablate.tracking import MlflowTracker, Project, open_tracker, sqlite_path


@dataclass(frozen=True)
class Finding:
    """What one check found: `ok`, a `note` that needs nothing at once, or a `problem`; and what to do about it."""

    check: str
    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Surroundings:
    """A project and the tracking address that was asked for (None: the usual one)."""

    project: Project
    tracking_uri: str | None = None

    @cached_property
    def uri(self) -> str:
        """The address of the store. Raises UsageError for one that cannot be."""
        return self.project.tracking_uri(self.tracking_uri)

    @cached_property
    def database(self) -> Path | None:
        """The file of the store, where it is one."""
        return sqlite_path(self.uri)

    @property
    def journals(self) -> Journals:
        """The journals of the project."""
        return Journals(self.project.journals)

    @property
    def has_mlflow(self) -> bool:
        """Whether MLflow is installed."""
        return find_spec("mlflow") is not None

    @property
    def has_store(self) -> bool:
        """Whether there is a store to ask, as far as can be told without asking."""
        return self.has_mlflow and (self.database is None or self.database.exists())

    def tracker(self) -> MlflowTracker:
        """Return a tracker; nothing is connected before it is asked."""
        return open_tracker(self.project, self.tracking_uri)

    def attempts(self) -> list[tuple[Path, Run | None]]:
        """Return the journals that can be read, each with its run (None: it has no beginning)."""
        return [(path, run) for path, run, damage in self._read() if damage is None]

    def damaged(self) -> list[tuple[Path, str]]:
        """Return the journals that cannot be read, and why."""
        return [(path, damage) for path, _, damage in self._read() if damage is not None]

    def _read(self) -> list[tuple[Path, Run | None, str | None]]:
        found: list[tuple[Path, Run | None, str | None]] = []
        for path in self.journals.paths():
            try:
                found.append((path, load(path), None))
            except UserError as error:
                found.append((path, None, str(error)))
        return found


def many(number: int, word: str) -> str:
    """Return `1 run` or `3 runs`."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def some(names: list[str], most: int = 3) -> str:
    """Return the first few of some names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
