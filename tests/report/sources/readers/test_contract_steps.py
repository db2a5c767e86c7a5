"""The contract of readers of histories: the same steps give the same scores, statuses and warnings in all formats."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate.errors import UserError
from ablate.report.accounting import account_for
from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_folders import read_run_folders
from ablate.report.sources.readers.run_table import Reader
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.sources.readers.tensorboard_runs import read_tensorboard
from ablate.report.sources.readers.wandb_folder import read_wandb_folder
from ablate.report.study_data import StudyData
from tests.samples.event_log import write_event_log
from tests.samples.wandb_log import write_wandb_log

Rows = list[dict[str, Any]]
"""One row per run and epoch; None where a metric was not recorded."""

LOSSES = (1.0, 0.9, 0.8, 0.7, 0.9)
"""The lowest loss is that of epoch 3."""


def epochs(change: Callable[[str, int, int, dict[str, Any]], dict[str, Any] | None] = lambda *given: given[3]) -> Rows:
    """Return five epochs of two variants and three seeds; `change` returns other metrics, or None for no row."""
    rows = []
    for variant in ("baseline", "no-ema"):
        for seed in range(3):
            for epoch, loss in enumerate(LOSSES):
                score = round(0.9 - 0.01 * (4 - epoch) - 0.02 * (variant != "baseline") + 0.001 * seed, 4)
                metrics = change(variant, seed, epoch, {"val_acc": score, "val_loss": loss})
                rows += [] if metrics is None else [{"variant": variant, "seed": seed, "epoch": epoch, **metrics}]
    return rows


def csv_file(folder: Path, rows: Rows) -> Reader:
    cells = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(cells).to_csv(folder / "runs.csv", index=False)
    return partial(read_table_files, [folder / "runs.csv"])


def csv_file_of_metrics_in_rows_of_their_own(folder: Path, rows: Rows) -> Reader:
    return csv_file(folder, [{**row, other: None} for row in rows for other in ("val_acc", "val_loss")])


def jsonl_file(folder: Path, rows: Rows) -> Reader:
    lines = [json.dumps({name: value for name, value in row.items() if value is not None}) + "\n" for row in rows]
    folder.mkdir(exist_ok=True)
    (folder / "runs.jsonl").write_text("".join(lines))
    return partial(read_table_files, [folder / "runs.jsonl"])


def json_file(folder: Path, rows: Rows) -> Reader:
    folder.mkdir(exist_ok=True)
    (folder / "runs.json").write_text(json.dumps(rows))
    return partial(read_table_files, [folder / "runs.json"])


def parquet_file(folder: Path, rows: Rows) -> Reader:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "runs.parquet")
    return partial(read_table_files, [folder / "runs.parquet"])


def excel_file(folder: Path, rows: Rows) -> Reader:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra `excel`, is not installed")
    book = openpyxl.Workbook()
    book.active.append(list(rows[0]))
    for row in rows:
        lost = {name: "nan" for name, value in row.items() if isinstance(value, float) and math.isnan(value)}
        book.active.append(list({**row, **lost}.values()))
    book.save(folder / "runs.xlsx")
    return partial(read_table_files, [folder / "runs.xlsx"])


def by_run(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in rows:
        found.setdefault(f"{row['variant']}-seed{row['seed']}", []).append(row)
    return found


def folders(folder: Path, rows: Rows) -> Reader:
    for name, found in by_run(rows).items():
        place = folder / "logs" / name
        place.mkdir(parents=True)
        csv_file(place, [{key: row[key] for key in ("epoch", "val_acc", "val_loss")} for row in found])
        (place / "runs.csv").rename(place / "metrics.csv")
    return partial(read_run_folders, folder / "logs")


def tensorboard_logs(folder: Path, rows: Rows) -> Reader:
    for name, found in by_run(rows).items():
        curves = {
            metric: [(row["epoch"], row[metric]) for row in found if row[metric] is not None]
            for metric in ("val_acc", "val_loss")
        }
        write_event_log(folder / "logs" / name, curves)
    return partial(read_tensorboard, folder / "logs")


def wandb_logs(folder: Path, rows: Rows) -> Reader:
    for name, found in by_run(rows).items():
        logged = [
            {"_step": row["epoch"]} | {key: row[key] for key in ("val_acc", "val_loss") if row[key] is not None}
            for row in found
        ]
        write_wandb_log(folder / "logs", {"id": name, "name": name}, {}, logged)
    return partial(read_wandb_folder, folder / "logs", TableOptions(step="last"))


SOURCES = [csv_file, csv_file_of_metrics_in_rows_of_their_own, jsonl_file, json_file, parquet_file, excel_file, folders,
           tensorboard_logs, wandb_logs]  # fmt: skip

WITH_TEXTS = [csv_file, csv_file_of_metrics_in_rows_of_their_own, jsonl_file, json_file, folders, wandb_logs]
"""Sources whose metrics can be texts."""


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
def write(request: pytest.FixtureRequest) -> Any:
    return request.param


def read(reader: Reader, step: str) -> StudyData:
    return study_of("theirs", reader(), TableOptions(metric="val_acc", margin=0.5, step=step))


def scores(study: StudyData) -> dict[str, float]:
    columns = (study.runs[name] for name in ("variant", "seed", "val_acc"))
    return {f"{variant}-s{seed}": round(value, 4) for variant, seed, value in zip(*columns, strict=True)}


@pytest.mark.parametrize(("step", "epoch", "words"), [
    ("last", 4, "last recorded val_acc of each run"),
    ("2", 2, "val_acc at step 2 of each run"),
    ("best:val_loss", 3, "val_acc at the step with the lowest val_loss of each run"),
])  # fmt: skip
def test_complete_runs(write: Any, tmp_path: Path, step: str, epoch: int, words: str) -> None:
    rows = epochs()
    found = read(write(tmp_path, rows), step)
    expected = {f"{row['variant']}-s{row['seed']}": row["val_acc"] for row in rows if row["epoch"] == epoch}
    assert scores(found) == expected
    assert words in found.statement
    assert not [text for text in found.cautions if "step" in text or "end" in text]


@pytest.mark.parametrize(("step", "used", "words"), [
    ("last", {2}, ""), ("1", set(), "step 1"), ("best:val_loss", set(), "the step with the lowest val_loss"),
])  # fmt: skip
def test_a_metric_that_is_missing_at_the_step_is_never_that_of_another_step(
    write: Any, tmp_path: Path, step: str, used: set[int], words: str
) -> None:
    rows = epochs(lambda variant, seed, epoch, metrics: {**metrics, "val_acc": [0.5, None, 0.7, None, None][epoch]})
    found = read(write(tmp_path, rows), step)
    account = account_for(analyse(found))
    if used:
        assert set(scores(found).values()) == {0.7}, "the last recorded value, of epoch 2"
        assert account.used == 6
        return
    assert all(math.isnan(score) for score in scores(found).values())
    assert account.left_out == {"without val acc": 6}
    assert any(text.startswith(f"6 runs have val_acc, but not at {words}: ") for text in found.cautions)


def diverged(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(metrics, math.nan) if variant != "baseline" and seed < 2 and epoch > 0 else metrics


@pytest.mark.parametrize(("step", "words"), [
    ("0", "2 runs end with a val_acc that is not finite, and count as unstable with the value at step 0: "),
    ("best:val_loss", "2 runs end with a val_acc or val_loss that is not finite, and count as unstable with the value "
                      "at the step with the lowest val_loss: "),
    ("last", ""),
])  # fmt: skip
def test_a_run_that_ends_with_nan_is_unstable(write: Any, tmp_path: Path, step: str, words: str) -> None:
    found = read(write(tmp_path, epochs(diverged)), step)
    lost = found.runs[found.runs["status"] == "unstable"]
    assert list(zip(lost["variant"], lost["seed"], strict=True)) == [("no-ema", 0), ("no-ema", 1)]
    assert found.counts.statuses == {"finished": 4, "unstable": 2}
    assert any(text.startswith(words) for text in found.cautions) == (step != "last") or not words
    assert analyse(found).effects[0].n_unstable == 2
    if step != "last":
        assert scores(found)["no-ema-s0"] == 0.84, "the recorded value"


def test_a_loss_that_was_never_finite_is_unstable(write: Any, tmp_path: Path) -> None:
    def no_loss(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any]:
        return {**metrics, "val_loss": math.nan} if (variant, seed) == ("no-ema", 1) else metrics

    found = read(write(tmp_path, epochs(no_loss)), "best:val_loss")
    assert found.counts.statuses == {"finished": 5, "unstable": 1}


@pytest.mark.parametrize(("step", "metric"), [("last", "val_acc"), ("best:val_loss", "val_loss"), ("1", "")])
def test_a_run_that_ends_early_is_a_caution(write: Any, tmp_path: Path, step: str, metric: str) -> None:
    def stopped(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any] | None:
        return None if (variant, seed) == ("no-ema", 2) and epoch > 1 else metrics

    found = read(write(tmp_path, epochs(stopped)), step)
    early = [text for text in found.cautions if text.startswith(f"1 run ends before step 4 of {metric}: ")]
    assert len(early) == bool(metric)
    assert scores(found)["no-ema-s2"] == 0.852 if step == "1" else True


@pytest.mark.parametrize("write", WITH_TEXTS, ids=lambda source: source.__name__)
@pytest.mark.parametrize(("word", "step", "refused"), [
    ("diverged", "last", True), ("diverged", "1", False), ("true", "last", True), ("0,9", "4", True),
])  # fmt: skip
def test_a_text_in_place_of_the_score_is_refused(
    write: Any, tmp_path: Path, word: str, step: str, refused: bool
) -> None:
    def texts(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any]:
        return {**metrics, "val_acc": word} if (variant, seed, epoch) == ("no-ema", 1, 4) else metrics

    if not refused:
        assert read(write(tmp_path, epochs(texts)), step).counts.statuses == {"finished": 5, "unstable": 1}
        return
    with pytest.raises(UserError, match=rf"val_acc is not a number in .*\(no-ema, seed 1: '{word}'\)"):
        read(write(tmp_path, epochs(texts)), step)


@pytest.mark.parametrize("write", WITH_TEXTS, ids=lambda source: source.__name__)
def test_percentages_at_the_step_count_as_such(write: Any, tmp_path: Path) -> None:
    def percent(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any]:
        return {**metrics, "val_acc": f"{100 * metrics['val_acc']:.1f}%"} if epoch == 4 else metrics

    found = read(write(tmp_path, epochs(percent)), "last")
    assert scores(found) == scores(read(write(tmp_path / "plain", epochs()), "last"))


def test_a_run_with_one_value_is_not_at_another_step(write: Any, tmp_path: Path) -> None:
    def killed(variant: str, seed: int, epoch: int, metrics: dict[str, Any]) -> dict[str, Any] | None:
        return None if (variant, seed) == ("no-ema", 2) and epoch > 0 else metrics

    found = read(write(tmp_path, epochs(killed)), "3")
    assert math.isnan(scores(found)["no-ema-s2"])
    assert account_for(analyse(found)).left_out["without val acc"] == 1
