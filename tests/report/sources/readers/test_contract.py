"""The contract of all readers: the same runs give the same effects, and every run is accounted for."""

from __future__ import annotations

import csv
import importlib
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ablate.errors import UserError
from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis, analyse
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.mlflow_experiment import read_experiments
from ablate.report.sources.readers.event_file import fields
from ablate.report.sources.readers.optuna_runs import read_optuna
from ablate.report.sources.readers.run_folders import read_run_folders
from ablate.report.sources.readers.run_table import Reader, RunTable
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.sources.readers.tensorboard_runs import read_tensorboard
from ablate.report.sources.readers.wandb_folder import read_wandb_folder
from ablate.report.sources.readers.wandb_log import records
from ablate.report.sources.readers.wandb_project import read_wandb
from ablate.stats.effects import effects_table
from tests.samples.external_store import EMPTY_RUN, Store
from tests.samples.wandb_log import write_wandb_log
from tests.samples.wandb_server import run_node, wandb_server

WANDB_EXIT = 18
"""Field of the record of the end of a run."""

Runs = list[dict[str, Any]]
COLUMNS = ("variant", "seed", "state", "val_acc", "augment", "config.lr")


def simulated() -> Runs:
    """Return runs of four variants, with a crash, a run that goes on and a score that is not a number."""
    generator = np.random.default_rng(22)
    luck = generator.normal(0, 0.004, 6)
    runs = []
    for variant, shift in (("baseline", 0.0), ("no-augment", -0.04), ("no-mixup", -0.002), ("no-ema", 0.001)):
        for seed in range(6):
            score: float | None = round(float(0.9 + shift + luck[seed] + generator.normal(0, 0.002)), 4)
            state = "finished"
            if (variant, seed) == ("no-mixup", 3):
                state, score = "crashed", None
            if (variant, seed) == ("no-ema", 5):
                state = "running"
            row = {"variant": variant, "seed": seed, "state": state, "val_acc": score}
            runs.append({**row, "augment": variant != "no-augment", "config.lr": 0.1 * (seed + 1)})
    return runs


def csv_file(folder: Path, runs: Runs, separator: str = ",") -> Reader:
    path = folder / ("runs.tsv" if separator == "\t" else "runs.csv")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=separator)
        writer.writeheader()
        writer.writerows(runs)
    return partial(read_table_files, [path])


def nested(run: dict[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in run.items() if name != "config.lr"}, "config": {"lr": run["config.lr"]}}


def jsonl_file(folder: Path, runs: Runs) -> Reader:
    path = folder / "runs.jsonl"
    path.write_text("".join(json.dumps(nested(run)) + "\n" for run in runs))
    return partial(read_table_files, [path])


def json_file(folder: Path, runs: Runs) -> Reader:
    path = folder / "runs.json"
    path.write_text(json.dumps([nested(run) for run in runs], indent=1))
    return partial(read_table_files, [path])


def parquet_file(folder: Path, runs: Runs) -> Reader:
    pytest.importorskip("pyarrow")
    pd.DataFrame(runs, columns=COLUMNS).to_parquet(folder / "runs.parquet", index=False)
    return partial(read_table_files, [folder / "runs.parquet"])


def excel_file(folder: Path, runs: Runs) -> Reader:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, the extra `excel`, is not installed")
    book = openpyxl.Workbook()
    book.active.append(COLUMNS)
    for run in runs:
        book.active.append(list(run.values()))
    book.save(folder / "runs.xlsx")
    return partial(read_table_files, [folder / "runs.xlsx"])


def csv_file_of_epochs(folder: Path, runs: Runs) -> Reader:
    """One row per epoch; the last one has the score."""
    rows = []
    for run in runs:
        rows += [{**run, "epoch": epoch, "val_acc": run["val_acc"] and 0.1 * epoch} for epoch in range(3)]
        rows.append({**run, "epoch": 3})
    pd.DataFrame(rows).to_csv(folder / "epochs.csv", index=False)
    return partial(read_table_files, [folder / "epochs.csv"])


