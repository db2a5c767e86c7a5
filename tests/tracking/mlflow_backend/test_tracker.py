"""Runs in MLflow: their schema, and that every record is delivered exactly once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from ablate.errors import UserError
from ablate.journal.receipt import delivery_lock, receipt_path
from ablate.journal.run_journal import Journal
from ablate.tracking import MlflowTracker, PlanEntry, Project, StoreError, StudyRecord, open_tracker
from ablate.tracking.mlflow_backend import store
from tests.samples.processes import Program, start_program
from tests.samples.tracking import DEAD, KEY, empty_database, end, epoch, mlflow_project, new_project, start, write_run


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return mlflow_project(tmp_path / "project")


def test_a_creation_whose_answer_is_lost_makes_one_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow repeats the request; if that fails too, the next delivery finds both runs."""
    from mlflow.tracking import MlflowClient

    tracker, create, failures = open_tracker(project), MlflowClient.create_run, [False]
    path = write_run(project)
    tracker.undelivered([path])  # connects
    monkeypatch.setattr(store, "is_server", lambda _: True)

    def create_twice(client: Any, *arguments: Any) -> Any:
        create(client, *arguments)
        made = create(client, *arguments)
        if failures and failures.pop():
            raise OSError("lost")
        return made

    monkeypatch.setattr(MlflowClient, "create_run", create_twice)
    record = StudyRecord("asked", "Why?", {"margin": 1.0}, [])
    for deliver in (lambda: tracker.open_study(record), lambda: tracker.deliver(path)):
        failures[:] = [True]
        with pytest.raises(StoreError, match="lost"):
            deliver()
        deliver()
    tracker.open_study(StudyRecord("other", "Why?", {"margin": 1.0}, []))
    tracker.deliver(write_run(project, f"{KEY}-feed-1"))
    names = [
        stored.tags.get("ablate.run", stored.name) for stored in tracker._store.search(tracker._store.experiments())
    ]
    assert len(names) == len(set(names)) == 4
    assert tracker.study("asked").question == "Why?"


def test_a_study_has_one_run_also_after_answers_that_were_lost(project: Project) -> None:
    """The main run is the same for reading and writing; the empty ones are deleted."""
    tracker, record = open_tracker(project), StudyRecord("asked", "Why?", {"margin": 1.0}, ())
    main, used = tracker.open_study(record), tracker._store
    (experiment,) = (number for number, name in used.experiments().items() if name == "asked")
    tags = {"ablate.kind": "study", "ablate.study": "asked"}
    empty = [used.create(experiment, "asked", start, tags) for start in (1, round(time.time() * 1000) + 60_000)]
    child = tracker.deliver(write_run(project, study="asked"))
    assert child
    assert client_of(project).get_run(child).data.tags["mlflow.parentRunId"] == empty[0]
    assert tracker.study("asked") == record
    tracker.attach_report("asked", None, "Clear.", {"delta/a": 1.0})
    assert tracker.open_study(record) == main
    assert [run.id for run in used.search({experiment: "asked"}, "tags.`ablate.kind` = 'study'")] == [main]
    assert client_of(project).get_run(child).data.tags["mlflow.parentRunId"] == main
    assert client_of(project).get_run(main).data.metrics == {"delta/a": 1.0}


def client_of(project: Project) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(project.tracking_uri())


def table(project: Project, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(project.database)) as connection:
        return list(connection.execute(query))


