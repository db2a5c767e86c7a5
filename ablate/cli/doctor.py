"""`ablate doctor`: check the project, and repair the problems found."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.errors import UsageError, UserError

if TYPE_CHECKING:
    from ablate.doctor import Finding


@expand_groups
def doctor(
    store: TrackingFlags,
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair the problems found, as far as possible. Results are never deleted.")
    ] = False,
    others: Annotated[
        bool, typer.Option("--others", help="With --repair, also close runs of other machines that no longer respond.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check the store, journals, data caches, disk, versions and device.

    Examples:

      ablate doctor

      ablate doctor --repair
    """
    from ablate.doctor import DoctorContext, run_checks
    from ablate.doctor import repair as repair_project
    from ablate.tracking import Project

    if others and not repair:
        raise UsageError("--others applies to --repair. Give both")
    context = DoctorContext(Project.find(), store.tracking_uri)
    done = list(repair_project(context, others=others)) if repair else []
    findings = run_checks(context)
    problems = [finding for finding in findings if finding.state == "problem"]
    if as_json:
        facts = {"findings": [asdict(finding) for finding in findings], "problems": len(problems), "repaired": done}
        console.print_json(facts)
    else:
        for line in done or ["nothing: no problem that can be repaired"] * repair:
            console.result(f"repaired  {line}")
        for finding in findings:
            console.result(_line(finding))
    if problems:
        first = problems[0]
        rest = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise UserError(f"{first.check}{rest}: {first.text}" + (f". {first.remedy}" if first.remedy else ""))


def _line(finding: Finding) -> str:
    remedy = f" - {finding.remedy}" if finding.remedy else ""
    return f"{finding.state:<8}  {finding.check:<10}  {finding.text}{remedy}"
