"""The executor on a cluster whose jobs are played by the test."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ablate.errors import UsageError, UserError
from ablate.runs.executors import SlurmJobs, WorkerLost, make_executor
from ablate.runs.executors.slurm import batch
from ablate.runs.executors.slurm import executor as module
from ablate.runs.executors.slurm.call_queue import CallLabel, CallQueue, Claim, queues
from ablate.runs.executors.slurm.cluster import LimitError, SlurmCluster, UnavailableError, one_line, run_command
from ablate.runs.executors.slurm.executor import SlurmExecutor
from ablate.runs.executors.slurm.job import MOST_RESTARTS, make_calls, may_restart
from ablate.runs.executors.slurm.states import JobState, States
from tests.samples import executors as samples

DEAD = {"host": "elsewhere", "boot": "", "pid": 0, "started": None}


@dataclass(frozen=True)
class Order:
    """An item with an identity."""

    number: int

    @property
    def identity(self) -> str:
        return f"order {self.number}"

    @property
    def title(self) -> str:
        return f"order/{self.number}"


def serve(order: Order) -> int:
    return 2 * order.number


class PlayedCluster:
    """A cluster whose jobs do, between two looks, what `play` does with each job that is live.

    `play(queue, job)` returns the new state of the job.
    """

    interval = 0.0

    def __init__(self, play: Callable[[CallQueue, str], str]) -> None:
        self.play = play
        self.jobs: dict[str, dict[str, str]] = {}
        self.arrays: list[tuple[int, int]] = []
        self.cancelled: list[str] = []
        self.folders: dict[str, Path] = {}

    def submit(self, queue: Path, count: int, at_once: int, work: Callable[[], None]) -> None:
        self.arrays.append((count, at_once))
        self.folders[queue.name] = queue
        jobs = self.jobs.setdefault(queue.name, {})
        jobs |= {f"{len(self.arrays)}_{number}": "PENDING" for number in range(count)}

    def states(self, queues: Sequence[str]) -> Mapping[str, States]:
        for name in queues:
            for job, word in self.jobs.get(name, {}).items():
                if word in ("PENDING", "RUNNING"):
                    self.jobs[name][job] = self.play(CallQueue(self.folders[name]), job)
        return {name: {job: JobState(job, word) for job, word in self.jobs.get(name, {}).items()} for name in queues}

    def cancel(self, queue: str, jobs: Sequence[str]) -> None:
        self.cancelled += jobs
        self.jobs[queue] |= dict.fromkeys(jobs, "CANCELLED")


def work(queue: CallQueue, job: str) -> str:
    make_calls(queue, Claim(job))
    return "COMPLETED"


def wait(_queue: CallQueue, _job: str) -> str:
    return "PENDING"


def later(play: Callable[[CallQueue, str], str]) -> Callable[[CallQueue, str], str]:
    """Return a play in which nothing happens at the first look."""
    looks: list[str] = []

    def play_later(queue: CallQueue, job: str) -> str:
        looks.append(job)
        return play(queue, job) if len(looks) > 1 else "RUNNING"

    return play_later


def dies_in_its_first_call(word: str, most: int = 1) -> Callable[[CallQueue, str], str]:
    """Return a play in which the first `most` jobs end in a state in the middle of their first call."""
    dead: list[str] = []

    def play(queue: CallQueue, job: str) -> str:
        if len(dead) < most:
            dead.append(job)
            queue.take(Claim(job))
            return word
        return work(queue, job)

    return play


@pytest.fixture(autouse=True)
def nothing_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


def test_jobs_take_calls_until_none_is_left(tmp_path: Path) -> None:
    cluster = PlayedCluster(work)
    outcomes = list(SlurmExecutor(2, cluster, tmp_path).results(samples.double, range(5)))
    assert outcomes == [(number, 2 * number) for number in range(5)]
    assert cluster.arrays == [(2, 2)]


def test_more_jobs_if_each_makes_few_calls(tmp_path: Path) -> None:
    cluster = PlayedCluster(lambda queue, job: (make_calls(queue, Claim(job), 2), "COMPLETED")[1])
    outcomes = list(SlurmExecutor(2, cluster, tmp_path, calls_per_job=2).results(samples.double, range(5)))
    assert len(outcomes) == 5
    assert cluster.arrays == [(3, 2)]


@pytest.mark.parametrize(
    ("word", "reason"),
    [("CANCELLED", "was cancelled"), ("TIMEOUT", "reached its time limit"), ("OUT_OF_MEMORY", "ran out of memory")],
)
def test_a_job_that_ends_early_loses_its_call_only(word: str, reason: str, tmp_path: Path) -> None:
    cluster = PlayedCluster(dies_in_its_first_call(word))
    outcomes = dict(SlurmExecutor(1, cluster, tmp_path).results(samples.double, range(3)))
    assert outcomes == {0: WorkerLost(f"its job 1_0 {reason}"), 1: 2, 2: 4}
    assert cluster.arrays == [(1, 1), (1, 1)], "another job makes the other calls"


@pytest.mark.parametrize("word", ["NODE_FAIL", "PREEMPTED"])
def test_a_fault_of_the_cluster_does_not_lose_the_call(word: str, tmp_path: Path) -> None:
    executor = SlurmExecutor(1, PlayedCluster(dies_in_its_first_call(word, 3)), tmp_path)
    assert dict(executor.results(samples.double, range(3))) == {0: 0, 1: 2, 2: 4}
    executor = SlurmExecutor(1, PlayedCluster(dies_in_its_first_call(word, 99)), tmp_path)
    lost = next(executor.results(samples.double, [1]))
    assert isinstance(lost[1], WorkerLost)


def test_jobs_that_end_before_their_first_call_end_the_sweep(tmp_path: Path) -> None:
    cluster = PlayedCluster(lambda queue, job: "FAILED")
    with pytest.raises(
        UserError, match=r"Job 2_\d failed before its first run and left no log\. Can the node write to"
    ):
        list(SlurmExecutor(2, cluster, tmp_path).results(samples.double, range(5)))


def test_closing_early_cancels_the_jobs(tmp_path: Path) -> None:
    def make_one(queue: CallQueue, job: str) -> str:
        make_calls(queue, Claim(job), 1)
        return "RUNNING"

    cluster = PlayedCluster(make_one)
    results = SlurmExecutor(2, cluster, tmp_path).results(samples.double, range(50))
    next(results)
    results.close()
    assert cluster.cancelled == ["1_0", "1_1"]
    queue = queues(tmp_path)[0]
    assert queue.is_closed
    assert queue.take(Claim("late")) is None


def leave_behind(cluster: PlayedCluster, folder: Path, orders: Sequence[Order]) -> CallQueue:
    """Leave the queue of a command that was killed after it had submitted one job."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlurmExecutor, "_dismiss", lambda *_: None)
        patch.setattr(SlurmExecutor, "_await_end", lambda *_: None)
        patch.setattr(module, "this_process", lambda: {**DEAD, "host": _host()})
        patch.setattr(SlurmExecutor, "_outcomes", _killed)
        with pytest.raises(KeyboardInterrupt):
            list(SlurmExecutor(1, cluster, folder).results(serve, orders))
    return queues(folder)[0]


