"""The command that looks for what is wrong and mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.errors import UsageError, UserError
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.doctor import Finding


@grouped(WORKLOAD)
def doctor(
    store: StoreFlags,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended; nothing of value is removed.")
    ] = False,
    others: Annotated[
        bool, typer.Option("--others", help="With --repair: close silent runs of other machines, too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Look whether all is well: store, journals, runs that nobody runs, data caches, disk, versions, device.

    Examples:

      ablate doctor

      ablate doctor --repair
    """
    from ablate.doctor import Surroundings, examine, mend
    from ablate.tracking import Project

    if others and not repair:
        raise UsageError("--others says what --repair may do: give both")
    here = Surroundings(Project.find(), store.tracking_uri)
    done = list(mend(here, others=others)) if repair else []
    findings = examine(here)
    problems = [finding for finding in findings if finding.state == "problem"]
    if as_json:
        facts = {"findings": [asdict(finding) for finding in findings], "problems": len(problems), "repaired": done}
        console.emit(facts)
    else:
        for line in done or ["nothing: there was nothing to mend"] * repair:
            console.result(f"repaired  {line}")
        for finding in findings:
            console.result(_line(finding))
    if problems:
        first = problems[0]
        rest = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise UserError(f"{first.check}{rest}: {first.text}" + (f": {first.remedy}" if first.remedy else ""))


def _line(finding: Finding) -> str:
    remedy = f" - {finding.remedy}" if finding.remedy else ""
    return f"{finding.state:<8}  {finding.check:<10}  {finding.text}{remedy}"
