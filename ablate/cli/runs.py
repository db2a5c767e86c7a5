"""The commands that look at runs that were made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, ServerFlags, StoreFlags
from ablate.cli.options.recipe import grouped
from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.redaction import mask_uri
from ablate.tracking import Project, run_title
from ablate.wording import count, unknown
from ablate.workflows.messages import headline, said, settings_of
from ablate.workloads.resnet9.workload import WORKLOAD


@grouped(WORKLOAD)
def list_runs(
    store: StoreFlags,
    experiment: Annotated[str | None, typer.Option(help="Only the runs of this study.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest to show.", min=1)] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List what has been run, the newest last.

    Examples:
      ablate list

      ablate list --experiment demo --limit 100
    """
    tracker = store.open_current(Project.find())
    runs = tracker.runs(experiment)
    if experiment and not runs and (known := sorted({run.study for run in tracker.runs()})):
        raise UserError(unknown("study", experiment, known))
    if as_json:
        console.emit([_row(run) for run in runs])
        return
    if not runs:
        console.say("nothing was run yet: try `ablate run --preset demo`")
        return
    shown = runs[-limit:]
    same = len({headline(run) for run in shown}) == 1
    rows = [_row(run) if same else _row(run, "score") for run in shown]
    spare = ("key", "device", "started", "scale", "experiment")
    console.table(list(rows[0]), [list(row.values()) for row in rows], spare=spare)
    if len(runs) > limit:
        console.say(f"{len(runs) - limit} older ones not shown (--limit {len(runs)})")


def _row(run: Run, head: str = "") -> dict[str, Any]:
    """Return what is shown of a run; under `head` its score with the metric's name, else under that name."""
    name = headline(run).removeprefix("final/").replace("/", " ").replace("_", " ")
    score = run.metrics.get(headline(run))
    return {
        "run": run_title(run),
        "status": run.status,
        head or name: f"{name} {score:.{console.decimals([score])}f}" if head and score is not None else score,
        "experiment": run.study,
        "scale": _scale_words(run),
        "device": f"{run.conditions.get('device', '')} {run.conditions.get('precision', '')}".strip(),
        "started": datetime.fromtimestamp(run.started).astimezone().strftime("%Y-%m-%d %H:%M"),
        "key": run.key,
    }


def _scale_words(run: Run) -> str:
    width, epochs, images = (run.params.get(name) for name in ("width", "epochs", "train_size"))
    if width is None or epochs is None:
        return ", ".join(f"{name} {value}" for name, value in settings_of(run).items())
    scale = f"width {width}, {count(int(epochs), 'epoch')}"
    return scale + (f", {int(images):,} images" if images else "")


@grouped(WORKLOAD)
def show(
    run: Annotated[str, typer.Argument(help="no-augment/s0, or the beginning of a run's key or MLflow id.")],
    store: StoreFlags,
    as_json: JsonFlag = False,
) -> None:
    """Show one run: its recipe, how it went, where it lies.

    Examples:
      ablate show no-augment/s0

      ablate show baseline/s0 --json
    """
    tracker = store.open_current(Project.find())
    found = tracker.find(run)
    facts = {
        **_row(found),
        "error": found.error,
        "run_id": tracker.identifier(found),
        "artifacts": tracker.artifact_uri(found),
        "commit": found.environment.get("commit"),
    }
    if as_json:
        console.emit({**facts, "params": found.params, "metrics": found.metrics, "history": list(found.history)})
        return
    console.table(["", ""], [[name, value] for name, value in facts.items() if value not in (None, "")])
    console.table(["", ""], [[name, said(name, value)] for name, value in found.params.items()], title="Recipe")
    recorded = dict.fromkeys(name for row in found.history for name in row)
    usual = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr")
    columns = [name for name in ("step", *usual) if name in recorded]
    columns = list(recorded)[:8] if columns == ["step"] else columns
    history = [[row.get(name) for name in columns] for row in found.history]
    console.table(columns, history, title="History", spare=("train/accuracy", "lr"))


@grouped(WORKLOAD)
def ui(
    store: ServerFlags,
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 5000,
    host: Annotated[
        str, typer.Option(help="The address to listen on; whoever reaches it can change runs.")
    ] = "127.0.0.1",
) -> None:
    """Open the MLflow UI on this project's store; Ctrl-C ends it.

    Examples:
      ablate ui

      ablate ui --port 5001
    """
    from ablate.tracking import serve_ui

    project = Project.find()
    uri = project.tracking_uri(store.tracking_uri)
    console.say(f"starting the MLflow UI on {mask_uri(uri)} ...")
    with serve_ui(project, uri, host, port) as server:
        console.result(f"http://{host}:{port}")
        console.say("Ctrl-C ends it")
        try:
            server.wait()
        except KeyboardInterrupt:
            console.say("the UI has ended")
            return
    raise UserError(f"the MLflow UI ended by itself, with exit code {server.returncode}")
