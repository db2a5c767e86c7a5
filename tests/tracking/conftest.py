"""Two projects, of which one imports the runs of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.tracking import Project
from tests.samples.tracking import new_project


@pytest.fixture
def there(tmp_path: Path) -> Project:
    """The project that made the runs."""
    return new_project(tmp_path / "there")


@pytest.fixture
def here(tmp_path: Path) -> Project:
    """The project that imports them."""
    return new_project(tmp_path / "here")
