"""Phrases that several commands say."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.menu import Value
from ablate.workload import Job


def not_delivered(error: Exception) -> str:
    """Return what it means that the store failed while runs are made."""
    return f"{error}; it goes on, the journals keep everything: the next command or `ablate sync` delivers it"


def scale_of(job: Job, preset: str, slots: int = 1) -> str:
    """Return the scale and the conditions of a run: `laptop: width 16, 16 epochs, ...; cpu, bf16, 2 threads`."""
    settings, conditions = job.recipe.settings, job.conditions
    threads = f"{conditions.threads} thread{'s' * (conditions.threads > 1)}"
    where = f"{conditions.device}, {conditions.precision}, {f'{slots} at a time with ' * (slots > 1)}{threads}"
    return f"{preset}: {_scale(settings, job.data.name)}; {where}"


def _scale(settings: Mapping[str, Value], data: str) -> str:
    if not {"width", "epochs", "train_size"} <= settings.keys():  # a study's own workload
        return ", ".join([*(f"{name} {value}" for name, value in settings.items()), f"on {data}"])
    images = "all" if settings["train_size"] is None else f"{settings['train_size']:,}"
    return f"width {settings['width']}, {settings['epochs']} epochs, {images} training images of {data}"