def content(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """Return the content of the store's runs, in order, without identifiers."""
    point = "key, value, timestamp, step, is_nan"
    return {
        "runs": table(project, "select name, status, start_time, end_time, lifecycle_stage from runs order by name"),
        "metrics": table(project, f"select {point} from metrics order by key, step, timestamp"),
        "latest": table(project, f"select {point} from latest_metrics order by key"),
        "params": table(project, "select key, value from params order by key"),
        "tags": table(project, "select key, value from tags order by key"),
        "datasets": table(project, "select name, digest from datasets order by name"),
        "inputs": table(project, "select count(*) from inputs"),
    }


def test_the_schema_of_a_run(project: Project) -> None:
    path = write_run(project, tags={"purpose": "test"})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    identifier = open_tracker(project).deliver(path)
    run = client_of(project).get_run(identifier)
    info, data = run.info, run.data
    assert (info.run_name, info.status) == ("no-augment/s3", "FINISHED")
    assert (info.start_time, info.end_time) == (round(lines[0]["time"] * 1000), round(lines[-1]["time"] * 1000))
    assert info.artifact_uri == f"{project.artifacts.as_uri()}/{identifier}/artifacts"
    assert client_of(project).get_experiment(info.experiment_id).name == "ablate"
    switches = {"augment": "false", "residual": "true"}
    settings = {"lr": "0.01", "dropout.p": "0.2", "optimizer": "adam", "seed": "3"}
    conditions = {"device": "cpu", "precision": "bf16", "threads": "1"}
    versions = {"versions.python": "3.11", "versions.torch": "2.14.1", "dirty": "true"}
    assert data.params == {**switches, **settings, **conditions, **versions}
    assert data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert data.tags["purpose"] == "test"
    wanted = ("kind", "study", "variant", "key", "data", "schema", "host", "pid", "heartbeat", "run", "status")
    assert {f"ablate.{name}" for name in wanted} <= set(data.tags)
    assert (data.tags["ablate.kind"], data.tags["ablate.run"]) == ("run", path.stem)
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("digits", "feed")


def test_metrics_have_the_steps_and_times_of_the_journal(project: Project) -> None:
    path = write_run(project, epochs=3)
    identifier = open_tracker(project).deliver(path)
    client = client_of(project)
    assert [point.step for point in client.get_metric_history(identifier, "train/loss")] == [0, 1, 2, 3]
    steps = client.get_metric_history(identifier, "lr_step")
    assert [(point.step, point.value) for point in steps] == [(step, 0.001 * step) for step in range(1, 16)]
    assert [point.step for point in client.get_metric_history(identifier, "test/accuracy")] == [3]
    norms = table(project, "select is_nan from metrics where key = 'grad_norm' order by step")
    assert norms == [(0,), (1,), (1,), (1,)], "non-finite values are NaN"


def test_delivering_again_changes_nothing_even_without_the_receipt(project: Project) -> None:
    path = write_run(project)
    identifier = open_tracker(project).deliver(path)
    before = content(project)
    assert open_tracker(project).deliver(path) == identifier
    receipt_path(path).write_text("not json")
    assert open_tracker(project).deliver(path) == identifier
    receipt_path(path).unlink()
    assert open_tracker(project).deliver(path) == identifier
    assert content(project) == before


def test_delivering_in_parts_equals_delivering_at_once(tmp_path: Path) -> None:
    at_once, by_bits = mlflow_project(tmp_path / "once"), mlflow_project(tmp_path / "bits")
    path = write_run(at_once, epochs=4)
    whole = path.read_bytes()
    copy = by_bits.journals / path.name
    copy.parent.mkdir()
    lines = whole.splitlines(keepends=True)
    tracker = open_tracker(by_bits)
    for count in range(1, len(lines) + 1):
        copy.write_bytes(b"".join(lines[:count]))
        tracker.deliver(copy)
    open_tracker(at_once).deliver(path)
    assert content(by_bits) == content(at_once)


def test_a_complete_journal_causes_no_request(project: Project) -> None:
    path = write_run(project)
    tracker = open_tracker(project)
    tracker.deliver(path)
    began = time.process_time()
    for _ in range(100):
        tracker.deliver(path)
    assert time.process_time() - began < 0.5


def test_files_move_to_the_store(project: Project) -> None:
    path = write_run(project)
    identifier = open_tracker(project).deliver(path)
    assert (project.artifacts / str(identifier) / "artifacts" / "recipe.json").is_file()
    assert not path.with_suffix(".files").exists()


def test_a_run_of_a_study_is_its_child(project: Project) -> None:
    tracker = open_tracker(project)
    early = tracker.deliver(write_run(project, study="widths"))
    parent = tracker.open_study(StudyRecord("widths", "?", {"margin": 0.5}, (PlanEntry(KEY, "feed", "no-augment", 3),)))
    late = tracker.deliver(write_run(project, "ba9876543210-feed-0", study="widths"))
    alone = tracker.deliver(write_run(project, "ca9876543210-feed-0"))
    client = client_of(project)
    parents = [client.get_run(run).data.tags.get("mlflow.parentRunId") for run in (early, late, alone)]
    assert parents == [parent, parent, None]
    tags = client.get_run(parent).data.tags
    assert (tags["ablate.kind"], tags["ablate.planned"], tags["ablate.answered"]) == ("study", "1", "0")


def test_a_report_is_the_description_of_its_experiment(project: Project, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("# Widths\n")
    tracker = open_tracker(project)
    parent = tracker.open_study(StudyRecord("widths", "?", {}, ()))
    (folder := tmp_path / "report").mkdir()
    (folder / "report.md").write_text("# Widths\n")
    tracker.attach_report("widths", folder, "It does.", {"delta": -1.5})
    client = client_of(project)
    assert client.get_experiment_by_name("widths").tags["mlflow.note.content"] == "It does."
    assert client.get_run(parent).data.metrics == {"delta": -1.5}
    tracker.attach_report("widths", folder, "It does.", {"delta": -1.4})
    assert [(point.step, point.value) for point in client.get_metric_history(parent, "delta")] == [(0, -1.5), (1, -1.4)]
    assert [file.path for file in client.list_artifacts(parent, "report")] == ["report/report.md"]


def test_a_study_whose_process_is_gone_is_closed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = open_tracker(project)
    monkeypatch.setattr("ablate.tracking.mlflow_backend.studies.this_process", lambda: DEAD)
    tracker.open_study(StudyRecord("widths", "?", {}, ()))
    assert tracker.close_orphans([]) == ["widths"]
    assert tracker.study("widths").status == "killed"


def test_a_dead_run_without_a_journal_is_closed_at_its_last_heartbeat(project: Project) -> None:
    path = write_run(project, status=None)
    tracker = open_tracker(project)
    identifier = tracker.deliver(path)
    path.unlink()
    client_of(project).set_tag(identifier, "ablate.boot", "an earlier boot")
    assert tracker.close_orphans([]) == [path.stem]
    assert client_of(project).get_run(identifier).info.status == "KILLED"


def test_more_runs_than_one_page_are_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 2)
    tracker = open_tracker(project)
    names = [f"{number}{KEY[1:]}-feed-0" for number in range(5)]
    for name in names:
        tracker.deliver(write_run(project, name, epochs=0))
    assert sorted(run.name for run in tracker.runs()) == names


def test_runs_of_other_programs_are_readable(project: Project) -> None:
    client = client_of(project)
    experiment = client.create_experiment("theirs")
    run = client.create_run(experiment, run_name="clumsy-ox-7")
    client.log_param(run.info.run_id, "lr", "0.1")
    client.log_metric(run.info.run_id, "acc", 0.5)
    client.set_terminated(run.info.run_id)
    tracker = open_tracker(project)
    (found,) = tracker.runs("theirs")
    assert (found.variant, found.status, found.params, found.metrics) == (
        "clumsy-ox-7",
        "finished",
        {"lr": 0.1},
        {"acc": 0.5},
    )
    assert tracker.runs() == []
    assert tracker.find(run.info.run_id[:12]).history == ({"step": 0, "acc": 0.5},)


def test_a_run_deleted_in_the_ui_stays_deleted(project: Project) -> None:
    path = write_run(project, status=None)
    tracker = open_tracker(project)
    identifier = tracker.deliver(path)
    client_of(project).delete_run(identifier)
    with Journal(path) as journal:
        end(journal)
    assert tracker.deliver(path) == identifier
    assert tracker.runs() == []


def test_a_replaced_store_is_filled_again(tmp_path: Path) -> None:
    project = mlflow_project(tmp_path)
    path = write_run(project)
    open_tracker(project).deliver(path)
    for file in project.mlruns.glob("mlflow.db*"):
        file.unlink()
    shutil.copyfile(empty_database(), project.database)
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("update experiments set creation_time = creation_time + 1")
        connection.commit()
    open_tracker(project).deliver(path)
    assert [run.name for run in open_tracker(project).runs()] == [path.stem]


def test_a_deleted_experiment_is_explained(project: Project) -> None:
    client = client_of(project)
    client.delete_experiment(client.create_experiment("ablate"))
    with pytest.raises(StoreError, match="mlflow experiments restore"):
        open_tracker(project).deliver(write_run(project))


def test_long_values_are_truncated(project: Project) -> None:
    path = write_run(project, params={"note": "x" * 7000, "seed": 3}, tags={"note": "y" * 9000})
    identifier = open_tracker(project).deliver(path)
    data = client_of(project).get_run(identifier).data
    assert (len(data.params["note"]), len(data.tags["note"])) == (6000, 8000)


def test_an_unreachable_server_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MlflowTracker("http://anna:hunter2@127.0.0.1:9", tmp_path)
    project = new_project(tmp_path / "project")
    with pytest.raises(StoreError) as failure:
        tracker.deliver(write_run(project))
    assert "\n" not in str(failure.value)
    assert "hunter2" not in str(failure.value)
    assert "127.0.0.1" in str(failure.value)


def test_warnings_of_libraries_stay_hidden_when_filters_are_restored(project: Project) -> None:
    """The delivery's thread may import MLflow while the main thread is within `catch_warnings`."""
    open_tracker(project)
    with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
        pool.submit(warnings.simplefilter, "ignore").result()
    for module, category in (("urllib3.contrib.socks", ImportWarning), ("mlflow.store", DeprecationWarning)):
        warnings.warn_explicit("not the user's concern", category, f"{module}.py", 1, module)
    with pytest.raises(UserWarning, match="the user's"):
        warnings.warn_explicit("the user's", UserWarning, "study.py", 1, "study")


def test_an_invalid_journal_is_named(project: Project) -> None:
    project.journals.mkdir()
    stray = project.journals / f"{KEY}-feed-7.jsonl"
    stray.write_text("hello\n")
    tracker = open_tracker(project)
    with pytest.raises(UserError, match=stray.name):
        tracker.deliver(stray)
    assert tracker.close_orphans([stray]) == []


FIRST_USE = """
import sys
from pathlib import Path
from threading import Barrier
from ablate.tracking import Project, open_tracker
project = Project.find(Path(sys.argv[1]))
print(*[open_tracker(project).deliver(project.journals / f"{name}.jsonl") for name in sys.argv[2:]])
"""


def first_use(project: Project, *names: str, fresh: bool = False) -> Program:
    warn = {"PYTHONWARNINGS": "default"}
    return start_program(str(project.root), *names, code=FIRST_USE, folder=project.root, environment=warn, fresh=fresh)


@pytest.mark.slow  # the tests of the command line have eight concurrent runs
def test_eight_concurrent_first_uses_create_one_store_and_deliver_each_run_once(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    shared = write_run(project, "aaaaaaaaaaaa-feed-0", epochs=2).stem
    own = [write_run(project, f"{number}{KEY[1:]}-feed-0", epochs=2).stem for number in range(8)]
    processes = [first_use(project, shared, name, fresh=True) for name in own]
    answers = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, answers
    assert [error for _, error in answers] == [""] * 8, "MLflow keeps still"
    assert len({answer.split()[0] for answer, _ in answers}) == 1
    assert sorted(run.name for run in open_tracker(project).runs()) == sorted([shared, *own])
    assert table(project, "pragma integrity_check") == [("ok",)]
    assert table(project, "pragma journal_mode") == [("wal",)]


def test_concurrent_deliveries_of_one_journal_create_one_run(project: Project) -> None:
    path = write_run(project)
    trackers = [open_tracker(project) for _ in range(6)]
    for tracker in trackers:
        tracker.runs()
    together = Barrier(len(trackers))

    def deliver(tracker: MlflowTracker) -> str | None:
        together.wait()
        return tracker.deliver(path)

    with ThreadPoolExecutor(len(trackers)) as pool:
        identifiers = set(pool.map(deliver, trackers))
    assert len(identifiers) == 1
    assert len(open_tracker(project).runs()) == 1


def test_waiting_for_the_delivery_of_another_process_has_a_timeout(project: Project) -> None:
    path = write_run(project)
    with delivery_lock(path), pytest.raises(StoreError, match="Another process"), delivery_lock(path, timeout=0.1):
        pass


def kill_first_uses(tmp_path: Path, moments: list[float]) -> None:
    """Kill first uses `moments` seconds after the store was begun; the next use finds a complete store or none."""
    for number, moment in enumerate(moments):
        project = new_project(tmp_path / str(number))
        path = write_run(project, epochs=1)
        process = first_use(project, path.stem)
        while process.poll() is None and not list(project.mlruns.glob("mlflow.db*")):
            time.sleep(0.01)
        time.sleep(moment)
        process.kill_all()
        tracker = open_tracker(project)
        tracker.deliver(path)
        assert [(run.name, run.status) for run in tracker.runs()] == [(path.stem, "finished")]
        assert table(project, "pragma integrity_check") == [("ok",)]
        assert not list(project.mlruns.glob("mlflow.db.new*"))


def test_a_killed_first_use_leaves_no_damage(tmp_path: Path) -> None:
    kill_first_uses(tmp_path, [0.3])


@pytest.mark.slow
def test_first_uses_killed_at_any_time_leave_no_damage(tmp_path: Path) -> None:
    kill_first_uses(tmp_path, [0.05 * number for number in range(40)])


def test_a_long_run_is_delivered_in_few_calls(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    log = store.Store.log

    def counted(store: store.Store, run: str, batch: Any) -> None:
        calls.append(len(batch.points))
        log(store, run, batch)

    monkeypatch.setattr(store.Store, "log", counted)
    tracker = open_tracker(project)
    with Journal(project.journals / f"{KEY}-feed-0.jsonl") as journal:
        start(journal)
        for number in range(5):
            epoch(journal, number, steps=125)
            tracker.deliver(journal.path)
    assert [points for points in calls if points] == [2, 127, 127, 127, 127], "one call per epoch, and one for a tag"