def _host() -> str:
    import socket

    return socket.gethostname()


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_next_command_waits_for_the_jobs_of_the_last_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = PlayedCluster(wait)
    queue = leave_behind(cluster, tmp_path, [Order(number) for number in range(4)])
    make_calls(queue, Claim("1_0"), 1)  # the job continues without a command
    assert queue.take(Claim("1_0")) == 1
    cluster.play = later(work)
    orders = [Order(number) for number in (1, 2, 3, 7)]
    assert dict(SlurmExecutor(1, cluster, tmp_path).results(serve, orders)) == {order: serve(order) for order in orders}
    assert "Waiting for 3 runs in jobs of an earlier command: 1_0" in capsys.readouterr().err
    assert cluster.arrays == [(1, 1), (1, 1)], "one job more, for the call that is new"
    assert len(queue.results()) == 4


def test_calls_of_dead_jobs_are_made_again(tmp_path: Path) -> None:
    cluster = PlayedCluster(wait)
    queue = leave_behind(cluster, tmp_path, [Order(0), Order(1)])
    queue.take(Claim("1_0"))
    cluster.jobs[queue.name]["1_0"] = "TIMEOUT"
    cluster.play = work
    assert dict(SlurmExecutor(1, cluster, tmp_path).results(serve, [Order(0), Order(1)])) == {Order(0): 0, Order(1): 2}
    assert len(cluster.arrays) == 2


