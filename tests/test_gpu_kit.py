"""The GPU kit, rehearsed on the CPU: time limits, partial results, failing parts, packing, and seeds side by side."""

from __future__ import annotations

import json
import os
import signal
import tarfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.gradients import CapturedGradients
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from benchmarks.gpu_kit import __main__ as kit
from benchmarks.gpu_kit import correctness, journals, precision, speed, trainings
from benchmarks.gpu_kit.bench import Bench, OutOfTimeError
from benchmarks.gpu_kit.processes import finish
from benchmarks.gpu_kit.stacked import SideBySide
from tests.samples.cuda_graphs import fake_graphs
from tests.samples.processes import CAN_FORK, is_alive, start_program, until
from tests.samples.training import ListLog, plan_of, tiny_images

FILES, BYTES = 8, 16 * 2**20
"""The most files, and bytes of a file, that come back from the machine with the GPU."""

KIT = "import sys; from benchmarks.gpu_kit.__main__ import main; sys.exit(main(sys.argv[1:]))"


def rehearse(folder: Path, *options: str, code: str = KIT) -> tuple[int, str, list[dict[str, Any]]]:
    """Return the exit code, the output and the results of a rehearsal."""
    arguments = ("--rehearse", "--out", str(folder / "out"), *options)
    program = start_program(*arguments, folder=folder, code=code)
    output, errors = program.communicate()
    path = folder / "out" / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return program.returncode or 0, output + errors, rows


def rows_of(rows: list[dict[str, Any]], part: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows if row["part"] == part}


@pytest.mark.skipif(not CAN_FORK, reason="a rehearsal forks")
@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(kit.PARTS, id="all parts"),
        pytest.param([part for part in kit.PARTS if part not in ("laptop", "precision")], id="one study"),
    ],
)
def test_a_rehearsal_measures_everything_and_packs_few_files(tmp_path: Path, parts: Sequence[str]) -> None:
    code, output, rows = rehearse(tmp_path, "--minutes", "5", "--only", *parts)
    assert code == 0, output
    assert [row for row in rows if "error" in row or "skipped" in row] == []
    assert [*dict.fromkeys(row["part"] for row in rows)] == list(parts)
    assert all(row["eager"] < 1e-6 for row in rows_of(rows, "correctness").values())
    speeds = [row for name, row in rows_of(rows, "speed").items() if name.startswith("width")]
    assert len(speeds) == len(speed.VARIANTS) + 5
    assert all(row["step_ms"] > 0 and row["recipe_s"] > 0 for row in speeds)
    assert "ms" in (tmp_path / "out" / "profiles.txt").read_text()
    parallel = rows_of(rows, "parallel")
    assert parallel["width 4, 2 at a time"]["images_per_s"] > 0
    assert {f"width 4, 2 seeds side by side, {way}" for way in ("eager", "captured")} <= parallel.keys()
    studies = [rows_of(rows, part)["study"] for part in ("notebook", "laptop") if part in parts]
    if "precision" in parts:
        studies += [rows_of(rows, "precision")[name] for name in ("bf16", "fp32")]
        assert rows_of(rows, "precision")["bf16 is fp32"]["pairs"] == 4
    assert {study["exit_code"] for study in studies} == {0}
    files = list((tmp_path / "out").iterdir())
    archives = {f"{part}.tar.gz" for part in ("notebook", "laptop", "precision") if part in parts}
    assert {file.name for file in files} == {"results.jsonl", "profiles.txt", *archives}
    assert len(files) <= FILES
    assert all(file.stat().st_size <= BYTES for file in files)
    with tarfile.open(tmp_path / "out" / "notebook.tar.gz") as archive:
        names = archive.getnames()
    assert len([name for name in names if name.startswith("mlruns/journal/") and name.endswith("-0.jsonl")]) == 4
    assert {"mlruns/studies/notebook.study.jsonl", "reports/notebook/report.md"} <= {*names}
    assert [name for name in names if name.endswith(".png")] == []


