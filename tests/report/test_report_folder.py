"""Folders of reports: files of one name do not overwrite each other's report."""

from __future__ import annotations

from pathlib import Path

from ablate.report.report_folder import free_folder, note_origin, study_folder


def test_files_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    found = []
    for origin in ("a/runs.csv", "b/runs.csv", "c/b/runs.csv", "a/runs.csv", "b/runs.csv"):
        folder = free_folder(tmp_path, ("runs", f"{Path(origin).parent.name}-runs"), origin)
        folder.mkdir(exist_ok=True)
        (folder / "report.md").write_text("# runs")
        note_origin(folder, origin)
        found.append(folder.name)
    assert found == ["runs", "b-runs", "b-runs-2", "runs", "b-runs"]


def test_a_study_does_not_overwrite_the_report_of_a_file_of_its_name(tmp_path: Path) -> None:
    report = tmp_path / "runs" / "report.md"
    report.parent.mkdir()
    report.write_text("# runs\n\nThe comment <!-- runs 5 --> is within a line.\n")
    assert study_folder(tmp_path, "runs") == tmp_path / "runs"
    note_origin(report.parent, "runs.csv")
    assert study_folder(tmp_path, "runs") == tmp_path / "study-runs"