def test_two_commands_share_the_jobs_and_one_does_not_cancel_those_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = PlayedCluster(wait)
    monkeypatch.setattr(module, "is_alive", lambda owner: True)
    first = SlurmExecutor(1, cluster, tmp_path).results(serve, [Order(0), Order(1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "this_process", lambda: DEAD)
        patch.setattr(SlurmExecutor, "_outcomes", lambda *_: iter([]))
        patch.setattr(SlurmExecutor, "_dismiss", lambda *_: None)
        patch.setattr(SlurmExecutor, "_await_end", lambda *_: None)
        assert list(first) == []
    second = SlurmExecutor(1, cluster, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlurmExecutor, "_outcomes", _killed)
        with pytest.raises(KeyboardInterrupt):
            list(second.results(serve, [Order(0)]))
    assert cluster.arrays == [(1, 1)]
    assert cluster.cancelled == []


def test_a_command_takes_over_from_another_one_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = PlayedCluster(wait)
    queue = leave_behind(cluster, tmp_path, [Order(0), Order(1)])
    owners = iter([None, False])
    monkeypatch.setattr(module, "is_alive", lambda owner: next(owners, True))

    def end(_queue: CallQueue, _job: str) -> str:
        cluster.play = work
        return "CANCELLED"

    cluster.play = later(end)
    assert dict(SlurmExecutor(1, cluster, tmp_path).results(serve, [Order(1)])) == {Order(1): 2}
    assert cluster.arrays == [(1, 1), (1, 1)]
    assert queue.owner == module.this_process()


def test_a_queue_that_another_command_has_closed_loses_its_calls(tmp_path: Path) -> None:
    cluster = PlayedCluster(wait)
    queue = leave_behind(cluster, tmp_path, [Order(0), Order(1)])

    def close(_queue: CallQueue, _job: str) -> str:
        queue.close()
        return "CANCELLED"

    cluster.play = later(close)
    outcomes = dict(SlurmExecutor(1, cluster, tmp_path).results(serve, [Order(1)]))
    assert outcomes == {Order(1): WorkerLost("another command cancelled its job")}


def test_a_refused_job_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = PlayedCluster(dies_in_its_first_call("CANCELLED"))
    submit = cluster.submit

    def refuse(*arguments: object) -> None:
        if cluster.arrays:
            raise UserError("Slurm refused the jobs: limit")
        submit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster, "submit", refuse)
    slow = iter(["RUNNING"] * 3)

    def play(queue: CallQueue, job: str) -> str:
        if job == "1_1" and next(slow, None):
            return "RUNNING"
        return dying(queue, job)

    dying, cluster.play = cluster.play, play
    outcomes = dict(SlurmExecutor(2, cluster, tmp_path).results(samples.double, range(4)))
    assert outcomes == {0: WorkerLost("its job 1_0 was cancelled"), 1: 2, 2: 4, 3: 6}


def test_a_call_is_claimed_once_and_kept_over_a_restart(tmp_path: Path) -> None:
    queue = CallQueue.create(tmp_path, [b"a", b"b"], [CallLabel("", "")] * 2, DEAD)
    assert [queue.take(Claim("1")), queue.take(Claim("2")), queue.take(Claim("3"))] == [0, 1, None]
    assert queue.take(Claim("1", restarts=1)) == 0, "the same job continues with its call"
    assert queue.claims() == {0: Claim("1"), 1: Claim("2")}
    assert may_restart(queue, Claim("1", MOST_RESTARTS - 1))
    assert not may_restart(queue, Claim("1", MOST_RESTARTS))
    queue.release(0, Claim("2"))
    assert queue.unclaimed() == [], "the claim of another job remains"
    queue.release(0, Claim("1"))
    assert queue.unclaimed() == [0]
    copy = shutil.copytree(queue.folder, tmp_path / "copy" / queue.folder.name)
    assert [found.folder for found in queues(tmp_path)] == [queue.folder]
    assert not queues(copy.parent), "the jobs work in the original"


def test_a_job_waits_for_the_second_look(tmp_path: Path) -> None:
    """On a network file system the result may appear after the end of the job."""
    late: list[CallQueue] = []

    def play(queue: CallQueue, job: str) -> str:
        number = queue.take(Claim(job))
        assert number is not None
        late.append(queue)
        return "COMPLETED"

    cluster = PlayedCluster(play)
    executor = SlurmExecutor(1, cluster, tmp_path)
    looks: list[int] = []

    def write_late(_seconds: float) -> None:
        looks.append(1)
        if len(looks) == 1:
            make_calls(late[0], Claim("1_0"), 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.time, "sleep", write_late)
        assert list(executor.results(samples.double, [4])) == [(4, 8)]


def test_slurm_without_its_commands_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    executor = SlurmExecutor(1, SlurmCluster({}), tmp_path)
    with pytest.raises(UserError, match="Slurm's command sbatch is not on the PATH"):
        list(executor.results(samples.double, [1]))


def test_a_missing_submitit_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r"pip install 'ablate-study\[slurm\]'"):
        make_executor("slurm", 1)