@pytest.mark.skipif(not CAN_FORK, reason="a rehearsal forks")
def test_a_rehearsed_study_is_packed(tmp_path: Path) -> None:
    code, output, rows = rehearse(tmp_path, "--minutes", "5", "--only", "notebook")
    assert code == 0, output
    assert rows_of(rows, "notebook")["study"]["finished"] == 4
    with tarfile.open(tmp_path / "out" / "notebook.tar.gz") as archive:
        assert {"mlruns/studies/notebook.study.jsonl", "reports/notebook/report.md"} <= {*archive.getnames()}


def test_missing_data_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        kit.main(["--data", str(tmp_path / "none.tgz"), "--out", str(tmp_path / "out")])
    assert "none.tgz does not exist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not CAN_FORK, reason="a rehearsal forks")
@pytest.mark.parametrize("ends", ["terminated", "at the time limit"])
def test_finished_runs_of_an_interrupted_study_come_back(tmp_path: Path, ends: str) -> None:
    (tmp_path / "temporary").mkdir()
    slow = """
        from benchmarks.gpu_kit import journals
        journals.REHEARSAL = ("--preset", "demo", "--epochs", "40", "--threads", "1", "--executor", "serial")
        journals.REHEARSED_QUESTION = ("--seeds", "20", "--factors", "dropout")
    """
    minutes = "5" if ends == "terminated" else "0.75"
    arguments = ("--rehearse", "--out", str(tmp_path / "out"), "--minutes", minutes, "--only", "notebook")
    environment = {"TMPDIR": str(tmp_path / "temporary")}
    program = start_program(*arguments, folder=tmp_path, code=dedented(slow) + KIT, environment=environment, fresh=True)
    if ends == "terminated":
        until(lambda: any('"record": "end"' in one.read_text() for one in tmp_path.rglob("journal/*-0.jsonl")), 100)
        program.send_signal(signal.SIGTERM)
    output, errors = program.communicate()
    assert program.returncode == (130 if ends == "terminated" else 0), output + errors
    with tarfile.open(tmp_path / "out" / "notebook.tar.gz") as archive:
        archive.extractall(tmp_path / "study", filter="data")
    assert len(journals.scores(tmp_path / "study")) >= 1
    assert list((tmp_path / "temporary").glob("gpu-kit-*")) == []


@pytest.mark.slow
@pytest.mark.skipif(not CAN_FORK, reason="a rehearsal forks")
def test_a_part_that_fails_or_hangs_stops_no_other_and_keeps_its_results(tmp_path: Path) -> None:
    stubs = """
        import time
        from benchmarks.gpu_kit import correctness, notebook, parallel, speed

        def fail(bench):
            bench.record("first", value=1)
            raise ValueError("no such kernel")

        def hang(bench):
            bench.attempt("broken", 0, lambda: 1 / 0)
            time.sleep(600)

        def measure(bench):
            bench.attempt("in time", 0, lambda: {"value": 2})
            bench.attempt("too late", 1000, lambda: {"value": 3})

        correctness.measure, parallel.measure, notebook.measure, speed.measure = fail, hang, lambda bench: None, measure
    """
    started = time.monotonic()
    only = ("--only", "correctness", "speed", "parallel", "notebook")
    code, output, rows = rehearse(tmp_path, "--minutes", "0.02", *only, code=dedented(stubs) + KIT)
    assert time.monotonic() - started < 60
    assert code == 1
    assert "ValueError: no such kernel" in output
    assert "correctness: ended with exit code 1" in output
    assert "parallel: ended with exit code" in output, "interrupted at the time limit"
    assert "notebook: ended" not in output
    found = [{key: value for key, value in row.items() if key != "took_s"} for row in rows]
    assert found[0] == {"part": "correctness", "name": "first", "value": 1}
    assert {"part": "parallel", "name": "broken", "error": "ZeroDivisionError: division by zero"} in found


