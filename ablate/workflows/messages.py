"""Descriptions of runs that several commands print."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ablate import console
from ablate.journal.run_journal import Run
from ablate.studies.conditions import IMPLEMENTATIONS
from ablate.studies.job import Job
from ablate.tracking import run_title
from ablate.wording import count
from ablate.workloads.resnet9.workload import WORKLOAD

AWAITED = "Waiting for the tracking store. Ctrl-C ends the wait, and the next command delivers the rest"
"""Shown while a command waits for the end of its delivery."""


def delivery_warning(error: Exception) -> str:
    """Return the warning for a tracking store that fails during training."""
    return f"{error}. Training continues and is recorded in the journals. The next command or `ablate sync` delivers it"


def running_already(job: Job, owner: str) -> str:
    """Return the line for a run that another process makes, before the wait for it."""
    return f"{job.recipe.title} is running already ({owner}). Waiting for its result"


def describe_scale(job: Job, preset: str, slots: int = 1) -> str:
    """Return the scale and conditions of a run, e.g. `laptop: width 16, ...; data digits; cpu, bf16, 2 threads`."""
    conditions = job.conditions
    threads = f"{conditions.threads} thread{'s' * (conditions.threads > 1)}"
    if slots > 1:
        threads = f"{slots} runs in parallel with {threads} each"
    where = f"{conditions.device}, {conditions.precision}, {'compiled, ' * conditions.compiled}{threads}"
    settings = job.recipe.workload.scale_of(job.recipe.settings) or "no settings"
    return f"{preset}: {settings}; data {job.data.name}; {where}"


def describe_progress(run: Run, title: str) -> str:
    """Return the progress of a run for the live view, e.g. `running  no-augment/s3  epoch 4/16  val/accuracy 0.71`."""
    last = run.history[-1] if run.history else {}
    common = [name for name in ("train/loss", "val/accuracy") if name in last]
    others = [name for name in last if name != "step"]
    metrics = [f"{name} {last[name]:.4g}" for name in common or others[:2]]
    return "  ".join(["  running", title, _position(run, last), *metrics])


def _position(run: Run, last: Mapping[str, float]) -> str:
    epochs = run.params.get("epochs")
    if not last:
        return "starting"
    return f"epoch {last['step']:.0f}/{epochs}" if epochs else f"step {last['step']:.0f}"


def format_parameter(name: str, value: Any) -> str:
    """Return a parameter's value for display: `on`, `off`, `all` for no limit, `-` if the recipe lacks it."""
    no_value = "all" if any(setting.optional for setting in WORKLOAD.settings if setting.name == name) else "-"
    return {"true": "on", "false": "off", "none": no_value}.get(str(value).lower(), str(value))


def settings_of(run: Run) -> dict[str, Any]:
    """Return the parameters of a run that are neither factors, hyperparameters nor results."""
    others = ("seed", "code", "weights_digest", IMPLEMENTATIONS)
    return {
        name: value
        for name, value in WORKLOAD.completed(run.params).items()
        if not isinstance(value, bool) and "." not in name and name not in others
    }


def headline_metric(run: Run) -> str:
    """Return the tracked name of a run's headline metric: if not recorded (older versions), the built-in workload's."""
    return run.metric or WORKLOAD.metric.tracked


def run_row(run: Run, heading: str = "") -> dict[str, Any]:
    """Return the columns of a run. The score has its metric's name as heading, or in the cell under `heading`."""
    name = headline_metric(run).removeprefix("final/").replace("/", " ").replace("_", " ")
    score = run.metrics.get(headline_metric(run))
    return {
        "run": run_title(run),
        "status": run.status,
        heading or name: f"{name} {score:z.{console.decimals([score])}f}" if heading and score is not None else score,
        "experiment": run.study,
        "scale": _describe_settings(run),
        "device": f"{run.conditions.get('device', '')} {run.conditions.get('precision', '')}".strip(),
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started)),  # of any time zone
        "key": run.key or run.name,  # of other programs' runs: MLflow's identifier
    }


def _describe_settings(run: Run) -> str:
    width, epochs, images = (run.params.get(name) for name in ("width", "epochs", "train_size"))
    if type(width) is not int or type(epochs) is not int:
        return ", ".join(f"{name} {value}" for name, value in settings_of(run).items())
    scale = f"width {width}, {count(epochs, 'epoch')}"
    return scale + (f", {images:,} images" if type(images) is int and images else "")
