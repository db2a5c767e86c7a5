"""The commands of Slurm, and the submission of jobs with submitit. The only module that imports submitit."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from ablate.errors import UsageError, UserError
from ablate.runs.executors.slurm.options import RESERVED, warning_seconds
from ablate.runs.executors.slurm.states import SQUEUE_FORMAT, JobState, States, read_squeue

LOGS = "jobs"
"""The folder of a queue with the scripts and logs of its jobs."""

_COMMAND_TIMEOUT = 60.0
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")
_FILTERS = ("SQUEUE_", "SCANCEL_")
"""Variables that would hide jobs from squeue and scancel."""
_VARIABLES = {"array": "ARRAY_INX", "time": "TIMELIMIT", "mem": "MEM_PER_NODE"}
"""Options of sbatch whose variable has another name."""
_UNUSABLE = re.compile(r"%|\\|[\r\n]")
"""In the path of a log, Slurm replaces `%j` and the like, and a script has no escapes for the others."""
_ALTERNATIVES = ({"requeue", "no-requeue"}, {"mem", "mem-per-cpu", "mem-per-gpu"})
_TEMPORARY = (
    "Communication connection failure",
    "Resource temporarily unavailable",
    "Socket timed out",
    "Unable to contact slurm controller",
    "Zero Bytes were transmitted",
    "temporarily unable",
)


_LIMITS = ("Invalid job array specification", "job submit limit")


class LimitError(UserError):
    """The cluster does not take so many jobs."""


class UnavailableError(UserError):
    """The cluster did not answer or cannot take jobs now. It may have taken them all the same."""


class Cluster(Protocol):
    """Submits, lists and cancels jobs."""

    @property
    def interval(self) -> float:
        """Seconds between two requests for the states of jobs."""

    def submit(self, queue: Path, count: int, at_once: int, work: Callable[[], None]) -> None:
        """Submit `count` jobs of a queue, which call `work`. At most `at_once` of them run at a time.

        Raises UserError if the cluster refuses them, LimitError because of their number, or UnavailableError.
        """

    def states(self, queues: Sequence[str]) -> Mapping[str, States]:
        """Return the jobs of queues by name of the queue. Raises UserError if the cluster does not answer."""

    def cancel(self, queue: str, jobs: Sequence[str]) -> None:
        """Cancel jobs: they receive SIGTERM."""


@dataclass(frozen=True)
class SlurmCluster:
    """The Slurm cluster of this machine.

    Attributes:
        options: Options of sbatch by their long name; True for flags.
        cpus: CPUs per job, unless the options set them.
    """

    options: Mapping[str, str | bool]
    cpus: int = 1
    interval: float = 10.0

    def submit(self, queue: Path, count: int, at_once: int, work: Callable[[], None]) -> None:
        """Submit the jobs, as an array if there are several."""
        check_installed()
        submission = self._submission(queue, at_once)
        (queue / LOGS).mkdir(exist_ok=True)
        try:
            with redirect_stderr(StringIO()), _without(self._variables()):  # submitit prints the error as well
                submission.submit_array([work] * count)
        except RuntimeError as error:
            text = one_line(str(error))
            if any(words in text for words in _TEMPORARY):
                raise UnavailableError(f"Slurm does not take jobs now: {text}") from error
            kind = LimitError if any(words in text for words in _LIMITS) else UserError
            raise kind(f"Slurm refused the jobs: {text}") from error

    def script(self, queue: Path, count: int, at_once: int) -> str:
        """Return the script that sbatch would receive."""
        submission = self._submission(queue, at_once)
        if count > 1:
            submission.parameters["map_count"] = count
        text: str = submission._make_submission_file_text(submission._submitit_command_str, "")  # noqa: SLF001  # submitit has no public name
        return text

    def states(self, queues: Sequence[str]) -> Mapping[str, States]:
        """Return the jobs of queues, those that ended within the last minutes included."""
        return squeue("--states=all", f"--name={','.join(queues)}") if queues else {}

    def cancel(self, queue: str, jobs: Sequence[str]) -> None:
        """Cancel jobs."""
        if jobs:
            run_command("scancel", f"--name={queue}", *jobs)  # a controller without its state may reuse ids

    def _variables(self) -> list[str]:
        """Return the variables that would override the script.

        These are those of a job in which the command itself runs, because sbatch passes its limits on, and those of
        options that the script sets.
        """
        of_job = ("SLURM_", "SRUN_") if "SLURM_JOB_ID" in os.environ else ()
        options = {*RESERVED, *self.options, "requeue"}
        options.update(*(names for names in _ALTERNATIVES if names & options))
        set_here = {f"SBATCH_{_VARIABLES.get(name, name).upper().replace('-', '_')}" for name in options}
        return [name for name in os.environ if name in set_here or (name.startswith(of_job) and name not in _KEPT)]

    def _submission(self, queue: Path, at_once: int) -> Any:
        submitit = import_submitit()
        if found := _UNUSABLE.search(str(queue)):
            raise UserError(f"Slurm cannot write logs below a path with {found[0]!r}: {queue}. Rename the folder")

        class Submission(submitit.SlurmExecutor):  # type: ignore[misc,name-defined]  # imported on demand
            """Exists on machines without Slurm too, for its script."""

            @classmethod
            def affinity(cls) -> int:
                return 1

        submission = Submission(queue / LOGS)
        cpus = self.options.get("cpus-per-task", self.cpus)
        requeue = {} if "no-requeue" in self.options else {"requeue": True}
        submission.update_parameters(
            job_name=queue.name,
            nodes=1,
            time=None,
            wckey=None,
            array_parallelism=at_once,
            signal_delay_s=warning_seconds(self.options.get("time")),
            srun_args=[f"--cpus-per-task={cpus}"],  # srun does not inherit them since Slurm 22.05
            additional_parameters={"cpus-per-task": cpus, "ntasks": 1, **requeue, **self.options},
        )
        return submission


@contextmanager
def _without(variables: Sequence[str]) -> Iterator[None]:
    """Hide environment variables."""
    before = {name: os.environ.pop(name) for name in variables}
    try:
        yield
    finally:
        os.environ.update(before)


def import_submitit() -> Any:
    """Return the module `submitit`. Raises UsageError if it is not installed."""
    try:
        import submitit
    except ImportError:
        raise UsageError("submitit is not installed: pip install 'ablate-study[slurm]'") from None
    return submitit


def check_installed() -> None:
    """Raise UserError if the commands of Slurm are not on the PATH."""
    missing = [name for name in ("sbatch", "squeue", "scancel", "scontrol", "srun") if not shutil.which(name)]
    if missing:
        raise UserError(
            f"Slurm's command {missing[0]} is not on the PATH. Run this command on a login node of the cluster"
        )


def squeue(*arguments: str) -> dict[str, dict[str, JobState]]:
    """Return jobs by the name of their queue and their id."""
    return read_squeue(run_command("squeue", "--noheader", "--array", f"--format={SQUEUE_FORMAT}", *arguments))


def my_jobs() -> dict[str, dict[str, JobState]]:
    """Return the jobs of this user that wait or run, by the name of their queue and their id."""
    return squeue(f"--user={getpass.getuser()}")


def run_command(*command: str) -> str:
    """Return the output of a command of Slurm. Raises UserError with its error on one line."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_FILTERS)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMMAND_TIMEOUT, env=variables
        )
    except FileNotFoundError:
        check_installed()
        raise
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not answer within {_COMMAND_TIMEOUT:.0f} s") from None
    if done.returncode:
        raise UserError(f"{command[0]}: {one_line(done.stderr)}")
    return done.stdout


def one_line(text: str) -> str:
    """Return the messages of a command of Slurm on one line, without its name, the last one first."""
    lines = [line.rpartition("error: ")[2].strip() for line in text.splitlines() if line.strip()]
    return " / ".join(dict.fromkeys(reversed(lines))) or "no message"
