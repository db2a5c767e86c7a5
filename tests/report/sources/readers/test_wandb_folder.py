"""Folders of W&B runs: logs that `wandb` wrote (tests/samples/wandb_runs), damaged ones, and files without a log."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import UNREADABLE, RunTable
from ablate.report.sources.readers.wandb_folder import CORRUPT, EMPTY, read_wandb_folder
from ablate.report.sources.readers.wandb_log import read_wandb_log, records
from ablate.report.study_data import StudyData
from tests import ROOT
from tests.samples.wandb_log import BLOCK, log_of, write_wandb_log

LOGS = ROOT / "tests" / "samples" / "wandb_runs"
LAST = TableOptions(step="last")


def read(folder: Path, **options: Any) -> RunTable:
    return read_wandb_folder(folder, TableOptions(**options))


def cells(runs: RunTable, run: str) -> dict[str, str]:
    return {name: value for name, value in runs.table.loc[run].items() if value}  # type: ignore[misc]


def points(runs: RunTable, run: str, metric: str) -> list[tuple[float, float]]:
    curve = runs.histories[run][metric]
    return list(zip(curve.steps, curve.values, strict=True))


def write_studies(folder: Path, **run: Any) -> None:
    """Write runs of two variants with three seeds each, whose names end with the seed."""
    for variant in ("base", "wide"):
        for seed in range(3):
            rows = [{"val/acc": 0.5 + 0.1 * epoch + 0.05 * (variant == "wide") + 0.01 * seed} for epoch in range(3)]
            names = {"id": f"{variant}{seed}", "name": f"{variant}-seed{seed}", **run}
            write_wandb_log(folder, names, {"lr": 0.1}, rows)


def report(folder: Path, **options: Any) -> StudyData:
    given = TableOptions(**{"metric": "val/acc", "baseline": "base", "margin": 0.5, **options})
    return study_of("theirs", read_wandb_folder(folder, given), given)


def test_logs_of_wandb() -> None:
    runs = read(LOGS)
    assert list(runs.table.index) == ["sgd-seed1", "adam-seed1"]
    found = cells(runs, "sgd-seed1")
    assert {name: value for name, value in found.items() if not name.startswith("metrics.")} == {
        "status": "finished", "tags.name": "sgd-seed1", "tags.id": "aaaa1111", "tags.entity": "lab",
        "tags.project": "digits", "tags.group": "sweep", "tags.job_type": "train", "tags.tags": "first,cpu",
        "params.optimizer.name": "sgd", "params.optimizer.lr": "0.1", "params.optimizer.betas": "[0.9, 0.99]",
        "params.seed": "1", "params.amp": "true", "params.late.value": "5",
    }  # fmt: skip
    metrics = {name.removeprefix("metrics."): value for name, value in found.items() if name.startswith("metrics.")}
    assert metrics.pop("_runtime") == "3"
    assert metrics == {
        "val/acc": "0.7", "val/loss.min": "0.4", "best_acc": "0.8", "epoch": "4", "lr": "0.00625", "time.train": "6",
        "text": "hello",
    }, "the summary has the lowest val/loss only, as the program declared; a histogram is no metric"  # fmt: skip
    assert cells(runs, "adam-seed1")["status"] == "failed"
    assert cells(runs, "adam-seed1")["metrics.val/acc"] == "nan"
    assert runs.set_aside == {EMPTY: ["offline-run-20261127_162923-cccc3333"]}, "a run that has just begun"


def test_histories_by_step() -> None:
    runs = read(LOGS, step="last")
    assert points(runs, "sgd-seed1", "val/acc") == [(0, 0.5), (2, 0.6), (4, 0.8), (6, 0.75), (8, 0.7)]
    assert points(runs, "sgd-seed1", "lr")[-1] == (9, 0.00625)
    assert cells(runs, "sgd-seed1")["metrics.best_acc"] == "0.8", "a value that only the summary has"
    assert "metrics.val/acc" not in runs.table.columns
    by_epoch = read(LOGS, step="last", step_param="epoch")
    assert by_epoch.statement == "steps: epoch"
    assert points(by_epoch, "sgd-seed1", "val/acc") == [(0, 0.5), (1, 0.6), (2, 0.8), (3, 0.75), (4, 0.7)]
    with pytest.raises(UsageError, match="No run logged a number 'epok' that --step-param can name"):
        read(LOGS, step="last", step_param="epok")


def test_nested_numbers_of_older_versions(tmp_path: Path) -> None:
    rows = [{"val": {"acc": 0.1 * step, "hist": {"_type": "histogram", "bins": 3}}} for step in range(3)]
    write_wandb_log(tmp_path, {"id": "a", "name": "a"}, {"seed": 1}, rows)
    runs = read(tmp_path, step="last")
    assert list(runs.histories["a"]) == ["val.acc"]
    assert points(runs, "a", "val.acc") == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert cells(read(tmp_path), "a")["metrics.val.acc"] == "0.2"


def test_a_value_that_only_the_summary_has_is_at_no_step() -> None:
    assert cells(read(LOGS, metric="best_acc"), "sgd-seed1")["metrics.best_acc"] == "0.8"
    with pytest.raises(UsageError, match=r"best_acc is in the summaries of the runs only, which have no steps. Omit"):
        read(LOGS, metric="best_acc", step="4")


def test_without_a_step_the_summary_counts_and_is_stated(tmp_path: Path) -> None:
    write_studies(tmp_path)
    found = report(tmp_path)
    assert "variant and seed by the names of the runs" in found.statement
    assert "val/acc in the summary of each run" in found.statement
    assert sorted(round(value, 2) for value in found.runs["val_acc"]) == [0.7, 0.71, 0.72, 0.75, 0.76, 0.77]
    at_step = report(tmp_path, step="1")
    assert "val/acc at step 1 of each run" in at_step.statement
    assert sorted(round(value, 2) for value in at_step.runs["val_acc"]) == [0.6, 0.61, 0.62, 0.65, 0.66, 0.67]


def test_a_value_of_the_summary_alone_is_stated(tmp_path: Path) -> None:
    for variant, best in (("base", 0.9), ("wide", 0.8)):
        for seed in range(3):
            names = {"id": f"{variant}{seed}", "name": f"{variant}-seed{seed}"}
            write_wandb_log(tmp_path, names, {}, [{"val/acc": 0.5}], summary={"best_acc": best + 0.01 * seed})
    found = report(tmp_path, metric="best_acc")
    assert "best_acc in the summary of each run" in found.statement
    assert round(found.runs["best_acc"].max(), 2) == 0.92


def test_a_run_that_ends_early_is_named(tmp_path: Path) -> None:
    write_studies(tmp_path)
    for seed in (3, 4):
        write_wandb_log(tmp_path, {"id": f"s{seed}", "name": f"base-seed{seed}"}, {}, [{"val/acc": 0.5}] * (seed - 2))
    (caution,) = (text for text in report(tmp_path).cautions if "before step" in text)
    assert caution.startswith("2 runs end before step 2 of val/acc: base-seed3 (step 0), base-seed4 (step 1).")


def test_states(tmp_path: Path) -> None:
    for name, code in (("ok", 0), ("bad", 1), ("interrupted", 255), ("open", None), ("gone", None)):
        path = write_wandb_log(tmp_path, {"id": name, "name": name}, {}, [{"acc": 1}], code)
    os.utime(path, (0, 0))
    assert read(tmp_path).table["status"].to_dict() == {
        "ok": "finished", "bad": "failed", "interrupted": "failed", "open": "running", "gone": "crashed",
    }  # fmt: skip


def test_runs_with_one_name(tmp_path: Path) -> None:
    for seed in range(2):
        for name in ("base", "wide"):
            write_wandb_log(tmp_path, {"id": f"{name}{seed}", "name": name}, {"seed": seed}, [{"acc": 0.5 + seed / 9}])
    runs = read(tmp_path)
    assert list(runs.table.index) == ["base (base0)", "base (base1)", "wide (wide0)", "wide (wide1)"]
    assert list(runs.names) == ["base", "base", "wide", "wide"]
    study = report(tmp_path, metric="acc")
    assert sorted(set(study.runs["variant"])) == ["base", "wide"]


def test_runs_of_two_projects_are_a_caution(tmp_path: Path) -> None:
    write_studies(tmp_path / "a")
    write_wandb_log(tmp_path / "b", {"id": "base0", "project": "other", "name": "new-seed0"}, {}, [{"val/acc": 1}])
    runs = read(tmp_path)
    assert len(runs.table) == 7, "the same id in another project is another run"
    assert "The runs belong to 2 projects: p (6 runs), other (1 run). Choose one with --where project=NAME." in (
        runs.cautions
    )
    assert read(tmp_path, where=("project=p",)).cautions == []


def test_a_resumed_run_is_one_run(tmp_path: Path) -> None:
    run = {"id": "a", "name": "base"}
    path = write_wandb_log(tmp_path, run, {"lr": 0.1, "seed": 1}, [{"acc": 0.1 * step} for step in range(4)], None)
    path.parent.rename(tmp_path / "run-20250101_000000-a")
    later = write_wandb_log(tmp_path, run, {"lr": 0.2}, [{}, {}, {"acc": 0.7}], 0)
    runs = read(tmp_path, step="last")
    assert points(runs, "base", "acc") == [(0, 0.0), (1, 0.1), (2, 0.7)]
    assert cells(runs, "base")["status"] == "finished"
    assert {"params.lr": "0.2", "params.seed": "1"}.items() <= cells(runs, "base").items()
    assert runs.cautions == ["1 run in several folders: their later logs replace what they recorded again: base."]
    shutil.rmtree(later.parent)


def test_a_damaged_log_is_set_aside(tmp_path: Path) -> None:
    write_studies(tmp_path)
    path = next(tmp_path.glob("*base0/*.wandb"))
    content = path.read_bytes()
    path.write_bytes(content[:60] + b"xxxx" + content[64:])
    runs = read(tmp_path)
    assert runs.set_aside == {CORRUPT: ["offline-run-20260101_000000-base0"]}
    assert runs.cautions == [f"{path} is damaged after byte 17."]
    assert len(runs.table) == 5
    for other in tmp_path.glob("*/*.wandb"):
        other.write_bytes(b"not a log")
    with pytest.raises(UserError, match=r"is damaged after byte 0"):
        read(tmp_path)


def test_records_with_other_contents_are_damaged(tmp_path: Path) -> None:
    generator = random.Random(22)
    path = write_wandb_log(tmp_path, {"id": "a", "name": "a"}, {"seed": 1}, [{"acc": 0.5}])
    with path.open("rb") as file:
        written = [record for record, _ in records(file) if record]
    for _ in range(200):
        changed = bytearray(generator.choice(written[1:]))
        for _ in range(3):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        path.write_bytes(log_of([*written[:2], bytes(changed)]))
        with contextlib.suppress(UserError):  # and no other exception
            assert len(read(tmp_path).table) == 1


def test_an_incomplete_record_at_the_end_is_a_caution(tmp_path: Path) -> None:
    path = write_wandb_log(tmp_path, {"id": "a", "name": "a"}, {"seed": 1}, [{"acc": 0.5}, {"acc": 0.75}])
    content = path.read_bytes()
    _, (_, begin), *_ = records(io.BytesIO(content))
    for end in range(begin - 10, len(content)):
        path.write_bytes(content[:end])
        if end < begin:
            with pytest.raises(UserError, match="No W&B runs"):
                read(tmp_path)
            continue
        runs = read(tmp_path)
        assert cells(runs, "a").get("metrics.acc") in (None, "0.5", "0.75")
        assert cells(runs, "a")["status"] == "running"
    assert runs.cautions[0].startswith("The last record is incomplete in 1 log")


def test_records_across_blocks() -> None:
    sizes = [10, BLOCK - 40, 0, 1, 3 * BLOCK, BLOCK - 7, BLOCK - 14, 5]
    written = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    content = log_of(written)
    assert [record for record, _ in records(io.BytesIO(content))] == written
    for end in (*range(8, 200), *range(BLOCK - 60, BLOCK + 60), len(content) - 1):
        found = [record for record, _ in records(io.BytesIO(content[:end]))]
        complete = [record for record in found if record is not None]
        assert complete == written[: len(complete)]


def test_files_without_a_log(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    files = tmp_path / "wandb" / "run-20260101_000000-abc" / "files"
    files.mkdir(parents=True)
    (files / "config.yaml").write_text(
        "wandb_version: 1\n_wandb:\n  desc: null\n  value:\n    cli_version: 0.16\noptimizer:\n  desc: null\n"
        "  value:\n    name: sgd\n    lr: 0.1\nseed:\n  desc: null\n  value: 3\n"
    )
    (files / "wandb-summary.json").write_text(json.dumps({"val/acc": 0.5, "_step": 3, "_wandb": {"runtime": 1}}))
    runs = read(tmp_path)
    assert cells(runs, "abc") == {
        "tags.name": "abc", "tags.id": "abc", "params.optimizer.name": "sgd", "params.optimizer.lr": "0.1",
        "params.seed": "3", "metrics.val/acc": "0.5",
    }  # fmt: skip
    write_wandb_log(tmp_path, {"id": "b", "name": "b"}, {"seed": 1}, [{"val/acc": 1}])
    assert read(tmp_path).table["status"].to_dict() == {"abc": "no log", "b": "finished"}


def test_a_run_with_a_half_written_file_is_set_aside(tmp_path: Path) -> None:
    write_wandb_log(tmp_path, {"id": "a", "name": "a"}, {"seed": 1}, [{"acc": 0.5}])
    (tmp_path / "run-20260101_000000-b" / "files").mkdir(parents=True)
    path = tmp_path / "run-20260101_000000-b" / "files" / "wandb-summary.json"
    path.write_text('{"acc": 0.')
    runs = read(tmp_path)
    assert runs.set_aside == {UNREADABLE: ["run-20260101_000000-b"]}
    assert runs.cautions[0].startswith(f"Cannot read {path} as JSON")


def test_a_summary_that_has_not_the_last_value_is_named(tmp_path: Path) -> None:
    for seed in range(2):
        names = {"id": f"s{seed}", "name": f"base-seed{seed}"}
        write_wandb_log(
            tmp_path, names, {}, [{"val/acc": 0.9}, {"val/acc": 0.5}], summary={"val/acc": 0.9 - 0.4 * seed}
        )
    assert read(tmp_path, metric="val_acc").cautions == [
        "val/acc in the summary is not the last logged value in 1 run (base-seed0: 0.9, logged 0.5), and may be "
        "the best one. For the last one, use --step last."
    ]
    assert read(tmp_path, metric="val_acc", step="last").cautions == []
    with pytest.raises(
        UsageError, match=r"val_loss is not in the summaries of the runs, only in .* Choose --step last"
    ):
        read(LOGS, metric="val_loss")
    declared = study_of("theirs", read(LOGS), TableOptions(metric="val/loss.min", variant="optimizer.name", margin=0.1,
                                                            baseline="sgd", unpaired=True))  # fmt: skip
    assert (
        "val/loss.min is by its name the lowest value of each run, not the last one: its step was chosen by the metric "
        "itself, so the scores are lower than those of new data."
    ) in declared.cautions


def test_folders_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Folder not found: .*none"):
        read(tmp_path / "none")
    with pytest.raises(UserError, match=r"No W&B runs \(run-TIME-ID, offline-run-TIME-ID\) in"):
        read(tmp_path)


def test_one_run_and_links(tmp_path: Path) -> None:
    write_wandb_log(tmp_path, {"id": "a", "name": "a"}, {"seed": 1}, [{"acc": 0.5}])
    (tmp_path / "latest-run").symlink_to("offline-run-20260101_000000-a")
    assert list(read(tmp_path).table.index) == ["a"]
    assert list(read(tmp_path / "latest-run").table.index) == ["a"]


def test_wandb_writes_what_is_read(tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb, the extra `wandb`, is not installed")
    with wandb.init(mode="offline", dir=tmp_path, name="a", config={"seed": 1}, settings={"silent": True}) as run:
        for step in range(40):
            run.log({"acc": step / 40, "text": "long " * 400})
    wandb.teardown()
    found = read(tmp_path, step="last")
    assert [value for _, value in points(found, "a", "acc")] == [step / 40 for step in range(40)]
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert path.stat().st_size > 2 * BLOCK
    assert not read_wandb_log(path).is_incomplete
