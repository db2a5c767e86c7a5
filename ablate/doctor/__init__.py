"""Whether all is well with a project, its store and this machine; and mending what is not."""

from __future__ import annotations

from ablate.doctor.checks import CHECKS, examine
from ablate.doctor.repair import mend
from ablate.doctor.types import Finding, Surroundings

__all__ = ["CHECKS", "Finding", "Surroundings", "examine", "mend"]
