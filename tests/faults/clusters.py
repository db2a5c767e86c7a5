"""Faults of a Slurm or Ray cluster, and of commands that use one: each sweep ends with the report of a serial one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests import ROOT
from tests.faults.audit import Auditor
from tests.faults.commands import Command, RunningCommand
from tests.faults.kills import STUDY, Trial
from tests.samples import ray_nodes, slurm_nodes
from tests.samples.processes import until
from tests.samples.ray_nodes import HEAD, OTHER, RayNodes
from tests.samples.slurm_nodes import SlurmNodes

SWEEP = ("sweep", "kitchen.py", "--threads", "1", "--jobs", "2")
SLOW_STUDY = STUDY.replace('"pause": 0.02', '"pause": 0.3')
LONGEST = 6.0
"""Seconds after the first run began in which faults are injected."""

PATIENCE = 300.0


@dataclass
class ClusterTrial:
    """A new project of each try, whose sweep uses a cluster, and the report that it should have."""

    trial: Trial
    command: Command
    expected: str
    auditor: Auditor

    def start(self) -> RunningCommand:
        """Start the sweep."""
        return self.command.start()

    def await_moment(self) -> None:
        """Wait until a run has begun, and then for a random time."""
        until(lambda: any(self._journals.glob("*.jsonl")), PATIENCE, 0.05)
        time.sleep(self.trial.moments.uniform(0, LONGEST))

    def require_clean_end(self, running: RunningCommand) -> None:
        """Wait for the end of a sweep, which may fail with a message, and check the project."""
        ended = running.wait(patience=PATIENCE)
        if not ended.is_clean:
            self.trial.tally.add_corruption(f"a command ended with {ended.code}: {ended.output[-200:]}")
        self.auditor.check()

    def end(self, *running: RunningCommand) -> None:
        """Wait for the end of sweeps, which must succeed, and check the project and the report."""
        self.trial.tally.tries += 1
        for one in running:
            self.trial.require_success(one.wait(patience=PATIENCE))
        self.auditor.check_store()
        if _effects(self.command.folder) != self.expected:
            self.trial.tally.add_corruption("the report differs from that of a serial sweep")

    @property
    def _journals(self) -> Path:
        return self.command.folder / "mlruns" / "journal"


def _effects(project: Path) -> str:
    path = project / "reports" / "kitchen" / "effects.csv"
    return path.read_text() if path.exists() else ""


def _tries(trial: Trial, *options: str, environment: dict[str, str] | None = None) -> Iterator[ClusterTrial]:
    """Yield a new project for each try, of a sweep with some options."""
    serial = trial.project("serial")
    (serial / "kitchen.py").write_text(SLOW_STUDY)
    trial.run_to_end(Command((*SWEEP, "--executor", "serial"), serial))
    while trial.has_tries_left:
        project = trial.project(f"project-{trial.tally.tries}")
        (project / "kitchen.py").write_text(SLOW_STUDY)
        command = Command((*SWEEP, *options), project, {"PYTHONPATH": str(ROOT), **(environment or {})})
        yield ClusterTrial(trial, command, _effects(serial), Auditor(project, trial.tally))


# ---- Slurm


def on_slurm(
    fault: Callable[[SlurmNodes, ClusterTrial], None], options: str = "partition=main"
) -> Callable[[Trial], None]:
    """Return a fault that is injected into sweeps on a Slurm cluster of two nodes."""

    def inject(trial: Trial) -> None:
        if not slurm_nodes.is_installed() or find_spec("submitit") is None:
            trial.tally.skipped = "Slurm or submitit is not installed"
            return
        with slurm_nodes.slurm_nodes() as nodes:
            choice = ("--executor", "slurm", "--slurm", options)
            for one in _tries(trial, *choice, environment=nodes.environment):
                until(nodes.are_idle, PATIENCE, 0.5)
                fault(nodes, one)

    return inject


def _job_on(nodes: SlurmNodes, node: str) -> str:
    """Wait until a job runs on a node, and return its id."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [job for job, (word, where) in nodes.jobs().items() if (word, where) == ("RUNNING", node)]
        return bool(found)

    until(is_there, PATIENCE, 0.2)
    return found[0]


