"""`ablate list`, `ablate show` and `ablate ui`: inspect recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import JsonFlag, StoreFlags, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.errors import UserError
from ablate.wording import count, listed, unknown

if TYPE_CHECKING:
    from ablate.tracking import Project, Tracker

MOST_EXPERIMENTS = 20
"""Experiments of other programs that are looked into."""


@expand_groups
def list_runs(
    store: TrackingFlags,
    experiment: Annotated[
        str | None, typer.Option(help="List the runs of this study only.", metavar="NAME", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="Number of the newest runs to list.", min=1)] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List recorded runs, newest last, and jobs on a Slurm cluster.

    Examples:
      ablate list

      ablate list --experiment demo --limit 100
    """
    from ablate.tracking import Project, file_store_advice
    from ablate.workflows.cluster_jobs import jobs_of, print_jobs
    from ablate.workflows.messages import headline_metric, run_row

    project = Project.find()
    tracker = store.open_current(project)
    if project.old_file_store and not project.is_new and not store.tracking_uri:
        console.warn_once(file_store_advice(project.old_file_store))
    runs = tracker.runs(experiment)
    if experiment and not runs:
        _check_experiment(experiment, tracker)
    if as_json:
        console.print_json([*map(run_row, runs), *(job.as_json() for job in jobs_of(project))])
        return
    if not runs:
        print_jobs(project)
        console.info(_empty_list(project, tracker, experiment))
        return
    shown = runs[-limit:]
    same = len({headline_metric(run) for run in shown}) == 1
    rows = [run_row(run) if same else run_row(run, "score") for run in shown]
    optional = ("key", "device", "started", "scale", "experiment")
    console.table(list(rows[0]), [list(row.values()) for row in rows], optional=optional)
    if len(runs) > limit:
        console.info(f"{len(runs) - limit} older runs not shown (--limit {len(runs)} shows them)")
    print_jobs(project)


def _empty_list(project: Project, tracker: Tracker, experiment: str | None) -> str:
    """Return why a list has no runs, and where there are some."""
    from ablate.journal.run_journal import Journals

    if experiment:
        return "No runs yet. Start with `ablate run --preset demo`"
    if others := [name for name in tracker.experiments()[:MOST_EXPERIMENTS] if tracker.runs(name)]:
        return f"No runs of ablate. Experiments of other programs (--experiment NAME): {listed(others)}"
    if waiting := len(Journals(project.journals).paths()):
        delivery = f"The journals have {count(waiting, 'run')}: `ablate sync` delivers them"
        return f"No runs in {tracker.uri}. {delivery}"
    return "No runs yet. Start with `ablate run --preset demo`"


def _check_experiment(name: str, tracker: Tracker) -> None:
    """Raise UserError for an experiment that does not exist, with the names of the studies, or else of experiments."""
    if studies := sorted({run.study for run in tracker.runs()}):
        raise UserError(unknown("study", name, studies))
    experiments = tracker.experiments()
    if experiments and name not in experiments:
        raise UserError(unknown("experiment", name, experiments))


@expand_groups
def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Run: VARIANT/sSEED, or the start of its key or MLflow id.")
    ],
    store: TrackingFlags,
    as_json: JsonFlag = False,
) -> None:
    """Show one run: recipe, metrics, history and artifacts.

    Examples:
      ablate show no-augment/s0

      ablate show baseline/s0 --json
    """
    from ablate.tracking import Project
    from ablate.workflows.compare_runs import find_named_run
    from ablate.workflows.messages import format_parameter, run_row

    tracker = store.open_current(Project.find())
    found = find_named_run(run, tracker)
    facts = {
        **run_row(found),
        "error": found.error,
        "run_id": tracker.identifier(found),
        "artifacts": tracker.artifact_uri(found),
        "commit": found.environment.get("commit"),
    }
    if as_json:
        console.print_json({**facts, "params": found.params, "metrics": found.metrics, "history": list(found.history)})
        return
    console.table(["", ""], [[name, value] for name, value in facts.items() if value not in (None, "")])
    console.table(
        ["", ""], [[name, format_parameter(name, value)] for name, value in found.params.items()], title="Recipe"
    )
    recorded = dict.fromkeys(name for row in found.history for name in row)
    usual = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr")
    columns = [name for name in ("step", *usual) if name in recorded]
    columns = list(recorded)[:8] if columns == ["step"] else columns
    history = [[row.get(name) for name in columns] for row in found.history]
    console.table(columns, history, title="History", optional=("train/accuracy", "lr"))


@expand_groups
def ui(
    store: StoreFlags,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="Study whose runs to show, or `ablate` for single runs. Default: the last one that was active.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Anyone who can connect can change runs.")
    ] = "127.0.0.1",
) -> None:
    """Serve the MLflow UI of this project until Ctrl-C, and print the address of a study's runs.

    Examples:
      ablate ui

      ablate ui demo --port 5001
    """
    from ablate.redaction import mask_uri
    from ablate.tracking import Project, is_local_host, serve_ui

    project = Project.find()
    uri = project.reading_uri(store.tracking_uri)
    page = _page(project, store.tracking_uri, study)
    if uri.startswith(("http://", "https://")):
        console.info("The tracking server has its own UI:")
        console.result(f"{mask_uri(uri).rstrip('/')}/{page}")
        return
    if not is_local_host(host):
        console.warning(
            f"The UI has no login: anyone who can reach {host}:{port} can read, change and delete runs. Omit --host to "
            "serve this machine only"
        )
    console.info(f"Starting the MLflow UI on {mask_uri(uri)} ...")
    try:
        with serve_ui(project, uri, host, port) as server:
            console.result(f"http://{host}:{port}/{page}")
            console.info("Press Ctrl-C to stop")
            server.wait()
    except KeyboardInterrupt:
        console.info("Stopped the MLflow UI")
        return
    raise UserError(f"The MLflow UI exited with code {server.returncode}")


def _page(project: Project, tracking_uri: str | None, study: str | None) -> str:
    """Return the page of a study's runs, after delivering the records that earlier commands could not deliver."""
    from ablate.tracking import catch_up, open_tracker
    from ablate.workflows.runs_page import runs_page
    from ablate.workflows.store import warn_refused

    tracker = open_tracker(project, tracking_uri, only_reads=True)
    warn_refused(catch_up(tracker, project))
    return runs_page(tracker, study)
