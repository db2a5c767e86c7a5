"""An MLflow experiment of another program, as reports see it."""

from __future__ import annotations

from ablate.journal.run_journal import Run

EMPTY_RUN = Run("", "", "", "", 0, "theirs", "finished", 0.0, 1.0, {}, {}, (), {}, {}, {})


class Store:
    """A tracker with the runs of one experiment, `theirs`."""

    uri = "sqlite:///theirs.db"

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs

    def runs(self, experiment: str | None = None, condition: str = "") -> list[Run]:
        return self._runs

    def experiments(self) -> list[str]:
        return ["Default", "theirs"]
