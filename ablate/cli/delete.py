"""`ablate delete`: delete runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ablate import console
from ablate.cli.options.common import TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.errors import UsageError
from ablate.wording import count


@expand_groups
def delete(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="VARIANT/sSEED, or the start of a key or MLflow id."),
    ],
    store: TrackingFlags,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete runs with their artifacts, journals, weights and checkpoints.

    Examples:
      ablate delete no-augment/s0

      ablate delete 6226cb8375d9 --yes
    """
    from ablate.journal.run_journal import Journals
    from ablate.tracking import Project, delete_run, plan_deletion, run_title

    project = Project.find()
    tracker, journals = store.open(project, only_reads=True), Journals(project.journals)
    planned = [plan_deletion(text, tracker, journals) for text in runs]
    deletions = {deletion.run.name: deletion for deletion in planned}.values()
    for one in deletions:
        console.info(f"{run_title(one.run)}, {one.run.status}, {one.run.name}")
        for line in one.losses:
            console.warning(line)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Cannot ask for confirmation without a terminal. --yes deletes without asking")
        if not typer.confirm(f"Permanently delete {count(len(deletions), 'run')}?", err=True):
            console.info("Nothing was deleted")
            return
    for one in deletions:
        delete_run(one, tracker, journals)
        console.result(f"Deleted {run_title(one.run)}")
