"""Runs of jobs: statuses, reuse, interruptions, resuming."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.data import ImageSource
from ablate.journal.journal_lines import records
from ablate.journal.process_identity import this_process
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.journal.run_log import Pruned
from ablate.runs.runner import RunOptions, find_result, make_run
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job, Log, Outcome
from ablate.studies.recipe import Recipe
from ablate.workloads.dispatch import open_data
from ablate.workloads.resnet9.devices import kernel_error
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples import toy


class Recorder:
    """Collects the steps of a run."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def progress(self, done: int, total: int) -> None:
        pass

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)


def job(*, off: tuple[str, ...] = (), seed: int = 0, **values: object) -> Job:
    recipe = Recipe.of(toy.WORKLOAD, None, values, seed).without(*off)  # type: ignore[arg-type]  # plain values
    return Job(recipe, toy.open_data(None, recipe), Conditions("cpu", "fp32", 1))


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    return Journals(tmp_path / "mlruns" / "journal")


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    return RunOptions(tmp_path, "kitchen", {"who": "me"})


def test_a_finished_run(journals: Journals, options: RunOptions) -> None:
    run, is_new = make_run(job(), journals, options)
    assert is_new
    assert (run.status, run.variant, run.study, run.tags) == ("finished", "baseline", "kitchen", {"who": "me"})
    assert run.metrics["taste"] == pytest.approx(0.62, abs=0.02)
    assert [row["step"] for row in run.history] == [0, 1, 2]
    files = {path.name for path in journals.path(run.name).with_suffix(".files").iterdir()}
    assert {"dish.txt", "recipe.json", "history.csv", "environment.txt"} <= files
    assert not journals.path(run.name).with_suffix(".checkpoint").exists()


def test_a_finished_run_is_reused(journals: Journals, options: RunOptions) -> None:
    first, _ = make_run(job(), journals, options)
    second, is_new = make_run(job(), journals, options)
    assert not is_new
    assert second.name == first.name
    third, is_new = make_run(job(), journals, replace(options, again=True))
    assert is_new
    assert third.name != first.name
    assert third.metrics["taste"] == first.metrics["taste"]


def test_reuse_requires_the_same_device_and_precision(journals: Journals, options: RunOptions) -> None:
    make_run(job(), journals, options)
    elsewhere = replace(job(), conditions=Conditions("cuda", "bf16", 1))
    assert find_result(journals, elsewhere) is None
    assert find_result(journals, elsewhere, mix=True)
    assert find_result(journals, replace(job(), conditions=Conditions("cpu", "fp32", 7)))


def gpu_of(conditions: Conditions) -> str:
    assert conditions.device == "cuda"
    return "a GPU"


def test_the_name_of_the_gpu_is_recorded(journals: Journals, options: RunOptions) -> None:
    workload = replace(toy.WORKLOAD, device_function="tests.runs.test_runner:gpu_of")
    on_cpu = replace(job(), recipe=Recipe.of(workload))
    on_gpu = replace(on_cpu, conditions=Conditions("cuda", "fp32", 1))
    assert "gpu" not in make_run(on_cpu, journals, options)[0].environment
    assert make_run(on_gpu, journals, options)[0].environment["gpu"] == "a GPU"
    own = replace(job(seed=1), conditions=Conditions("cuda", "fp32", 1))
    assert "gpu" not in make_run(own, journals, options)[0].environment


@pytest.mark.parametrize(
    ("failure", "status", "error"),
    [
        ("error", "failed", "ValueError: burnt"),
        ("memory", "out_of_memory", "MemoryError: no room"),
        ("nan", "unstable", "score is not finite after epoch 2"),
    ],
)
def test_each_status_is_recorded(
    journals: Journals, options: RunOptions, failure: str, status: str, error: str
) -> None:
    unlucky = job(off=("luck",), without_luck=failure)
    run, _ = make_run(unlucky, journals, options)
    assert (run.status, run.error) == (status, error)
    end = records(journals.path(run.name))[-1]
    assert bool(end["trace"]) == (status != "unstable")
    again, is_new = make_run(unlucky, journals, options)
    assert is_new == (status != "unstable"), "an unstable run is a result, a failed run is not"
    if status == "unstable":
        assert run.metrics["taste"] == 0.1, "a diverged run has the floor as its score"
        assert again.name == run.name


class Pruner(Recorder):
    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        raise Pruned(f"stopped after epoch {step}")