def tensorboard_logs(folder: Path, runs: Runs, library: str = "torch.utils.tensorboard") -> Reader:
    needed = "tensorboardX" if library == "tensorboardX" else "tensorboard"
    pytest.importorskip(needed, reason=f"{needed} is not installed")
    writer = importlib.import_module(library).SummaryWriter
    for number, run in enumerate(runs):
        texts = {"augment": str(run["augment"]).lower()}
        with warnings.catch_warnings(), writer(str(folder / f"{number:02}")) as log:
            warnings.simplefilter("ignore")
            if run["val_acc"] is not None:
                for epoch in range(3):
                    log.add_scalar("val_acc", 0.1 * epoch, epoch)
                log.add_scalar("val_acc", run["val_acc"], 3)
            log.add_hparams({name: run[name] for name in ("variant", "seed", "state", "config.lr")} | texts, {})
    return partial(read_tensorboard, folder)


def json_folders(folder: Path, runs: Runs) -> Reader:
    """A folder per run with its configuration and its results."""
    for number, run in enumerate(runs):
        place = folder / f"{number:02}"
        place.mkdir()
        params = {name: value for name, value in nested(run).items() if name != "val_acc"}
        (place / "config.json").write_text(json.dumps(params))
        (place / "results.json").write_text(json.dumps({"val_acc": run["val_acc"]}))
    return partial(read_run_folders, folder)


def json_folders_with_states(folder: Path, runs: Runs) -> Reader:
    """A folder per run whose results have the state."""
    for number, run in enumerate(runs):
        (folder / f"{number:02}").mkdir()
        results = {"run": {"state": run["state"]}, "val_acc": run["val_acc"] if run["val_acc"] is not None else 0.1}
        params = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        (folder / f"{number:02}" / "config.json").write_text(json.dumps(params))
        (folder / f"{number:02}" / "results.json").write_text(json.dumps(results))
    return partial(read_run_folders, folder)


