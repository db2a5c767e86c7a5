"""Parts of the benchmarks in which a mistake would not be noticed. Their results are not tested."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from benchmarks import __main__ as bench
from benchmarks import encode_again, processor
from tests import ROOT


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


def test_the_cost_of_another_encoding_is_that_of_the_runs() -> None:
    accuracy: dict[str, dict[str, float]] = {"once": {}, "twice": {}}
    for row in csv.DictReader((ROOT / "benchmarks/results/jpeg-nvidia-h200.csv").read_text().splitlines()):
        accuracy[row["images"]][row["seed"]] = 100 * float(row["accuracy"])
    once, twice = accuracy.values()
    changes = [twice[seed] - once[seed] for seed in once]
    low, high = stats.ttest_1samp(changes, 0).confidence_interval()
    page = " ".join((ROOT / "benchmarks" / "README.md").read_text().split())
    assert f" {statistics.fmean(changes):.2f} points [{low:.2f}, {high:.2f}], {len(changes)} paired seeds" in page
    for arm in (once, twice):
        assert f" {statistics.fmean(arm.values()):.2f} ± {statistics.stdev(arm.values()):.2f} % on" in page


def test_images_are_encoded_again_in_their_place(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (tmp_path / "jpeg" / "cat").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "jpeg" / "cat" / "1.jpg", quality=75)
    encode_again.main([str(tmp_path / "jpeg"), str(tmp_path / "again")])
    before, after = (np.asarray(Image.open(tmp_path / name)) for name in ("jpeg/cat/1.jpg", "again/cat/1.png"))
    assert before.shape == after.shape
    assert 0 < np.abs(before.astype(float) - after).mean() < 40


def test_the_measured_optimizers_and_learning_rates_are_those_of_the_runs() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text()
    for name, columns in {"optimizers": ("optimizer", "schedule"), "learning-rates": ("lr",)}.items():
        arms: dict[tuple[str, ...], list[float]] = {}
        for row in csv.DictReader((ROOT / f"benchmarks/results/{name}-nvidia-h200.csv").read_text().splitlines()):
            arms.setdefault(tuple(row[column] for column in columns), []).append(100 * float(row["test_accuracy"]))
        cells = {
            arm: f"{statistics.fmean(scores):.1f} ± {statistics.stdev(scores):.1f}" for arm, scores in arms.items()
        }
        rows: dict[str, str] = {}
        for arm, cell in cells.items():
            first = f"`{arm[0]}`" if len(arm) > 1 else "`adam`, `one-cycle`"
            rows[first] = f"{rows.get(first, f'| {first} |')} {cell} |"
        assert all(f"\n{row}\n" in page for row in rows.values()), rows
