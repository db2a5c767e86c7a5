"""CSV files as the website of W&B exports them: the table of runs, and a chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.table_files import read_table_files

HEADER = (
    '"Name","Agent","State","Notes","User","Tags","Created","Runtime","Sweep","batch_size","lr","method","metric.goal",'
    '"model_type","save_dir","artifact/name","best_loss","epoch","epoch/number","eval/ssim_mean","train_loss","val_loss"'
)
"""Columns of a real export: those of W&B, the configuration, the summary."""


def row(name: str, score: float, state: str = "finished") -> str:
    cells = [name, "", state, "-", "", "", "2025-11-13T09:48:11.000Z", "9910", "1wfhjnkh", "8", "0.0001", "", "",
             "unetr", "./checkpoints", f"{name}_best_model", "0.0003", "100", "100", str(score), "0", ""]  # fmt: skip
    return ",".join(f'"{cell}"' for cell in cells)


def export(folder: Path, *rows: str) -> Path:
    path = folder / "wandb_export_2025-11-13T10_00_00.000+01_00.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_seed_and_variant_in_the_names(tmp_path: Path) -> None:
    scores = {("unetr_db2", 0): 0.9, ("unetr_db2", 1): 0.91, ("unetr_none", 0): 0.95, ("unetr_none", 1): 0.97}
    rows = [row(f"{variant}_seed{seed}", score) for (variant, seed), score in scores.items()]
    path = export(tmp_path, *rows, row("unetr_db2_seed2", 0.1, "crashed"))
    options = TableOptions(metric="eval/ssim_mean", baseline="unetr_none", goal="max", unit="own", margin=0.01)
    study = study_of("theirs", read_table_files([path]), options)
    found = study.runs[study.runs["status"] == "finished"]
    assert {(str(variant), int(seed)): score for variant, seed, score in zip(
        found["variant"], found["seed"], found["eval_ssim_mean"], strict=True)} == scores  # fmt: skip
    assert "variant and seed by the names of the runs" in study.statement
    assert study.counts.statuses == {"finished": 4, "failed": 1}


def test_names_without_seeds_are_one_line(tmp_path: Path) -> None:
    path = export(tmp_path, row("unetr_wavelet_db2_1763027298", 0.9), row("unetr_nowavelet_1763025703", 0.95))
    with pytest.raises(UsageError, match="No seed found: no column has a known name of seeds") as caught:
        study_of("theirs", read_table_files([path]), TableOptions(metric="eval/ssim_mean"))
    assert "\n" not in str(caught.value)


def test_exports_of_two_projects(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [export(tmp_path, row("a_seed0", 0.5)), export(tmp_path / "other", row("b_seed0", 0.6))]
    runs = read_table_files(paths)
    assert list(runs.names) == ["a_seed0", "b_seed0"]


def test_the_export_of_a_chart_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    names = [f"breezy-cloud-41 - gap_mean{end}" for end in ("", "__MIN", "__MAX")]
    path.write_text(",".join(f'"{name}"' for name in ["Step", *names]) + '\n"0","0.5","0.5","0.5"\n')
    with pytest.raises(UserError, match=r"chart.csv is the export of a chart of W&B, .* \(breezy-cloud-41\)\. Export"):
        read_table_files([path])
