"""Where runs lie: the folders of a project, and the address of its tracking store."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from ablate.errors import UsageError


@dataclass(frozen=True)
class Project:
    """A folder with an `mlruns/`, in which runs are recorded, and a `reports/` beside it."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Self:
        """Return the project around `start` (default: the current folder).

        That is the nearest folder upwards that has an `mlruns/`, else `start` itself.
        """
        start = (start or Path.cwd()).absolute()
        return cls(next((folder for folder in (start, *start.parents) if (folder / "mlruns").is_dir()), start))

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
        """The folder of the records of studies."""
        return self.mlruns / "studies"

    @property
    def artifacts(self) -> Path:
        """The folder of the artifacts of the local store."""
        return self.mlruns / "artifacts"

    @property
    def database(self) -> Path:
        """The file of the local store."""
        return self.mlruns / "mlflow.db"

    @property
    def reports(self) -> Path:
        """The folder of the reports."""
        return self.root / "reports"

    def tracking_uri(self, asked: str | None = None) -> str:
        """Return the address of the store: `asked`, else MLFLOW_TRACKING_URI, else the project's own database.

        A path in an SQLite address comes back absolute. Raises UsageError for a file store, which MLflow gave up, and
        for a database in memory, which nobody could read afterwards.
        """
        uri = asked or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.database}"
        if (folder := _file_store(uri)) is not None:
            way_out = f"sqlite:///{folder.absolute() / 'mlflow.db'}"
            raise UsageError(
                f"the tracking address {uri} is a file store, which MLflow no longer writes: leave it out, give "
                f"{way_out}, or bring its runs over: `mlflow migrate-filestore --source {folder} --target {way_out}`"
            )
        if not is_sqlite(uri):
            return uri
        path = sqlite_path(uri)
        if path is None:
            raise UsageError(f"the tracking address {uri} is a database in memory: give sqlite:////path/to/mlflow.db")
        scheme, _, rest = uri.partition(":")
        options = rest.partition("?")[2]
        return f"{scheme}:///{path}" + (f"?{options}" if options else "")


def is_sqlite(uri: str) -> bool:
    """Return whether `uri` is the address of an SQLite database."""
    return uri.split(":", 1)[0].split("+", 1)[0] == "sqlite"


def is_server(uri: str) -> bool:
    """Return whether a server stands at `uri`, which then keeps the artifacts too."""
    return urlsplit(uri).scheme in ("http", "https", "databricks", "databricks-uc") or uri == "databricks"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of the file of an SQLite address; None for any other address or a database in memory."""
    if not is_sqlite(uri):
        return None
    name = uri.partition("://")[2].removeprefix("/").partition("?")[0]
    return Path(name).absolute() if name not in ("", ":memory:") else None


def _file_store(uri: str) -> Path | None:
    """Return the folder that `uri` names if it is one: a path, or a `file:` address."""
    if uri.startswith("file:"):
        return Path(unquote(urlsplit(uri).path) or ".")
    plain_path = not re.match(r"[a-z][a-z0-9+.\-]+:", uri, re.IGNORECASE) and uri != "databricks"
    return Path(uri) if plain_path or Path(uri).is_dir() else None
