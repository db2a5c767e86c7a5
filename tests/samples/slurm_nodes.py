"""A Slurm cluster on this machine: a controller and two nodes with one CPU each, in a temporary folder."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.samples.processes import until
from tests.samples.servers import free_ports

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldPort={ports[0]}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=10
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeAddr=127.0.0.1 NodeHostname={host} Port={ports[1]} CPUs=1 RealMemory=1000
NodeName=n2 NodeAddr=127.0.0.1 NodeHostname={host} Port={ports[2]} CPUs=1 RealMemory=1000
PartitionName=main Nodes=n1,n2 Default=YES PriorityTier=1 PreemptMode=REQUEUE
PartitionName=cheap Nodes=n1,n2 PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=n1,n2 PriorityTier=10 PreemptMode=OFF
"""


class SlurmNodes:
    """The processes of a cluster. Commands find it by SLURM_CONF."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.configuration = folder, folder / "slurm.conf"
        (folder / "state").mkdir()
        settings = CONFIGURATION.format(
            host=socket.gethostname(), user=getpass.getuser(), folder=folder, ports=free_ports(3)
        )
        self.configuration.write_text(settings)
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The variables of commands that use this cluster."""
        return {"SLURM_CONF": str(self.configuration)}

    def start(self, name: str) -> None:
        """Start `slurmctld`, or the daemon of a node."""
        daemon = ["slurmctld", "-i"] if name == "slurmctld" else ["slurmd", "-N", name]
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                [*daemon, "-D", "-f", str(self.configuration)],
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a daemon; of a node also everything that runs on it, as a power failure does."""
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                variables = process.environ()
                here = variables.get("SLURM_CONF") == str(self.configuration)
                if (here and variables.get("SLURMD_NODENAME") == name) or self._is_step_of(process, name):
                    process.kill()

    def _is_step_of(self, process: psutil.Process, name: str) -> bool:
        """Return whether a process is the manager of a step on a node; it has an empty environment."""
        return process.name() == "slurmstepd" and name in self._daemons_of(process)

    def _daemons_of(self, process: psutil.Process) -> str:
        children = process.children(recursive=True)
        found = [child.environ().get("SLURMD_NODENAME", "") for child in children]
        here = [child.environ().get("SLURM_CONF") == str(self.configuration) for child in children]
        return " ".join(node for node, is_here in zip(found, here, strict=True) if is_here)

    def command(self, *command: str) -> str:
        """Run a command of Slurm, which must succeed, and return its output."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self) -> dict[str, tuple[str, str]]:
        """Return the state and the node of the jobs that wait or run, by their id."""
        lines = self.command("squeue", "-h", "-r", "-o", "%i|%T|%N").splitlines()
        return {job: (word, node) for job, word, node in (line.split("|") for line in lines)}

    def are_idle(self) -> bool:
        """Return whether both nodes are up and have no job."""
        with suppress(AssertionError):
            return self.command("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split() == ["idle", "idle"]
        return False

    def stop(self) -> None:
        """Cancel all jobs and stop all daemons."""
        with suppress(AssertionError):
            self.command("scancel", f"--user={getpass.getuser()}")
            until(lambda: not self.jobs(), 30)
        for daemon in self._daemons.values():
            daemon.send_signal(signal.SIGTERM)
        for daemon in self._daemons.values():
            daemon.wait(30)


@contextmanager
def slurm_nodes() -> Iterator[SlurmNodes]:
    """Start a cluster, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="ablate-slurm-") as folder:
        nodes = SlurmNodes(Path(folder))
        try:
            for name in ("slurmctld", "n1", "n2"):
                nodes.start(name)
            until(nodes.are_idle, 60, 0.5)
            yield nodes
        finally:
            nodes.stop()


def is_installed() -> bool:
    """Return whether this machine has Slurm, and may start it."""
    return all(shutil.which(name) for name in ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun"))
