"""Health checks of a project, its store and this machine, and repairs.

May import `runs` and everything below it.
"""

from __future__ import annotations

from ablate.doctor.checks import CHECKS, run_checks
from ablate.doctor.repair import repair
from ablate.doctor.types import DoctorContext, Finding

__all__ = ["CHECKS", "DoctorContext", "Finding", "repair", "run_checks"]
