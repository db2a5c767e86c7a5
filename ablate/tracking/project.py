"""The folders of a project, and the URI of its tracking store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from ablate.errors import UsageError
from ablate.redaction import mask_uri
from ablate.tracking.file_store import file_store_of, file_store_remedy, has_experiments, misread_path
from ablate.wording import nearest

_OWN_ENTRIES = ("journal", "studies", "mlflow.db")
"""Entries of `mlruns/`, at least one of which the first command creates."""


@dataclass(frozen=True)
class Project:
    """A folder with `mlruns/`, where runs are recorded, and `reports/`."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Self:
        """Return the project that contains `start` (default: the current folder).

        It is the nearest parent folder with an `mlruns/` that this package has written, or else with an empty one, or
        else `start` itself. An `mlruns/` of MLflow, which programs create in their working folder, is not a project.
        """
        start = (start or Path.cwd()).absolute()
        stores = {folder: folder / "mlruns" for folder in (start, *start.parents) if (folder / "mlruns").is_dir()}
        ours = [folder for folder, store in stores.items() if any((store / name).exists() for name in _OWN_ENTRIES)]
        empty = [folder for folder, store in stores.items() if os.access(store, os.R_OK) and _is_empty(store)]
        return cls(next(iter((*ours, *empty, start))))

    @property
    def mlruns(self) -> Path:
        """The folder of the local store and the journals."""
        return self.root / "mlruns"

    @property
    def journals(self) -> Path:
        """The folder of the journals."""
        return self.mlruns / "journal"

    @property
    def studies(self) -> Path:
        """The folder of the study journals."""
        return self.mlruns / "studies"

    @property
    def slurm(self) -> Path:
        """The folder of the queues and logs of jobs on a Slurm cluster."""
        return self.mlruns / "slurm"

    @property
    def artifacts(self) -> Path:
        """The folder of the local store's artifacts."""
        return self.mlruns / "artifacts"

    @property
    def database(self) -> Path:
        """The database file of the local store."""
        return self.mlruns / "mlflow.db"

    @property
    def reports(self) -> Path:
        """The folder of the reports."""
        return self.root / "reports"

    def tracking_uri(self, requested: str | None = None) -> str:
        """Return the URI of the store: `requested`, else MLFLOW_TRACKING_URI, else the project's own database.

        The path in an SQLite URI is made absolute.

        Raises:
            UsageError: The URI names a file store, which MLflow no longer supports, a database in memory, or one in a
                folder whose name MLflow would misread.
        """
        uri = requested or os.environ.get("MLFLOW_TRACKING_URI") or self._own_uri
        if (folder := file_store_of(uri)) is not None:
            raise UsageError(
                f"The tracking URI {mask_uri(uri)} is a file store, which MLflow no longer writes. Omit it to use the "
                f"project's own store, or {file_store_remedy(folder)}"
            )
        if not is_sqlite(uri):
            return uri
        path = sqlite_path(uri)
        if path is None:
            kind = "is a database in memory" if "://" in uri else "lacks the slashes after sqlite:"
            raise UsageError(f"The tracking URI {uri} {kind}. Use sqlite:////path/to/mlflow.db")
        _check_path(path)
        scheme, _, rest = uri.partition(":")
        options = rest.partition("?")[2]
        return f"{scheme}:///{path}" + (f"?{options}" if options else "")

    @property
    def _own_uri(self) -> str:
        _check_path(self.database)
        return f"sqlite:///{self.database}"

    def reading_uri(self, requested: str | None = None) -> str:
        """Return `tracking_uri` for a command that only reads runs, so that no mistyped path becomes a new database.

        Raises:
            UsageError: As `tracking_uri`, or the URI names a database that does not exist. The project's own may not
                exist yet.
        """
        uri = self.tracking_uri(requested)
        path = sqlite_path(uri)
        if path is None or path == self.database.absolute() or (path.is_file() and path.stat().st_size):
            return uri
        origin = "--tracking-uri" if requested else "MLFLOW_TRACKING_URI"
        near = nearest(path.name, [found.name for found in path.parent.glob("*.db") if found != path])
        meant = f" Did you mean {f'sqlite:///{path.with_name(near)}'!r}?" if near else ""
        raise UsageError(f"Database not found: {path}.{meant or f' Check {origin}'}")

    @property
    def is_new(self) -> bool:
        """Whether nothing is recorded: no database, no journal of a run or of a study."""
        has_database = self.database.is_file() and self.database.stat().st_size
        return not has_database and not any(any(folder.glob("*.jsonl")) for folder in (self.journals, self.studies))

    @property
    def old_file_store(self) -> Path | None:
        """The folder `mlruns/` of the project, or of the current folder, if an older MLflow wrote its files there."""
        return next((folder for folder in (self.mlruns, Path.cwd() / "mlruns") if has_experiments(folder)), None)


def _check_path(database: Path) -> None:
    """Raise UsageError for the path of a database that MLflow would misread."""
    if problem := misread_path(database):
        raise UsageError(f"MLflow cannot open {database}: its path {problem}. Rename that folder, or use --offline")


def _is_empty(folder: Path) -> bool:
    return not {path.name for path in folder.iterdir()} - {".gitkeep"}


def is_sqlite(uri: str) -> bool:
    """Return whether a URI names an SQLite database."""
    return uri.split(":", 1)[0].split("+", 1)[0] == "sqlite"


def is_local_host(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on `host`."""
    return host in ("localhost", "::1") or host.startswith("127.")


def is_server(uri: str) -> bool:
    """Return whether a URI names a tracking server, which stores artifacts, too."""
    return urlsplit(uri).scheme in ("http", "https", "databricks", "databricks-uc") or uri == "databricks"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of an SQLite database, or None for other URIs and databases in memory."""
    if not is_sqlite(uri):
        return None
    name = uri.partition("://")[2].removeprefix("/").partition("?")[0]
    return Path(name).absolute() if name not in ("", ":memory:") else None
