"""The data of a run, as studies and reports state it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.data import ImageSource
from ablate.workloads.dispatch import open_data
from tests.samples.layouts import named, sample_images, write_split
from tests.samples.training import recipe_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "pets"


def test_the_data_of_a_study_states_how_a_layout_was_read(folder: Path) -> None:
    recipe = recipe_of([], train_size=10)
    held_out = open_data(recipe, ImageSource(folder=write_split(folder, sample_images({"train": 10})["train"])))
    assert held_out.description == f"pets, 24 training and 6 test images (PNG); {held_out.notes[0]}"
    assert "a stratified 20% (6 images) is held out as test images" in held_out.description
    assert held_out.provenance["description"] == held_out.description
    assert held_out.provenance["flags"] == ["--data-dir", "pets"]


def test_the_flags_of_a_study_contain_its_splits(folder: Path) -> None:
    splits = "train=one,test=two"
    data = open_data(
        recipe_of([], train_size=10), ImageSource(folder=named("one", "two")(folder, sample_images()), splits=splits)
    )
    assert data.provenance["flags"] == ["--data-dir", "pets", "--splits", splits]
    assert (
        data.description == "pets, 15 training and 6 test images (PNG); training images from one, test images from two"
    )
