"""The command that removes runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.errors import UsageError
from ablate.workloads.resnet9.workload import WORKLOAD


@grouped(WORKLOAD)
def delete(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="no-augment/s0, or the beginning of a key or MLflow id.")
    ],
    store: StoreFlags,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs: from MLflow, with artifacts, journal, weights and checkpoint.

    Examples:
      ablate delete no-augment/s0

      ablate delete 6226cb8375d9 --yes
    """
    from ablate.journal.run_journal import Journals
    from ablate.tracking import Project, delete_run, plan_deletion, run_title

    project = Project.find()
    tracker, journals = store.open(project), Journals(project.journals)
    planned = [plan_deletion(text, tracker, journals) for text in runs]
    deletions = {deletion.run.name: deletion for deletion in planned}.values()
    for one in deletions:
        console.say(f"{run_title(one.run)}, {one.run.status}, {one.run.name}")
        for line in one.losses:
            console.warn(line)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to be asked: --yes removes without asking")
        if not typer.confirm(f"Remove {len(deletions)} run{'s' * (len(deletions) > 1)} for good?", err=True):
            console.say("nothing was removed")
            return
    for one in deletions:
        delete_run(one, tracker, journals)
        console.result(f"removed {run_title(one.run)}")
