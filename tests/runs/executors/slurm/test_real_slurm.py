"""The demo study on a real Slurm of two nodes, whose jobs end in every way, has the table of a serial sweep."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.samples.demo_sweep import PATIENCE, SWEEP, Table, assert_complete, is_training, runs_in, serial_table
from tests.samples.processes import Program, start_program, until
from tests.samples.slurm_nodes import SlurmNodes, is_installed, slurm_nodes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="needs Slurm (slurmctld, slurmd and its commands)"),
    pytest.mark.skipif(find_spec("submitit") is None, reason="needs the extra `slurm`"),
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[SlurmNodes]:
    with slurm_nodes() as running:
        yield running


def start(folder: Path, nodes: SlurmNodes, options: str = "partition=main", jobs: int = 2, *more: str) -> Program:
    arguments = (*SWEEP, *more, "--executor", "slurm", "--slurm", options, "--jobs", str(jobs), "--json")
    return start_program(*arguments, folder=folder, environment=nodes.environment, fresh=True)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return serial_table(tmp_path_factory.mktemp("serial"))


def training(nodes: SlurmNodes, folder: Path, node: str = "n2") -> str:
    """Wait until a job on a node trains, and return its id."""
    found: list[str] = []

    def is_at_work() -> bool:
        found[:] = [job for job, (word, where) in nodes.jobs().items() if word == "RUNNING" and where == node]
        return bool(found) and is_training(folder)

    until(is_at_work, PATIENCE, 0.2)
    return found[0]


def kill_the_command(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    training(nodes, folder)
    program.kill_all()
    time.sleep(3)
    assert len(nodes.jobs()) == 2, "the jobs continue"
    return start(folder, nodes)


def cancel_a_running_job(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    nodes.command("scancel", training(nodes, folder))
    return program


def reach_the_time_limit(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    """Send what Slurm sends before the limit; `test_a_time_limit` waits for a real one."""
    nodes.command("scancel", "--signal=USR2", training(nodes, folder))
    return program


def fail_a_node(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    training(nodes, folder)
    nodes.kill("n2")
    until(lambda: not any(node == "n2" for _, node in nodes.jobs().values()), PATIENCE, 0.5)
    nodes.start("n2")
    return program


def preempt(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    training(nodes, folder)
    nodes.command("sbatch", "-p", "urgent", "-w", "n2", "-o", "/dev/null", "--wrap", "sleep 5")
    return program


def restart_the_controller(nodes: SlurmNodes, folder: Path, program: Program) -> Program:
    training(nodes, folder)
    nodes.kill("slurmctld")
    time.sleep(15)
    nodes.start("slurmctld")
    return program


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("partition=main", kill_the_command),
        ("partition=main", cancel_a_running_job),
        ("partition=main", reach_the_time_limit),
        ("partition=main", fail_a_node),
        ("partition=main,no-requeue", fail_a_node),
        ("partition=main", preempt),
        ("partition=cheap", preempt),
        ("partition=main", restart_the_controller),
    ],
)
def test_the_table_after_a_fault_is_that_of_a_serial_sweep(
    options: str,
    fault: Callable[[SlurmNodes, Path, Program], Program],
    nodes: SlurmNodes,
    serial: Table,
    tmp_path: Path,
) -> None:
    until(nodes.are_idle, PATIENCE, 0.5)
    assert_complete(fault(nodes, tmp_path, start(tmp_path, nodes, options)), tmp_path, serial)


def test_a_time_limit(nodes: SlurmNodes, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One job of a minute makes runs of more than a minute: Slurm puts it back into the queue before its limit."""
    longer = ("--epochs", "120")
    serial = serial_table(tmp_path_factory.mktemp("longer"), *longer)
    until(nodes.are_idle, PATIENCE, 0.5)
    assert_complete(start(tmp_path, nodes, "partition=main,time=1", 1, *longer), tmp_path, serial)
    records = "".join(path.read_text() for path in (tmp_path / "mlruns" / "journal").glob("*.jsonl"))
    assert '{"record": "resume"' in records


def listing(folder: Path, nodes: SlurmNodes, *flags: str) -> str:
    program = start_program("list", "--offline", *flags, folder=folder, environment=nodes.environment, fresh=True)
    output, errors = program.communicate()
    assert program.returncode == 0, errors
    return output


def test_an_interrupt_cancels_the_jobs(nodes: SlurmNodes, tmp_path: Path) -> None:
    until(nodes.are_idle, PATIENCE, 0.5)
    program = start(tmp_path, nodes)
    job = training(nodes, tmp_path)
    lines, rows = (listing(tmp_path, nodes, *flags) for flags in ((), ("--json",)))
    assert [line.split()[:3] for line in lines.splitlines() if line.startswith(job)] == [[job, "running", "n2"]]
    listed = {row["job"]: row for row in json.loads(rows) if "job" in row}
    assert (listed[job]["status"], listed[job]["node"]) == ("running", "n2")
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(PATIENCE)
    assert program.returncode == 130, errors
    until(lambda: not nodes.jobs(), 30)
    assert "killed" in {run.status for run in runs_in(tmp_path)}


def test_an_unknown_partition_is_one_line(nodes: SlurmNodes, tmp_path: Path) -> None:
    program = start(tmp_path, nodes, "partition=nowhere")
    _, errors = program.communicate(PATIENCE)
    assert program.returncode == 1
    last = errors.splitlines()[-1]
    assert last.startswith("error: Slurm refused the jobs: Batch job submission failed: Invalid partition")
