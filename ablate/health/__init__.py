"""Whether all is well with a project, its store and this machine; and mending what is not."""

from __future__ import annotations

from ablate.health.examination import CHECKS, examine
from ablate.health.mending import mend
from ablate.health.nouns import Finding, Surroundings

__all__ = ["CHECKS", "Finding", "Surroundings", "examine", "mend"]