@pytest.mark.parametrize("end", ["score", "error", "nan"])
def test_a_pruned_run_whose_training_catches_the_exception_is_pruned(
    journals: Journals, options: RunOptions, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(_job: Job, log: Log) -> Outcome:
        with suppress(Exception):
            log(1, score=0.5)
        with suppress(Exception):
            log(2, score=math.nan if end == "nan" else 0.9)
        return Outcome({"taste": 0.9} if end != "error" else {1: 0}["missing"])  # type: ignore[index]

    monkeypatch.setattr("ablate.runs.runner.train", train)
    run, _ = make_run(job(), journals, options, Pruner())
    assert (run.status, run.error) == ("pruned", "stopped after epoch 1")
    assert "taste" not in run.metrics
    assert [row["step"] for row in run.history] == [1]


def test_a_run_no_better_than_guessing_is_unstable(journals: Journals, options: RunOptions) -> None:
    lucky_data = replace(job(), data=replace(job().data, floor=0.59))
    run, _ = make_run(lucky_data, journals, options)
    assert (run.status, run.error) == ("unstable", "no better than guessing")


def test_an_interrupted_run_is_killed_and_can_be_resumed(journals: Journals, options: RunOptions) -> None:
    unlucky = job(off=("luck",), without_luck="interrupt")
    with pytest.raises(KeyboardInterrupt):
        make_run(unlucky, journals, options)
    path = journals.attempts(unlucky.recipe.key, unlucky.data.fingerprint)[0]
    killed = load(path)
    assert killed is not None
    assert killed.status == "killed"
    (path.with_suffix(".checkpoint") / "half").write_text("2")  # past the misfortune
    recorder = Recorder()
    run, is_new = make_run(unlucky, journals, options, recorder)
    assert is_new
    assert (run.name, run.status) == (killed.name, "finished")
    assert recorder.steps == [2], "recorded steps are not recorded again"
    assert [row["step"] for row in run.history] == [0, 1, 2]
    assert [line["record"] for line in records(path)].count("resume") == 1


def test_a_run_killed_by_a_full_disk_can_be_resumed(
    journals: Journals, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, write = job(), Journal.write

    def full(journal: Journal, record: str, **fields: object) -> None:
        if record == "metrics" and fields["step"] == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(journal, record, **fields)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", full)
        with pytest.raises(OSError, match="No space"):
            make_run(asked, journals, options)
    killed = load(journals.attempts(asked.recipe.key, asked.data.fingerprint)[0])
    assert killed is not None
    assert (killed.status, killed.error) == ("killed", "the disk is full")
    run, _ = make_run(asked, journals, options)
    assert (run.name, run.status, len(run.history)) == (killed.name, "finished", 3)


@pytest.mark.parametrize(("age", "is_left_alone"), [(60, True), (3600, False)])
def test_an_open_run_of_another_machine_is_not_resumed_before_the_timeout(
    journals: Journals, options: RunOptions, monkeypatch: pytest.MonkeyPatch, age: float, is_left_alone: bool
) -> None:
    """Without locks between machines, two may make the same run, but never write to the same journal."""
    asked = job(off=("luck",), without_luck="interrupt")
    with monkeypatch.context() as patch:
        patch.setattr("ablate.runs.runner.this_process", lambda: {**this_process(), "host": "elsewhere"})
        patch.setattr("ablate.runs.runner.Journal.write", _write_no_end)
        with pytest.raises(KeyboardInterrupt):
            make_run(asked, journals, options)
    (theirs,) = journals.attempts(asked.recipe.key, asked.data.fingerprint)
    before = theirs.read_bytes()
    (theirs.with_suffix(".checkpoint") / "half").write_text("2")  # past the misfortune
    os.utime(theirs, (time.time() - age, time.time() - age))
    if not is_left_alone:
        assert make_run(asked, journals, options)[0].name == theirs.stem
        return
    with pytest.raises(KeyboardInterrupt):
        make_run(asked, journals, options)
    assert theirs.read_bytes() == before
    assert len(journals.attempts(asked.recipe.key, asked.data.fingerprint)) == 2


_write = Journal.write


def _write_no_end(journal: Journal, record: str, **fields: object) -> None:
    """Write like a process that is killed: no end record."""
    if record != "end":
        _write(journal, record, **fields)


def test_changed_code_starts_a_new_run(
    journals: Journals, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky = job(off=("luck",), without_luck="interrupt")
    with pytest.raises(KeyboardInterrupt):
        make_run(unlucky, journals, options)
    monkeypatch.setattr(
        "ablate.runs.provenance.environment",
        lambda *places: {
            "versions": {"python": "4"},
            "platform": "",
            "processor": "",
            "commit": "other",
            "dirty": False,
        },
    )
    with pytest.raises(KeyboardInterrupt):
        make_run(unlucky, journals, options)
    assert len(journals.attempts(unlucky.recipe.key, unlucky.data.fingerprint)) == 2


class Interrupter(Recorder):
    """Raises KeyboardInterrupt at an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def recorded(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == self.epoch:
            raise KeyboardInterrupt


def test_a_resumed_training_equals_an_uninterrupted_one(
    tmp_path: Path, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history and the weights are the same, bit for bit, also if the table of implementations was lost."""
    recipe = Recipe.of(WORKLOAD, None, {**WORKLOAD.preset("demo").settings, "width": 2, "epochs": 5})
    recipe = recipe.plus("mixup", "ema")
    conditions = Conditions("cpu", "fp32", 1, fused=kernel_error() is None)
    whole = Job(recipe, open_data(recipe, ImageSource("digits")), conditions)
    uninterrupted, _ = make_run(whole, Journals(tmp_path / "one"), options)
    monkeypatch.setattr("ablate.workloads.resnet9.training.Checkpoint.__init__.__kwdefaults__", {"every_seconds": 0.0})
    journals = Journals(tmp_path / "two")
    for epoch in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            make_run(whole, journals, options, Interrupter(epoch))
        monkeypatch.setattr("ablate.workloads.resnet9.run.implementations_for", lambda *_: {})
    resumed, _ = make_run(whole, journals, options)
    assert len(journals.paths()) == 1
    assert [line["record"] for line in records(journals.path(resumed.name))].count("resume") == 2
    assert _without_times(resumed) == _without_times(uninterrupted)
    assert resumed.params == uninterrupted.params
    assert (resumed.params.get("implementations", "default") != "default") == conditions.fused
    assert resumed.metrics["test/loss"] == uninterrupted.metrics["test/loss"]
    assert not journals.path(resumed.name).with_suffix(".checkpoint").exists()


def _without_times(run: Run) -> list[dict[str, float]]:
    timed = ("time/epoch_s", "images_per_s")
    return [{name: value for name, value in row.items() if name not in timed} for row in run.history]
