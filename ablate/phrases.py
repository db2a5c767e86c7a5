"""Phrases that several commands say."""

from __future__ import annotations

from ablate.workload import Job


def not_delivered(error: Exception) -> str:
    """Return what it means that the store failed while runs are made."""
    return f"{error}; training goes on, the journals keep everything, the next command or `ablate sync` delivers it"


def scale_of(job: Job, preset: str, slots: int = 1) -> str:
    """Return the scale and the conditions of a run: `laptop: width 16, ...; data digits; cpu, bf16, 2 threads`."""
    conditions = job.conditions
    threads = f"{conditions.threads} thread{'s' * (conditions.threads > 1)}"
    where = f"{conditions.device}, {conditions.precision}, {f'{slots} at a time with ' * (slots > 1)}{threads}"
    settings = job.recipe.workload.scale_of(job.recipe.settings) or "no settings"
    return f"{preset}: {settings}; data {job.data.name}; {where}"
