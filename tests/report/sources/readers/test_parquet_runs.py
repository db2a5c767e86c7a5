"""Parquet files of runs."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UserError
from ablate.report.sources.readers.parquet_runs import read_parquet

pyarrow = pytest.importorskip("pyarrow")


def write(path: Path, columns: dict[str, Any]) -> Path:
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_cells_have_the_values_as_text(tmp_path: Path) -> None:
    columns = {
        "variant": ["a", None],
        "acc": pyarrow.array([0.1, None], pyarrow.float32()),
        "loss": [1e-7, 0.30000000000000004],
        "flag": [True, False],
        "config": [{"lr": 0.1, "model": {"depth": 3}}, {"lr": 0.2, "model": {"depth": None}}],
        "at": [dt.datetime(2026, 1, 2), None],
    }
    found = read_parquet(write(tmp_path / "runs.parquet", columns)).table
    assert found.to_dict("index") == {
        1: {"variant": "a", "acc": "0.1", "loss": "1e-07", "flag": "true", "config.lr": "0.1",
            "config.model.depth": "3", "at": "2026-01-02 00:00:00"},
        2: {"variant": "", "acc": "", "loss": "0.30000000000000004", "flag": "false", "config.lr": "0.2",
            "config.model.depth": "", "at": ""},
    }  # fmt: skip


def test_damaged_and_empty_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "runs.parquet", {"a": [1, 2]})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"Cannot read .*runs\.parquet as Parquet"):
        read_parquet(path)
    with pytest.raises(UserError, match=r"runs\.parquet contains no runs"):
        read_parquet(write(path, {"a": []}))


def test_without_the_library_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'ablate-study\[parquet\]'"):
        read_parquet(tmp_path / "runs.parquet")
