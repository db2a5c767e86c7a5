"""Sections for students: the generalisation gap, changes by class, images as trained, purposes of components."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.data import ImageSource, open_dataset
from ablate.data.cache import cached_labels
from ablate.report.analysis import Analysis, analyse
from ablate.report.plots.study_plots import study_plots
from ablate.report.sections.learning import classes_section, gap_section, purposes_section
from ablate.report.sources.study import from_study
from ablate.report.write import write_report
from ablate.studies.settings import OneOf
from ablate.studies.workload import purposes
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.workload import WORKLOAD
from tests import ROOT
from tests.samples.report import IMAGES, small_study, tracked


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analyse(from_study("small", tracked(small_study(), tmp_path_factory.mktemp("small"))))


def with_data(found: Analysis, **data: Any) -> Analysis:
    return replace(found, study=replace(found.study, **data))


def test_the_gap_is_that_of_the_last_epoch_of_each_variant(found: Analysis) -> None:
    assert gap_section(found) == ""  # only validation was recorded
    histories = {
        "no-augment": [[{"step": 1, "train/accuracy": end, "val/accuracy": 0.5}] for end in (0.9, 0.92)],
        "baseline": [
            [{"step": 1, "train/accuracy": 0.1}, {"step": 2, "train/accuracy": 0.7, "val/accuracy": 0.6}],
            [{"step": 1, "train/accuracy": 0.1}],
        ],
    }
    lines = gap_section(with_data(found, curves=lambda: histories)).split("\n")
    assert lines[-4:] == [
        "| variant | training accuracy (%) | validation accuracy (%) | gap |",
        "| --- | ---: | ---: | ---: |",
        "| `baseline` | 70.00 | 60.00 | 10.00 |",
        "| `no-augment` | 91.00 ± 1.41 | 50.00 ± 0.00 | 41.00 ± 1.41 |",
    ]
    losses = {"baseline": [[{"step": 1, "train/loss": 0.25, "val/loss": 0.75}]]}
    assert "| `baseline` | 0.25 | 0.75 | -0.50 |" in gap_section(with_data(found, curves=lambda: losses))


def test_changes_by_class_come_from_the_bits_of_each_image(found: Analysis) -> None:
    labels = np.arange(IMAGES) % 2
    assert classes_section(found) == ""  # the data set is not on this machine

    def bits(even: int, odd: int) -> np.ndarray[Any, Any]:
        right = np.zeros(IMAGES, dtype=np.uint8)
        right[: 2 * even : 2] = right[1 : 2 * odd + 1 : 2] = 1
        return right

    correct = {
        "baseline": {seed: bits(20, 10) for seed in range(3)},
        "no-augment": {seed: bits(20 - 4 - seed, 10) for seed in range(4)},
    }
    known = with_data(found, correct=lambda: correct, labels=lambda: (["even", "odd|"], labels))
    lines = classes_section(known).split("\n")
    lost = -100 * 5 / (IMAGES / 2)
    assert lines[-3:] == [
        "| variant | even | odd&#124; |", "| --- | ---: | ---: |", f"| `no-augment` | **{lost:+.1f}** | +0.0 |",
    ]  # fmt: skip
    assert classes_section(with_data(known, labels=lambda: (["one"], np.zeros(3)))) == ""


def test_of_many_classes_those_that_change_most_are_shown(found: Analysis) -> None:
    labels = np.arange(IMAGES) % 20
    right = np.zeros(IMAGES, dtype=np.uint8)
    correct = {"baseline": {0: right}, "no-augment": {0: (labels == 17).astype(np.uint8)}}
    names = [f"c{number}" for number in range(20)]
    text = classes_section(with_data(found, correct=lambda: correct, labels=lambda: (names, labels)))
    assert "The 12 of 20 classes that change most." in text
    header, row = re.findall(r"^\| (?:variant|`no-augment`) (.*) \|$", text, re.MULTILINE)
    assert dict(zip(header.split(" | "), row.split(" | "), strict=True))["c17"] == "+100.0"


def test_labels_are_found_by_the_fingerprint_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    assert cached_labels("none") is None
    dataset = open_dataset(ImageSource("digits"), 16)
    known = cached_labels(dataset.fingerprint)
    assert known is not None
    assert known[0] == dataset.classes
    assert np.array_equal(known[1], dataset.test.labels)
    assert cached_labels("other") is None


@pytest.mark.usefixtures("pictures")
def test_the_images_of_a_run_are_copied(found: Analysis, tmp_path: Path) -> None:
    assert not [plot for plot in study_plots(found) if plot.section == "batch"]
    picture = tmp_path / "batch.png"
    picture.write_bytes(b"a picture")
    study = replace(found.study, batch=lambda: picture, curves=dict)
    folder = write_report(study, tmp_path / "report").folder
    assert (folder / "figures" / "batch.png").read_bytes() == b"a picture"
    assert "](figures/batch.png)" in (folder / "report.md").read_text()


@pytest.mark.parametrize("name", FACTORS)
def test_every_factor_has_a_purpose(name: str) -> None:
    text = FACTORS[name].purpose
    assert 100 < len(text) < 500, "a paragraph in the docstring of the factor, below its summary"
    assert text.endswith(".")
    assert FACTORS[name].help not in text, "it starts below the summary"


def test_purposes_are_those_of_the_page_of_lessons(found: Analysis) -> None:
    page = (ROOT / "docs" / "lessons.md").read_text()
    page = " ".join(re.sub(r"\s*\([^()]*(?:\d{4}|He et al\.)[^()]*\)|\*", "", page).split())
    for name in FACTORS.baseline:
        text = FACTORS[name].purpose
        for part in re.split(r"(?<=\.) ", re.sub(r" \([^()]*\d{4}\)", "", text)):
            assert part.rstrip(".") in page, part
    text = purposes_section(found)
    assert "- **batch norm**: Each channel is normalised" in text
    assert "lr schedule" not in text  # not in this study
    assert purposes_section(with_data(found, purposes={})) == ""


def test_levels_have_purposes_of_their_own() -> None:
    known = FACTORS["batch_norm"].purpose
    assert purposes("resnet9", ["batch_norm"], {"batch_norm.kind": {"batch"}, "optimizer": {"muon"}}) == {
        "batch_norm": known
    }
    only = purposes("resnet9", ["batch_norm"], {"batch_norm.kind": {"group"}})
    assert [*only] == ["batch_norm.kind=group"]
    assert "within each image" in only["batch_norm.kind=group"]
    used = {"batch_norm.kind": {"group", "batch"}, "optimizer": {"sgd", "muon"}}
    both = purposes("resnet9", ["batch_norm.kind"], used)
    assert [*both] == ["optimizer=sgd", "optimizer=muon", "batch_norm.kind=batch", "batch_norm.kind=group"]
    assert both["batch_norm.kind=batch"] == known
    described = [one for one in (*WORKLOAD.settings, *FACTORS.hyperparameters) if isinstance(one.domain, OneOf)]
    assert {one.name for one in described if {*one.purposes} != {*one.domain.words}} == {"validate_on"}
