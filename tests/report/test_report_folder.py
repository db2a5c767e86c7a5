"""Folders of reports: files of one name do not overwrite each other's report."""

from __future__ import annotations

from pathlib import Path

from ablate.report.report_folder import free_folder, note_origin


def test_files_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    found = []
    for origin in ("a/runs.csv", "b/runs.csv", "c/b/runs.csv", "a/runs.csv", "b/runs.csv"):
        folder = free_folder(tmp_path, ("runs", f"{Path(origin).parent.name}-runs"), origin)
        folder.mkdir(exist_ok=True)
        (folder / "report.md").write_text("# runs")
        note_origin(folder, origin)
        found.append(folder.name)
    assert found == ["runs", "b-runs", "b-runs-2", "runs", "b-runs"]