def test_errors_of_sbatch_are_one_line() -> None:
    text = (
        "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid name\n"
    )
    assert one_line(text) == "Batch job submission failed: Invalid name / invalid partition specified: nope"


def test_the_script_has_the_options(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    jobs = SlurmJobs(tmp_path, {"partition": "gpu", "time": "02:00:00", "exclusive": True, "no-requeue": True}, 3)
    executor = make_executor("slurm", 4, threads=2, jobs=jobs)
    assert isinstance(executor, SlurmExecutor)
    lines = executor.script(20).splitlines()
    for line in ("--array=0-6%4", "--partition=gpu", "--time=02:00:00", "--exclusive", "--cpus-per-task=2"):
        assert f"#SBATCH {line}" in lines
    assert "#SBATCH --signal=USR2@90" in lines
    assert not list(tmp_path.iterdir()), "a dry run writes nothing"


@pytest.mark.parametrize("name", ["50%j", "back\\slash", "two\nlines"])
def test_a_folder_that_slurm_cannot_name_is_one_line(name: str, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    executor = make_executor("slurm", 1, jobs=SlurmJobs(tmp_path / name, {}))
    assert isinstance(executor, SlurmExecutor)
    with pytest.raises(UserError, match="Slurm cannot write logs below a path with"):
        executor.script(1)


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with commands named as those of Slurm. `sbatch` writes its environment to a file of that folder."""
    pytest.importorskip("submitit")
    folder = tmp_path / "bin"
    folder.mkdir()
    bodies = {"sbatch": f"env > {folder}/environment; echo Submitted batch job 7", "squeue": "", "scancel": ""}
    for name in ("sbatch", "squeue", "scancel", "scontrol", "srun"):
        (folder / name).write_text(f"#!/bin/sh\n{bodies.get(name, '')}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_variables_do_not_override_the_script(
    fake_slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overridden = ("SBATCH_TIMELIMIT", "SBATCH_MEM_PER_CPU", "SBATCH_ARRAY_INX", "SBATCH_NO_REQUEUE", "SBATCH_WAIT")
    for name in ("SLURM_JOB_ID", "SLURM_CPU_BIND", "SLURM_CONF", "SBATCH_ACCOUNT", *overridden):
        monkeypatch.setenv(name, "mine")
    queue = CallQueue.create(tmp_path, [b""], [CallLabel("", "")], DEAD)
    SlurmCluster({"time": "1", "mem": "1G"}).submit(queue.folder, 1, 1, print)
    seen = {line.partition("=")[0] for line in (fake_slurm / "environment").read_text().splitlines()}
    assert {name for name in seen if name.startswith(("SLURM", "SBATCH"))} == {"SLURM_CONF", "SBATCH_ACCOUNT"}
    assert os.environ["SLURM_CPU_BIND"] == "mine"


def test_variables_do_not_hide_jobs(fake_slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SQUEUE_STATES", "SCANCEL_INTERACTIVE", "SLURM_CONF"):
        monkeypatch.setenv(name, "mine")
    (fake_slurm / "squeue").write_text("#!/bin/sh\nenv | grep -E '^S(QUEUE|CANCEL|LURM)_' | sort\n")
    assert run_command("squeue") == "SLURM_CONF=mine\n"


@pytest.mark.parametrize("accepted", [True, False])
def test_a_cluster_that_does_not_answer_at_the_submission(
    accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may have taken the jobs nevertheless. Then no further ones are submitted."""
    cluster = PlayedCluster(work)
    submit, calls = cluster.submit, []

    def time_out(*arguments: object) -> None:
        calls.append(1)
        if accepted or len(calls) == 3:
            submit(*arguments)  # type: ignore[arg-type]
        if len(calls) < 3:
            raise UnavailableError(f"Socket timed out {accepted}")

    monkeypatch.setattr(cluster, "submit", time_out)
    assert dict(SlurmExecutor(1, cluster, tmp_path).results(samples.double, range(3))) == {0: 0, 1: 2, 2: 4}
    assert len(calls) == (1 if accepted else 3)
    assert capsys.readouterr().err.count(f"Socket timed out {accepted}. The command tries again") == 1
    calls.clear()
    monkeypatch.setattr(batch, "PATIENCE", -1.0)
    with pytest.raises(UnavailableError):
        list(SlurmExecutor(1, cluster, tmp_path).results(samples.double, range(3)))


def test_states_that_are_unknown_after_the_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither submit further jobs nor lose calls until the cluster answers."""
    cluster = PlayedCluster(work)
    states, silence = cluster.states, iter([True] * 4)

    def silent(names: Sequence[str]) -> Mapping[str, States]:
        if names and cluster.arrays and next(silence, False):
            raise UserError("squeue: Socket timed out")
        return states(names)

    monkeypatch.setattr(cluster, "states", silent)
    assert dict(SlurmExecutor(1, cluster, tmp_path).results(samples.double, range(3))) == {0: 0, 1: 2, 2: 4}
    assert cluster.arrays == [(1, 1)]


def test_an_array_that_is_too_large_is_submitted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = PlayedCluster(lambda queue, job: (make_calls(queue, Claim(job), 1), "COMPLETED")[1])
    submit = cluster.submit

    def refuse(queue: Path, count: int, *others: object) -> None:
        if count > 3:
            raise LimitError("Slurm refused the jobs: Invalid job array specification")
        submit(queue, count, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster, "submit", refuse)
    outcomes = list(SlurmExecutor(3, cluster, tmp_path, calls_per_job=1).results(samples.double, range(8)))
    assert len(outcomes) == 8
    assert [count for count, _ in cluster.arrays] == [2, 3, 3]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Batch job submission failed: Socket timed out on send/recv operation", UnavailableError),
        ("Batch job submission failed: Resource temporarily unavailable", UnavailableError),
        ("Batch job submission failed: Invalid account", UserError),
        ("Batch job submission failed: Job violates accounting/QOS policy (job submit limit, ...)", LimitError),
    ],
)
def test_kinds_of_errors_of_sbatch(text: str, error: type[UserError], fake_slurm: Path, tmp_path: Path) -> None:
    (fake_slurm / "sbatch").write_text(f"#!/bin/sh\necho 'sbatch: error: {text}' >&2\nexit 1\n")
    queue = CallQueue.create(tmp_path, [b""], [CallLabel("", "")], DEAD)
    with pytest.raises(UserError, match=re.escape(text)) as caught:
        SlurmCluster({}).submit(queue.folder, 1, 1, print)
    assert type(caught.value) is error


def test_a_refusal_of_sbatch_is_one_line(fake_slurm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    (fake_slurm / "sbatch").write_text(f"#!/bin/sh\necho '{text}' >&2\nexit 1\n")
    with pytest.raises(
        UserError, match=r"^Slurm refused the jobs: Batch job submission failed: Job violates"
    ) as caught:
        list(SlurmExecutor(2, SlurmCluster({}), tmp_path).results(samples.double, range(3)))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""