def jsonl_folders(folder: Path, runs: Runs) -> Reader:
    """A folder per run with a line per epoch; the last line has the state."""
    for number, run in enumerate(runs):
        (folder / f"{number:02}").mkdir()
        params = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        lines = [{"epoch": epoch, "val_acc": 0.1 * epoch, "state": "running"} for epoch in range(3)]
        lines.append({"epoch": 3, "val_acc": run["val_acc"], "state": run["state"]})
        (folder / f"{number:02}" / "params.json").write_text(json.dumps(params))
        (folder / f"{number:02}" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return partial(read_run_folders, folder)


def lightning_logs(folder: Path, runs: Runs) -> Reader:
    loggers = pytest.importorskip("lightning.pytorch.loggers", reason="lightning is not installed")
    for number, run in enumerate(runs):
        log = loggers.CSVLogger(str(folder), name=f"{number:02}", flush_logs_every_n_steps=1)
        log.log_hyperparams({name: value for name, value in run.items() if name != "val_acc"})
        if run["val_acc"] is None:
            log.log_metrics({"train_loss": 0.5}, 0)
        else:
            for step in range(3):
                log.log_metrics({"val_acc": 0.1 * step, "epoch": 0}, step)
            log.log_metrics({"val_acc": run["val_acc"], "epoch": 1}, 3)
        log.save()
    return partial(read_run_folders, folder)


def several_files(folder: Path, runs: Runs) -> Reader:
    """Runs of three programs: one wrote CSV, one JSONL and one Parquet."""
    parts = [(csv_file, runs[:8]), (jsonl_file, runs[8:15]), (parquet_file, runs[15:])]
    paths = [write(folder, part).args[0][0] for write, part in parts]  # type: ignore[operator, attr-defined]
    return partial(read_table_files, paths)


def mlflow_experiment(folder: Path, runs: Runs) -> Reader:
    found = [
        replace(
            EMPTY_RUN,
            name=str(number),
            variant=f"run-{number}",
            status={"crashed": "failed"}.get(run["state"], run["state"]),
            params={name: str(run[name]) for name in ("variant", "seed", "augment", "config.lr")},
            metrics={} if run["val_acc"] is None else {"val_acc": run["val_acc"]},
        )
        for number, run in enumerate(runs)
    ]
    return partial(read_experiments, ["theirs"], Store(found), TableOptions())  # type: ignore[arg-type]


def optuna_study(folder: Path, runs: Runs) -> Reader:
    """The trials of a study with a named objective; augment is a user attribute, the others are parameters."""
    states = {"finished": TrialState.COMPLETE, "crashed": TrialState.FAIL, "running": TrialState.RUNNING}
    path = folder / "tuning.log"
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.set_metric_names(["val_acc"])
    names = ("variant", "seed", "config.lr")
    choices = {name: CategoricalDistribution(list(dict.fromkeys(run[name] for run in runs))) for name in names}
    trials = [
        optuna.trial.create_trial(
            state=states[run["state"]],
            value=run["val_acc"] if run["state"] == "finished" else None,
            params={name: run[name] for name in names},
            distributions=choices,
            user_attrs={"augment": run["augment"]},
        )
        for run in runs
    ]
    study.add_trials(trials)
    return partial(read_optuna, str(path), None, TableOptions())


def wandb_logs(folder: Path, runs: Runs) -> Reader:
    codes = {"finished": 0, "crashed": 1, "running": None}
    for number, run in enumerate(runs):
        config = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        scores = [] if run["val_acc"] is None else [0.0, 0.1, 0.2, run["val_acc"]]
        names = {"id": f"{number:02}", "name": f"run {number}"}
        write_wandb_log(folder, names, config, [{"val_acc": score} for score in scores], codes[run["state"]])
    return partial(read_wandb_folder, folder, TableOptions())


def wandb_logs_with_states(folder: Path, runs: Runs) -> Reader:
    """Runs that ended with success by W&B, and whose summary has the state."""
    for number, run in enumerate(runs):
        config = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        logged = [{"val_acc": 0.1}, {"val_acc": run["val_acc"]}] if run["val_acc"] is not None else []
        write_wandb_log(folder, {"id": f"{number:02}"}, config, [*logged, {"run.state": run["state"]}])
    return partial(read_wandb_folder, folder, TableOptions())


def wandb_runs(folder: Path, runs: Runs) -> Reader:
    """Runs of the real library. The log of one that is running lacks the record of the end."""
    wandb = pytest.importorskip("wandb", reason="wandb, the extra `wandb`, is not installed")
    quick = wandb.Settings(silent=True, console="off", x_disable_meta=True, x_disable_stats=True, disable_git=True)
    running = []
    for run in runs:
        config = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        log = wandb.init(mode="offline", dir=folder, config=config, settings=quick)
        for score in [] if run["val_acc"] is None else [0.0, 0.1, 0.2, run["val_acc"]]:
            log.log({"val_acc": score})
        log.finish(exit_code=int(run["state"] == "crashed"))
        running += [Path(log.settings.sync_file)] if run["state"] == "running" else []
    wandb.teardown()  # which waits until the logs are written
    for path in running:
        with path.open("rb") as file:
            ends = [end for record, end in records(file) if record and WANDB_EXIT not in dict(fields(record))]
        path.write_bytes(path.read_bytes()[: ends[-1]])
    return partial(read_wandb_folder, folder, TableOptions())


def wandb_project(folder: Path, runs: Runs) -> Reader:
    """Runs that the public API reads from a local server."""
    pytest.importorskip("wandb", reason="wandb, the extra `wandb`, is not installed")
    nodes = []
    for number, run in enumerate(runs):
        config = {name: value for name, value in nested(run).items() if name not in ("val_acc", "state")}
        scores = [] if run["val_acc"] is None else [0.0, 0.1, 0.2, run["val_acc"]]
        nodes.append(run_node(f"{number:02}", config, [{"val_acc": score} for score in scores], state=run["state"]))

    def read() -> RunTable:
        with wandb_server({"lab/theirs": nodes}) as address, pytest.MonkeyPatch.context() as patch:
            patch.setenv("WANDB_BASE_URL", address)
            patch.setenv("WANDB_API_KEY", "a" * 40)
            return read_wandb("lab/theirs", TableOptions())

    return read


SOURCES: dict[str, Callable[[Path, Runs], Reader]] = {
    "csv": csv_file,
    "tsv": partial(csv_file, separator="\t"),
    "jsonl": jsonl_file,
    "json": json_file,
    "parquet": parquet_file,
    "excel": excel_file,
    "csv of epochs": csv_file_of_epochs,
    "tensorboard of PyTorch": tensorboard_logs,
    "tensorboardX": partial(tensorboard_logs, library="tensorboardX"),
    "folders of JSON": json_folders,
    "folders of JSON with states": json_folders_with_states,
    "folders of JSONL": jsonl_folders,
    "folders of Lightning": lightning_logs,
    "several files": several_files,
    "mlflow": mlflow_experiment,
    "optuna": optuna_study,
    "W&B logs": wandb_logs,
    "W&B logs with states": wandb_logs_with_states,
    "wandb": wandb_runs,
    "wandb project": wandb_project,
}


@pytest.fixture(params=SOURCES.values(), ids=SOURCES)
def write(request: pytest.FixtureRequest) -> Callable[[Path, Runs], Reader]:
    return request.param  # type: ignore[no-any-return]


def analysed(runs: RunTable) -> Analysis:
    repeated = any(len(curve.steps) > 1 for curves in runs.histories.values() for curve in curves.values())
    step = "last" if repeated or "epoch" in runs.table.columns else None
    return analyse(study_of("theirs", runs, TableOptions(metric="val_acc", margin=0.5, step=step)))


@pytest.fixture(scope="module")
def expected() -> Analysis:
    rows = [{name: "" if value is None else str(value) for name, value in run.items()} for run in simulated()]
    return analysed(RunTable("memory", pd.DataFrame(rows), "run"))


def test_the_same_runs_give_the_same_effects(write: Any, tmp_path: Path, expected: Analysis) -> None:
    found = analysed(write(tmp_path, simulated())())
    assert effects_table(found.effects).to_csv() == effects_table(expected.effects).to_csv()
    assert len(found.effects) == 3


def test_every_run_is_accounted_for(write: Any, tmp_path: Path, expected: Analysis) -> None:
    account = account_for(analysed(write(tmp_path, simulated())()))
    assert account == account_for(expected)
    assert account.read == 24
    assert account.left_out == {"failed": 1, "still running": 1}


def test_a_reader_returns_text_and_names_the_rows(write: Any, tmp_path: Path) -> None:
    runs = write(tmp_path, simulated())()
    assert isinstance(runs, RunTable)
    assert {type(value) for value in runs.table.to_numpy().ravel()} == {str}
    assert runs.table.index.is_unique
    assert runs.table.columns.is_unique
    assert runs.source


def test_messages_name_the_rows(write: Any, tmp_path: Path) -> None:
    rows = [{**run, "config.lr": str(run["config.lr"])} for run in simulated()]
    rows[7]["seed"] = 0
    with pytest.raises(UserError, match=r"Duplicate results: (line|row|run|trial) .*\(no-augment, seed 0\)"):
        analysed(write(tmp_path, rows)())


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_reading_changes_nothing(write: Any, tmp_path: Path) -> None:
    reader = write(tmp_path, simulated())
    before = contents(tmp_path)
    reader()
    assert contents(tmp_path) == before