def dedented(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(line[8:] for line in lines) + "\n"


def bench_of(folder: Path, seconds: float = 100, **values: Any) -> Bench:
    return Bench("part", folder, folder / "work", time.time() + seconds, **{"is_rehearsal": True, **values})


def test_a_measurement_that_would_end_too_late_is_skipped(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, 5, is_rehearsal=False)
    bench.attempt("in time", 3, lambda: {"value": 2})
    with pytest.raises(OutOfTimeError):
        bench.attempt("too late", 30, lambda: {"value": 3})
    first, second = bench.results
    assert (first["value"], first["took_s"]) == (2, 0.0)
    assert second == {"part": "part", "name": "too late", "skipped": "5 s left, 30 needed"}
    assert (bench.device, bench_of(tmp_path).device) == ("cuda", "cpu")
    assert (bench.size(400, 16), bench_of(tmp_path).size(400, 16)) == (400, 16)


def test_results_may_be_numpy_values_and_tensors(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    values = {"scalar": np.float64(0.5), "whole": np.int64(3), "array": np.arange(2), "unknown": np.array(np.nan)}
    bench.record("numbers", **values, tensor=torch.ones(2), path=Path("x"))
    (row,) = bench.results
    assert [row[name] for name in ("scalar", "whole", "array", "tensor", "path")] == [0.5, 3, [0, 1], [1.0, 1.0], "x"]
    assert np.isnan(row["unknown"])


def test_an_interrupted_study_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program has finished a run and is in the second; it records nothing more after the interruption."""
    program = """
        import json, pathlib, sys, time
        journals = pathlib.Path("mlruns/journal")
        journals.mkdir(parents=True)
        start = {"record": "start", "study": "s", "variant": "baseline", "recipe": {"seed": 0}}
        end = {"record": "end", "status": "finished", "metrics": {"test/accuracy": 0.5}}
        (journals / "a.jsonl").write_text(json.dumps(start) + "\\n" + json.dumps(end) + "\\n")
        (journals / "b.jsonl").write_text(json.dumps(start) + "\\n" + json.dumps(end)[:20])
        print("ready", flush=True)
        time.sleep(600)
    """
    started = []

    def start(words: list[str], folder: Path, *, fork: bool) -> Any:
        started.append(start_program(*words, folder=folder, code=dedented(program)))
        until(lambda: len(list(folder.rglob("*.jsonl"))) == 2)
        return started[0]

    monkeypatch.setattr(journals, "start", start)
    bench = bench_of(tmp_path)
    found = journals.sweep(bench, tmp_path / "work" / "study", "study.py", seconds=0.2)
    assert found["finished"] == 1
    assert found["exit_code"] not in (0, None)
    assert not is_alive(started[0].pid)
    with tarfile.open(tmp_path / "study.tar.gz") as archive:
        assert {"mlruns/journal/a.jsonl", "mlruns/journal/b.jsonl"} <= {*archive.getnames()}
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_process_that_ignores_the_interruption_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu_kit.processes.GRACE", 0.3)
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); open('on', 'w').close(); time.sleep(600)"
    program = start_program(folder=tmp_path, code=code)
    until((tmp_path / "on").exists)
    assert finish(program, 0.1) == -signal.SIGKILL


def test_kernels_that_failed_their_tests_are_not_used(tmp_path: Path) -> None:
    bench = replace(bench_of(tmp_path), part="correctness")
    assert journals.kernels(bench) == (), "no tests were made"
    bench.record("no factor toggled", fused=0.01)
    bench.record("dropout factor toggled", fused=0.6)
    bench.record("ema factor toggled", skipped="0 s left")
    assert journals.kernels(bench) == ()
    bench.record("mixup factor toggled", fused=0.2)
    assert journals.kernels(bench) == ("--compile",)


def test_precisions_are_compared_by_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "mlruns" / "journal"
    folder.mkdir(parents=True)
    assert precision.compare(tmp_path) == {"pairs": 0}
    for name, shift in (("bf16", 0.001), ("fp32", 0.0)):
        for seed in range(5 if shift else 4):
            start = {"record": "start", "study": name, "variant": "baseline", "recipe": {"seed": seed}}
            end = {"status": "finished", "metrics": {"test/accuracy": 0.5 + shift + seed * shift / 100}}
            rows = (start, {"record": "end", **end})
            (folder / f"{name}-{seed}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = precision.compare(tmp_path)
    assert found["pairs"] == 4
    assert found["delta"] == pytest.approx(0.1015)
    assert found["p_tost"] < 0.001


def test_data_is_required_and_what_travels_is_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        kit.main(["--out", str(tmp_path / "out")])
    assert "--data is missing" in capsys.readouterr().err
    large = tmp_path / "large.tar"
    large.touch()
    assert 100_000 < kit.travelling(large) < 10 * 2**20, "the code alone"
    os.truncate(large, kit.TRAVELS_AT_MOST)
    with pytest.raises(SystemExit):
        kit.main(["--data", str(large), "--out", str(tmp_path / "out")])
    assert "larger than 64 MiB" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def trained(plan: TrainingPlan, seeds: int) -> list[Training]:
    """Return new trainings in double precision, where rounding is negligible."""
    images = tiny_images(40)
    images = replace(images, mean=images.mean.double(), std=images.std.double())
    made = [Training(plan, images, seed) for seed in range(seeds)]
    for training in made:
        training.model.double()
        training.model.train()
    return made


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_seeds_side_by_side_equal_seeds_one_after_the_other() -> None:
    factors = FACTORS.in_order({*FACTORS.baseline} - {"dropout"} | {"mixup", "label_smoothing"})
    plan = plan_of(factors, epochs=2)
    alone = trained(plan, 3)
    for training in alone:
        for _ in range(2):
            training.train_epoch(Quiet())
            training.epoch += 1
    together = SideBySide(trained(plan, 3))
    for _ in range(2):
        together.train_epoch()
    for seed, training in enumerate(alone):
        found = together.weights(seed)
        for name, expected in training.model.named_parameters():
            torch.testing.assert_close(found[name], expected.detach(), rtol=1e-6, atol=1e-8, msg=f"{name}, {seed}")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", correctness.WAYS)
def test_every_way_computes_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fake graphs, and without the kernels, which exist on a GPU only."""
    assert correctness.WAYS.items() >= {name: how for name, how in speed.VARIANTS.items() if "step" in name}.items()
    graphs = fake_graphs(monkeypatch)
    how = {key: value for key, value in correctness.WAYS[name].items() if key != "fused"}
    options = {"width": 4, "batch": 4, "lr": 1e-4}
    images = trainings.noise(10, "cpu", 16)
    eager, run = (trainings.training(images, **options, **values) for values in ({}, how))
    start = torch.cat([parameter.detach().flatten() for parameter in run.parameters])
    expected, found = (trainings.first_epoch_weights(one) for one in (eager, run))
    assert (found - expected).norm() <= 1e-3 * (expected - start).norm()
    assert [graph.replays for graph in graphs] == ([2] if how else [])


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_captured_seeds_side_by_side_equal_eager_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(FACTORS.in_order({*FACTORS.baseline} - {"dropout"}), epochs=2)
    eager, captured = (SideBySide(trained(plan, 2), captured=way) for way in (False, True))
    assert isinstance(captured.gradients, CapturedGradients)
    graphs = fake_graphs(monkeypatch)
    for seeds in (eager, captured, eager, captured):
        seeds.train_epoch()
    assert [graph.replays for graph in graphs] == [2 * 2], "two of three batches in each of two epochs"
    for seed in range(2):
        expected = eager.weights(seed)
        assert all(torch.equal(value, expected[name]) for name, value in captured.weights(seed).items())


class Quiet(ListLog):
    def series(self, name: str, first: int, values: list[float]) -> None:
        """Ignore the learning rates."""

    def progress(self, done: int, total: int) -> None:
        """Ignore the progress."""
