"""The overhead of the command line over training: start-up, whole runs, tracking in the training loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from ablate.workloads.dispatch import open_data
from benchmarks.measure import Figure, Measurement, Worker, alternate, medians

HEAVY = ("torch", "mlflow", "optuna", "pandas", "matplotlib")


def _seconds(*arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> float:
    """Return the duration of a Python process."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True, capture_output=True, cwd=folder, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    return time.perf_counter() - started


def help_time(goal: float, rounds: int) -> Figure:
    """Time `ablate --help`, and list the heavy libraries that it imports."""
    pairs = alternate(lambda: _seconds("-m", "ablate", "--help"), lambda: _seconds("-c", "pass"), rounds)
    program = f"import sys, ablate.cli.app; print(*[name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
    detail = f"{medians(pairs, 's')}; imports {found or 'nothing heavy'}"
    return Figure("ablate --help", "an empty Python", "s", goal, tuple(here for here, _ in pairs), detail, False)


def run_overhead(goal: float, rounds: int) -> list[Figure]:
    """Time whole runs of the demo preset, minus the training and scoring time in their journals.

    The data is already decoded. The first run also creates the project and its store.
    """
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        run = ("-m", "ablate", "run", "--preset", "demo", "--seed")

        def beyond(project: str, seed: int) -> float:
            folder = top / project
            (folder / "mlruns").mkdir(parents=True, exist_ok=True)
            environment = {"ABLATE_CACHE": str(top / "cache"), "MLFLOW_TRACKING_URI": ""}
            wall = _seconds(*run, str(seed), folder=folder, environment=environment)
            newest = max((folder / "mlruns" / "journal").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
            return wall - training_seconds(newest)

        beyond("warm", 0)
        fresh = tuple(beyond(f"fresh-{number}", 0) for number in range(max(rounds // 2, 1)))
        again = tuple(beyond("warm", seed) for seed in range(1, rounds + 1))
    against = "its own training"
    return [
        Figure("ablate run beyond training", against, "s", goal, again, "wall time less epochs and scoring", False),
        Figure("  in a new project", against, "s", goal, fresh, "the same, the store made first", False),
    ]


def first_step(goal: float, rounds: int) -> Figure:
    """Time `ablate run` on cached data until its first training step, when the journal has the row of epoch 0."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mlruns").mkdir()
        environment = {**os.environ, "ABLATE_CACHE": str(folder / "cache"), "MLFLOW_TRACKING_URI": ""}

        def wait(seed: int) -> float:
            command = [sys.executable, "-m", "ablate", "run", "--preset", "demo", "--epochs", "1", "--seed", str(seed)]
            started, quiet = time.perf_counter(), subprocess.DEVNULL
            with subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet) as process:
                while not _has_row(folder / "mlruns" / "journal", seed):
                    if process.poll():
                        raise RuntimeError(f"{' '.join(command)} failed")
                    time.sleep(0.005)
                return time.perf_counter() - started

        seconds = tuple(wait(seed) for seed in range(rounds + 1))[1:]
    return Figure("ablate run to its first step", "nothing", "s", goal, seconds, "data decoded before", False)


def _has_row(journals: Path, seed: int) -> bool:
    """Return whether the run after `seed` earlier runs has written its first row."""
    paths = sorted(journals.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    return len(paths) > seed and '"metrics"' in paths[-1].read_text()


def training_seconds(journal: Path) -> float:
    """Return the seconds of the training epochs and of the test evaluation in a journal."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    epochs = sum(line["values"].get("time/epoch_s", 0.0) for line in lines if line["record"] == "metrics")
    return float(epochs + lines[-1]["metrics"]["time/test_s"])


def share_in_log(*, top: Path) -> Measurement:
    """Return a measurement: the percentage of a demo run's epochs spent in its log, during background delivery."""
    os.environ["ABLATE_CACHE"] = str(top / "cache")
    from ablate.data import ImageSource
    from ablate.journal.run_journal import Journals
    from ablate.journal.run_log import RunLog
    from ablate.runs import runner
    from ablate.studies.conditions import RequestedConditions
    from ablate.studies.job import Job
    from ablate.studies.recipe import Recipe
    from ablate.tracking import BackgroundDelivery, Project, open_tracker
    from ablate.workloads.resnet9.devices import resolve_conditions
    from ablate.workloads.resnet9.workload import WORKLOAD

    waited = 0.0

    class TimedLog(RunLog):
        def __call__(self, step: int, **metrics: float) -> None:
            with adding_up():
                super().__call__(step, **metrics)

        def series(self, name: str, first: int, values: Sequence[float]) -> None:
            with adding_up():
                super().series(name, first, values)

        def progress(self, done: int, total: int) -> None:
            with adding_up():
                super().progress(done, total)

    @contextmanager
    def adding_up() -> Iterator[None]:
        nonlocal waited
        started = time.perf_counter()
        yield
        waited += time.perf_counter() - started

    project = Project(top / "tracked")
    project.mlruns.mkdir(parents=True)
    recipe = Recipe.of(WORKLOAD, None, WORKLOAD.preset("demo").settings)
    job = Job(recipe, open_data(recipe, ImageSource("digits")), resolve_conditions(RequestedConditions("cpu")))
    journals = Journals(project.journals)

    def measure() -> float:
        nonlocal waited
        waited = 0.0
        tracker = open_tracker(project, f"sqlite:///{project.mlruns / 'mlflow.db'}")
        with BackgroundDelivery(tracker, project, _Exit()) as delivery, patch.object(runner, "RunLog", TimedLog):
            made, _ = runner.make_run(job, journals, runner.RunOptions(project.root, again=True), follower=delivery)
        return 100 * waited / sum(row.get("time/epoch_s", 0.0) for row in made.history)

    return measure


class _Exit:
    """End the process if a delivery fails."""

    def delivery_failed(self, error: Exception) -> None:
        sys.exit(str(error))


def tracking_in_the_loop(goal: float, rounds: int) -> Figure:
    """Compare the time that the training loop spends in its log with the loop's own time."""
    with tempfile.TemporaryDirectory() as folder, Worker(share_in_log, top=Path(folder)) as worker:
        shares = tuple(worker() for _ in range(rounds + 1))[1:]
    return Figure("tracking in the loop", "the loop itself", "%", goal, shares, "demo runs, time waiting", False)


def recording(goal: float, rounds: int, steps: int = 500) -> Figure:
    """Compare the cost of our log over `steps` steps with one call of MLflow per step and metric."""
    with (
        tempfile.TemporaryDirectory() as name,
        Worker(_our_log, top=Path(name), steps=steps) as here,
        Worker(_mlflow_log, top=Path(name), steps=steps) as there,
    ):
        pairs = alternate(here, there, rounds)
    shares = tuple(ours / theirs for ours, theirs in pairs)
    return Figure(f"recording {steps} steps", "log_metric a step", "x", goal, shares, medians(pairs, "s"), False)


def _our_log(*, top: Path, steps: int, epoch: int = 25) -> Measurement:
    from ablate.journal.process_identity import this_process
    from ablate.journal.run_journal import Journals
    from ablate.journal.run_log import RunLog

    journals = Journals(top / "journal")

    def measure() -> float:
        started = time.perf_counter()
        with journals.create("feedbeef0000", "feedbeef0000") as journal:
            journal.write(
                "start", variant="bench", key="feedbeef0000", data="feedbeef0000", study="bench",
                recipe={"seed": 0}, params={}, floor=None, conditions={}, environment={}, process=this_process(),
            )  # fmt: skip
            log = RunLog(journal)
            for first in range(0, steps, epoch):
                for step in range(first, first + epoch):
                    log.progress(step, steps)
                log.series("lr_step", first + 1, [0.01] * epoch)
                log(first // epoch, **{"train/loss": 1.0, "train/accuracy": 0.5})
        return time.perf_counter() - started

    return measure


def _mlflow_log(*, top: Path, steps: int) -> Measurement:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{top / 'plain.db'}")

    def measure() -> float:
        with mlflow.start_run():
            started = time.perf_counter()
            for step in range(steps):
                mlflow.log_metric("lr_step", 0.01, step=step)
            return time.perf_counter() - started

    return measure
