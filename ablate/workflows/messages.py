"""Phrases that several commands say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.journal.run_journal import Run
from ablate.studies.job import Job
from ablate.workloads.resnet9.workload import WORKLOAD


def not_delivered(error: Exception) -> str:
    """Return what it means that the store failed while runs are made."""
    return f"{error}; training goes on, the journals keep everything, the next command or `ablate sync` delivers it"


def scale_of(job: Job, preset: str, slots: int = 1) -> str:
    """Return the scale and the conditions of a run: `laptop: width 16, ...; data digits; cpu, bf16, 2 threads`."""
    conditions = job.conditions
    threads = f"{conditions.threads} thread{'s' * (conditions.threads > 1)}"
    how = f"{conditions.precision}, {'compiled, ' * conditions.compiled}"
    where = f"{conditions.device}, {how}{f'{slots} at a time with ' * (slots > 1)}{threads}"
    settings = job.recipe.workload.scale_of(job.recipe.settings) or "no settings"
    return f"{preset}: {settings}; data {job.data.name}; {where}"


def running_row(run: Run) -> str:
    """Return how far a run is, for the live view: `running  no-augment/s3  epoch 4/16  val/accuracy 0.71`."""
    last = run.history[-1] if run.history else {}
    usual = [name for name in ("train/loss", "val/accuracy") if name in last]
    others = [name for name in last if name != "step"]
    shown = [f"{name} {last[name]:.4g}" for name in usual or others[:2]]
    return "  ".join(["  running", f"{run.variant}/s{run.seed}", _place(run, last), *shown])


def _place(run: Run, last: Mapping[str, float]) -> str:
    epochs = run.params.get("epochs")
    if not last:
        return "starting"
    return f"epoch {last['step']:.0f}/{epochs}" if epochs else f"step {last['step']:.0f}"


def said(name: str, value: Any) -> str:
    """Return a param as people say it: on or off, all where there is no limit, a dash for what a recipe lacks."""
    no_value = "all" if any(setting.optional for setting in WORKLOAD.settings if setting.name == name) else "-"
    return {"true": "on", "false": "off", "none": no_value}.get(str(value).lower(), str(value))


def settings_of(run: Run) -> dict[str, Any]:
    """Return the params that are no factors, knobs or results."""
    apart = ("seed", "code", "weights_digest")
    return {
        name: value
        for name, value in run.params.items()
        if not isinstance(value, bool) and "." not in name and name not in apart
    }


def headline(run: Run) -> str:
    """Return the name of a run's headline metric in the store; older runs do not tell, and are the built-in's."""
    return run.metric or WORKLOAD.metric.tracked
