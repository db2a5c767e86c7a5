"""The list of checks. An error that stops a check is a finding, too."""

from __future__ import annotations

from collections.abc import Callable

from ablate.doctor.leftovers import check_journals, check_leftovers
from ablate.doctor.machine import check_caches, check_device, check_disk, check_package, check_versions
from ablate.doctor.store import check_delivery, check_orphans, check_store, check_writable
from ablate.doctor.types import DoctorContext, Finding
from ablate.errors import UserError, explain

CHECKS: dict[str, Callable[[DoctorContext], list[Finding]]] = {
    "folder": check_writable,
    "store": check_store,
    "journals": check_journals,
    "delivery": check_delivery,
    "orphans": check_orphans,
    "leftovers": check_leftovers,
    "data cache": check_caches,
    "disk": check_disk,
    "package": check_package,
    "versions": check_versions,
    "device": check_device,
}
"""Every check by its name, in the order in which they run."""


def run_checks(context: DoctorContext) -> list[Finding]:
    """Return the findings of every check; a store that fails is reported once."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            found += check(context)
        except UserError as error:
            if str(error) not in {finding.text for finding in found}:
                found.append(Finding(name, "problem", str(error)))
        except OSError as error:
            found.append(Finding(name, "problem", explain(error)))
    return found
