"""Options of sbatch."""

from __future__ import annotations

import pytest

from ablate.errors import UsageError
from ablate.runs.executors.slurm.options import parse_options, requested_cpus, requests_gpu, warning_seconds


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("partition=gpu,time=02:00:00,gres=gpu:1", {"partition": "gpu", "time": "02:00:00", "gres": "gpu:1"}),
        ("cpus_per_task=4, mem = 8G", {"cpus-per-task": "4", "mem": "8G"}),
        (
            "nodelist=n1,n2,exclusive,mail-type=END,FAIL",
            {"nodelist": "n1,n2", "exclusive": True, "mail-type": "END,FAIL"},
        ),
        ("export=ALL,HF_HOME=/data,qos=low", {"export": "ALL,HF_HOME=/data", "qos": "low"}),
        ("no-requeue", {"no-requeue": True}),
    ],
)
def test_options_of_sbatch(text: str, options: dict[str, str | bool]) -> None:
    assert parse_options(text) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu", "takes KEY=VALUE,... such as partition=gpu,time=02:00:00, not 'gpu'"),
        ("array=0-3", "cannot set array: --jobs and --runs-per-job set it"),
        ("job_name=x", "cannot set job-name"),
        ("arr=0-3", "cannot set array"),
        ("p=gpu", "takes the long names"),
        ("partition=", "takes the long names of options of sbatch, each with a value"),
    ],
)
def test_wrong_options_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        parse_options(text)


@pytest.mark.parametrize("text", ["gres=gpu:1", "gpus=1", "gpus-per-task=a100:2", "gres=shard:1,gpu:2"])
def test_a_gpu_is_recognised(text: str) -> None:
    assert requests_gpu(parse_options(text))
    assert not requests_gpu(parse_options("partition=gpu,mem=1G"))


def test_cpus() -> None:
    assert requested_cpus(parse_options("cpus-per-task=4")) == 4
    assert requested_cpus({}) is None
    with pytest.raises(UsageError, match="takes a number from 1, not 'four'"):
        requested_cpus(parse_options("cpus-per-task=four"))


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ("1", 15),
        ("2:00", 30),
        ("00:04:00", 60),
        ("02:00:00", 90),
        ("1-0", 90),
        ("0-0:1", 15),
        ("UNLIMITED", 90),
        (None, 90),
    ],
)
def test_the_warning_before_the_time_limit(limit: str | None, seconds: int) -> None:
    assert warning_seconds(limit) == seconds
