"""`ablate sync`: deliver journals to the store, those of this project or of another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.errors import UserError
from ablate.wording import count

if TYPE_CHECKING:
    from ablate.tracking import SyncResult


@expand_groups
def sync(
    store: TrackingFlags,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Project, its mlruns/, or a folder of journals to import.",
            show_default="this project",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Deliver runs and studies recorded offline or elsewhere to MLflow.

    Repeating the command changes nothing; an interrupted delivery is resumed.

    Examples:

      ablate sync

      ablate sync /media/stick/project

      ablate sync reports/example
    """
    from ablate.tracking import Project, UnreachableError, sync_journals

    if folder and not folder.is_dir():
        raise UserError(f"Folder not found: {folder}")
    project = Project.find()
    tracker = store.open(project)
    try:
        found = sync_journals(folder, project, tracker)
    except UnreachableError as error:
        raise UserError(f"{error}. All records are in the journals. Repeat the command to deliver them") from None
    if as_json:
        console.print_json(_facts(found, folder or project.root, tracker.uri))
    else:
        _say(found, tracker.uri)
    if found.refused:
        raise UserError(f"{len(found.refused)} could not be delivered. The first: {found.refused[0]}")


def _facts(found: SyncResult, source: Path, uri: str) -> dict[str, Any]:
    return {
        "source": str(source),
        "new": len(found.new),
        "already_there": len(found.known),
        "running": len(found.running),
        "damaged": found.damaged,
        "studies": found.studies,
        "runs": found.new,
        "tracking_uri": uri,
    }


def _say(found: SyncResult, uri: str) -> None:
    studies = f"; studies: {', '.join(found.studies)}" if found.studies else ""
    console.result(
        f"Runs: {len(found.new)} new, {len(found.known)} already present, {len(found.running)} still running, "
        f"{len(found.damaged)} damaged{studies}; in {uri}"
    )
    hosts = sorted(set(found.running.values()))
    if hosts:
        console.info(
            f"Imported the records so far of {count(len(found.running), 'unfinished run')} (on {', '.join(hosts)}). "
            "Repeat the command when they have finished"
        )
    for name, reason in list(found.damaged.items())[:5]:
        console.warning(f"Skipped {name}: {reason}")