def _cancel_a_job(nodes: SlurmNodes, one: ClusterTrial) -> None:
    running = one.start()
    job = _job_on(nodes, "n2")
    one.await_moment()
    nodes.command("scancel", job)
    one.end(running)


def _reach_a_time_limit(nodes: SlurmNodes, one: ClusterTrial) -> None:
    """Send the signal that Slurm sends before the limit."""
    running = one.start()
    job = _job_on(nodes, "n2")
    one.await_moment()
    nodes.command("scancel", "--signal=USR2", job)
    one.end(running)


def _fail_a_node(nodes: SlurmNodes, one: ClusterTrial) -> None:
    running = one.start()
    _job_on(nodes, "n2")
    one.await_moment()
    nodes.kill("n2")
    until(lambda: not any(node == "n2" for _, node in nodes.jobs().values()), PATIENCE, 0.5)
    nodes.start("n2")
    one.end(running)


def _preempt_a_job(nodes: SlurmNodes, one: ClusterTrial) -> None:
    running = one.start()
    _job_on(nodes, "n2")
    one.await_moment()
    nodes.command("sbatch", "-p", "urgent", "-w", "n2", "-o", "/dev/null", "--wrap", "sleep 5")
    one.end(running)


def _kill_the_command(_nodes: SlurmNodes | RayNodes, one: ClusterTrial) -> None:
    running = one.start()
    one.await_moment()
    running.kill()
    one.auditor.check()
    one.end(one.start())


# ---- Ray


def on_ray(fault: Callable[[RayNodes, ClusterTrial], None]) -> Callable[[Trial], None]:
    """Return a fault that is injected into sweeps on a Ray cluster of two nodes."""

    def inject(trial: Trial) -> None:
        if find_spec("ray") is None:
            trial.tally.skipped = "Ray is not installed"
            return
        with ray_nodes.ray_nodes() as nodes:
            for one in _tries(trial, "--executor", "ray", "--address", nodes.address):
                fault(nodes, one)

    return inject


def _kill_a_node(nodes: RayNodes, one: ClusterTrial) -> None:
    running = one.start()
    one.await_moment()
    nodes.kill(OTHER)
    one.end(running)
    nodes.start(OTHER)


def _restart_the_head(nodes: RayNodes, one: ClusterTrial) -> None:
    running = one.start()
    one.await_moment()
    for name in (OTHER, HEAD):
        nodes.kill(name)
    for name in (HEAD, OTHER):
        nodes.start(name)
    one.require_clean_end(running)
    one.end(one.start())


def _share_the_cluster(_nodes: RayNodes, one: ClusterTrial) -> None:
    first = one.start()
    one.await_moment()
    one.end(first, one.start())


CLUSTERS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("job of a sweep on Slurm cancelled (scancel)", on_slurm(_cancel_a_job), 3),
    ("Slurm job at its time limit, requeued", on_slurm(_reach_a_time_limit), 3),
    ("node of a Slurm cluster lost during a sweep", on_slurm(_fail_a_node), 3),
    ("Slurm job preempted", on_slurm(_preempt_a_job), 3),
    ("sweep on Slurm killed, and attached to its jobs again", on_slurm(_kill_the_command), 3),
    ("node of a Ray cluster lost during a sweep", on_ray(_kill_a_node), 3),
    ("sweep on Ray killed", on_ray(_kill_the_command), 3),
    ("Ray cluster restarted during a sweep", on_ray(_restart_the_head), 3),
    ("two sweeps on one Ray cluster", on_ray(_share_the_cluster), 3),
]
"""Name, function and number of tries of each fault of a cluster."""
