"""The command that brings in what was recorded elsewhere, and delivers what waits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.errors import UserError
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.tracking import SyncResult


@grouped(WORKLOAD)
def sync(
    store: StoreFlags,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Another project, its mlruns, or a folder of journals; this project's own unless given.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring in runs and studies recorded elsewhere or offline, and deliver what MLflow does not have yet.

    However often it is called, everything is there once; what was cut off in the middle goes on.

    Examples:

      ablate sync

      ablate sync /media/stick/project

      ablate sync reports/demo
    """
    from ablate.tracking import Project, UnreachableError, sync_journals

    if folder and not folder.is_dir():
        raise UserError(f"there is no folder {folder} to bring journals from")
    project = Project.find()
    tracker = store.open(project)
    try:
        found = sync_journals(folder, project, tracker)
    except UnreachableError as error:
        raise UserError(f"{error}; the journals keep everything, the same command delivers it later") from None
    if as_json:
        console.emit(_facts(found, folder or project.root, tracker.uri))
    else:
        _say(found, tracker.uri)
    if found.refused:
        raise UserError(f"{len(found.refused)} could not be delivered, the first: {found.refused[0]}")


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
        f"runs: {len(found.new)} new, {len(found.known)} already there, {len(found.running)} still running, "
        f"{len(found.damaged)} damaged{studies}; in {uri}"
    )
    hosts = sorted(set(found.running.values()))
    if hosts:
        console.say(
            f"{len(found.running)} runs have no end yet (on {', '.join(hosts)}); they are here as far as they are, "
            "sync again when they have ended"
        )
    for name, reason in list(found.damaged.items())[:5]:
        console.warn(f"{name} is left out: {reason}")
