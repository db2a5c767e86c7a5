"""Curves of foreign runs in reports: what is drawn, which step counts, and the words about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate.report.analysis import analyse
from ablate.report.plots.recorded import recorded_plots
from ablate.report.plots.render import Plot
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_folders import read_run_folders
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.study_data import StudyData

ACC = {"baseline": 0.9, "no-x": 0.8}


def table(percent: bool = False, without: tuple[str, int, int] | None = None) -> pd.DataFrame:
    rows = [
        {"variant": name, "seed": seed, "epoch": epoch, "val_loss": 1 / (epoch + 1), "memory": 5,
         "acc": (top - 0.3 / (epoch + 1) + 0.01 * seed) * (100 if percent else 1)}
        for name, top in ACC.items() for seed in range(3) for epoch in range(4) if (name, seed, epoch) != without
    ]  # fmt: skip
    return pd.DataFrame(rows)


def study(folder: Path, rows: pd.DataFrame, step: str, **options: Any) -> StudyData:
    rows.to_csv(folder / "runs.csv", index=False)
    return study_of("runs", read_table_files([folder / "runs.csv"]), TableOptions(metric="acc", step=step, **options))


def plots(data: StudyData) -> list[Plot]:
    return list(recorded_plots(analyse(data)))


@pytest.mark.parametrize("percent", [False, True])
def test_the_compared_metric_is_drawn_first_in_the_unit_of_the_report(tmp_path: Path, percent: bool) -> None:
    found = plots(study(tmp_path, table(percent), "2"))
    assert [plot.file for plot in found] == ["curves-1-acc.png", "curves-2-val-loss.png"]
    assert found[0].arguments["label"] == "acc (%)"
    first = found[0].arguments["arms"][0]
    assert first["name"] == "baseline"
    assert first["values"][0].tolist() == pytest.approx([60, 75, 80, 82.5])
    assert found[0].arguments["scored_step"] == 2
    assert found[1].arguments["scored_step"] is None
    assert found[1].arguments["band"] == "range"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("last", "The score of a run is its value at the last step."),
        ("2", "The score of a run is its value at step 2, which is marked."),
        ("best:val_loss", "its value at the step with the lowest val_loss, which is marked."),
    ],
)
def test_the_caption_states_the_step_of_the_scores(tmp_path: Path, step: str, words: str) -> None:
    plot, *_ = plots(study(tmp_path, table(), step))
    assert plot.caption.endswith(words)
    assert "acc (%) by epoch, 6 runs: mean over the runs of a variant, with a band of ± 1 standard" in plot.caption


def test_runs_that_end_at_different_steps_are_marked_at_their_own(tmp_path: Path) -> None:
    plot, *_ = plots(study(tmp_path, table(without=("no-x", 1, 3)), "last"))
    scored = [point[0] for arm in plot.arguments["arms"] for point in arm["scored"]]
    assert sorted(scored) == [2, 3, 3, 3, 3, 3]
    assert "Thin lines: individual runs where others have ended" in plot.caption
    assert plot.caption.endswith("its value at the last step, which is marked.")


def test_failed_runs_are_not_drawn_and_diverged_ones_are_counted(tmp_path: Path) -> None:
    rows = table()
    rows["status"] = "finished"
    rows.loc[(rows.variant == "no-x") & (rows.seed == 2), "status"] = "failed"
    rows.loc[(rows.variant == "no-x") & (rows.seed == 1) & (rows.epoch > 1), "acc"] = float("inf")
    plot, *_ = plots(study(tmp_path, rows, "1"))
    assert "5 runs" in plot.caption
    assert "1 run diverged (NaN or infinite)." in plot.caption


def test_a_table_with_one_row_per_run_has_no_curves(tmp_path: Path) -> None:
    rows = table()
    assert not plots(study(tmp_path, rows[rows.epoch == 3].drop(columns="epoch"), None))  # type: ignore[arg-type]


def test_histories_of_folders_are_drawn_without_a_choice_if_the_score_is_recorded_once(tmp_path: Path) -> None:
    for name, top in ACC.items():
        for seed in range(3):
            run = tmp_path / "logs" / f"{name}-{seed}"
            run.mkdir(parents=True)
            lines = [f"{epoch},{1 / (epoch + 1)},{top + seed / 100 if epoch == 3 else ''}" for epoch in range(4)]
            (run / "metrics.csv").write_text("\n".join(["epoch,val_loss,acc", *lines, ""]))
            (run / "config.json").write_text(f'{{"variant": "{name}", "seed": {seed}}}')
    data = study_of("logs", read_run_folders(tmp_path / "logs"), TableOptions(metric="acc"))
    (plot,) = plots(data)
    assert plot.arguments["label"] == "val loss"
    assert plot.arguments["axis"] == "epoch"
    assert "score" not in plot.caption
