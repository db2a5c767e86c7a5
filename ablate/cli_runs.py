"""The commands that look at runs that were made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from ablate import console
from ablate.errors import UserError
from ablate.flags import grouped
from ablate.journal import Run
from ablate.options import JsonFlag, ServerFlags, StoreFlags
from ablate.resnet9 import WORKLOAD
from ablate.tracking import Project, Tracker, masked, title
from ablate.workload import unknown


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
    same = len({_metric(run) for run in shown}) == 1
    rows = [_row(run) if same else _row(run, "score") for run in shown]
    spare = ("key", "device", "started", "scale", "experiment")
    console.table(list(rows[0]), [list(row.values()) for row in rows], spare=spare)
    if len(runs) > limit:
        console.say(f"{len(runs) - limit} older ones not shown (--limit {len(runs)})")


def _metric(run: Run) -> str:
    """Return the name of a run's headline metric in the store; older runs do not tell, and are the built-in's."""
    return run.metric or WORKLOAD.metric.tracked


def _row(run: Run, head: str = "") -> dict[str, Any]:
    """Return what is shown of a run; under `head` its score with the metric's name, else under that name."""
    name = _metric(run).removeprefix("final/").replace("/", " ").replace("_", " ")
    score = run.metrics.get(_metric(run))
    return {
        "run": title(run),
        "status": run.status,
        head or name: f"{name} {score:.4g}" if head and score is not None else score,
        "experiment": run.study,
        "scale": _scale_words(run),
        "device": f"{run.conditions.get('device', '')} {run.conditions.get('precision', '')}".strip(),
        "started": datetime.fromtimestamp(run.started).astimezone().strftime("%Y-%m-%d %H:%M"),
        "key": run.key,
    }


def _scale_words(run: Run) -> str:
    width, epochs, images = (run.params.get(name) for name in ("width", "epochs", "train_size"))
    if width is None:
        return ", ".join(f"{name} {value}" for name, value in _settings(run).items())
    return f"width {width}, {epochs} epochs" + (f", {int(images):,} images" if images else "")


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
    console.table(["", ""], [[name, _said(name, value)] for name, value in found.params.items()], title="Recipe")
    recorded = dict.fromkeys(name for row in found.history for name in row)
    usual = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr")
    columns = [name for name in ("step", *usual) if name in recorded]
    columns = list(recorded)[:8] if columns == ["step"] else columns
    history = [[row.get(name) for name in columns] for row in found.history]
    console.table(columns, history, title="History", spare=("train/accuracy", "lr"))


@grouped(WORKLOAD)
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="A run (no-augment/s0) or a variant (no-augment).")],
    other: Annotated[str, typer.Argument(metavar="B", help="What to hold against it.")],
    store: StoreFlags,
    as_json: JsonFlag = False,
) -> None:
    """Set two runs, or two variants over their seeds, side by side: what differs, then the metrics.

    Examples:
      ablate compare baseline/s0 no-augment/s0

      ablate compare baseline no-augment
    """
    tracker = store.open_current(Project.find())
    left, right = _side(one, tracker), _side(other, tracker)
    different = _differences(left[0].params, right[0].params, many=len(left) + len(right) > 2)
    metrics = _metrics(left, right)
    if as_json:
        console.emit(
            {
                "A": [title(run) for run in left],
                "B": [title(run) for run in right],
                "differs": different,
                "metrics": metrics,
            }
        )
        return
    heads = [f"A: {_name(one, left)}", f"B: {_name(other, right)}"]
    if different:
        console.table(
            ["differs", *heads], [[name, _said(name, a), _said(name, b)] for name, (a, b) in different.items()]
        )
    else:
        console.say("both have the same recipe")
    console.table(["metric", *heads, "B - A"], [[name, *values] for name, values in metrics.items()], title="")


def _said(name: str, value: Any) -> str:
    """Return a param as people say it: on or off, all where there is no limit, a dash for what a recipe lacks."""
    no_value = "all" if any(setting.optional for setting in WORKLOAD.settings if setting.name == name) else "-"
    return {"true": "on", "false": "off", "none": no_value}.get(str(value).lower(), str(value))


def _side(text: str, tracker: Tracker) -> list[Run]:
    """Return the run that `text` names, or the newest run of each seed of the variant of that name at one scale."""
    runs = [run for run in tracker.runs() if run.variant == text and run.is_result]
    if not runs:
        return [tracker.find(text)]
    scale = _scale(runs[-1])
    return list({run.seed: run for run in runs if _scale(run) == scale}.values())


def _scale(run: Run) -> tuple[Any, ...]:
    return (run.data, _metric(run), *sorted((name, str(value)) for name, value in _settings(run).items()))


def _settings(run: Run) -> dict[str, Any]:
    """Return the params that are no factors, knobs or results."""
    apart = ("seed", "code", "weights_digest")
    return {
        name: value
        for name, value in run.params.items()
        if not isinstance(value, bool) and "." not in name and name not in apart
    }


def _name(text: str, runs: Sequence[Run]) -> str:
    return title(runs[0]) if len(runs) == 1 else f"{text}, {len(runs)} seeds"


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], *, many: bool) -> dict[str, tuple[Any, Any]]:
    left_out = {"weights_digest"} | ({"seed"} if many else set())
    names = [name for name in {**one, **other} if name not in left_out]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _metrics(left: Sequence[Run], right: Sequence[Run]) -> dict[str, tuple[float, float, float]]:
    names = [name for name in left[0].metrics if name in right[0].metrics]
    means = {name: (_mean(left, name), _mean(right, name)) for name in names}
    return {name: (a, b, b - a) for name, (a, b) in means.items()}


def _mean(runs: Sequence[Run], name: str) -> float:
    values = [run.metrics.get(name, math.nan) for run in runs]
    return sum(values) / len(values)


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
    from ablate.tracking.server import serving

    project = Project.find()
    uri = project.tracking_uri(store.tracking_uri)
    console.say(f"starting the MLflow UI on {masked(uri)} ...")
    with serving(project, uri, host, port) as server:
        console.result(f"http://{host}:{port}")
        console.say("Ctrl-C ends it")
        try:
            server.wait()
        except KeyboardInterrupt:
            console.say("the UI has ended")
            return
    raise UserError(f"the MLflow UI ended by itself, with exit code {server.returncode}")
