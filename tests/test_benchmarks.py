"""Parts of the benchmarks in which a mistake would not be noticed. Their results are not tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import processor


def test_results_are_compared_with_those_of_the_same_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same, other = ({"processor": "AMD EPYC", "vectors": vectors} for vectors in ("avx2", "avx512+bf16"))
    unknown = {"processor": "AMD EPYC"}
    machines = {"2026-01": same, "2026-02": same, "2026-03": other, "2026-04": unknown}
    for value, (time, machine) in enumerate(machines.items()):
        result = {"time": time, "machine": machine, "figures": [{"name": "speed", "value": value}]}
        (tmp_path / f"{time}.json").write_text(json.dumps(result))
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    assert bench.last(same) == {"speed": 1}
    assert bench.last(other) == {"speed": 2}
    assert bench.last({"processor": "AMD EPYC", "vectors": "avx512"}) == {}


def test_a_package_that_is_not_installed_is_none() -> None:
    assert bench.installed("torch") != "none"
    assert bench.installed("no-such-package-anywhere") == "none"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2", ["fp32"]),
        ("GenuineIntel avx512f avx512_bf16", ["fp32", "bf16"]),
        ("AuthenticAMD avx512f avx512_bf16", ["bf16"]),
        ("GenuineIntel avx512f avx512_bf16 amx_bf16", ["bf16"]),
    ],
)
def test_emulated_bfloat16_is_not_measured(
    flags: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"flags : fpu {flags}\n")
    monkeypatch.setattr("ablate.workloads.resnet9.cpu_features._PROCESSORS", facts)
    assert processor.precisions() == expected
