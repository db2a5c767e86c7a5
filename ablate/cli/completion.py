"""What the Tab key offers: names read off declarations, folders and the first lines of journals; never off a store."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ParameterInfo

from ablate.errors import UserError
from ablate.journal.run_journal import Journals
from ablate.studies.designs import DESIGNS
from ablate.studies.settings import OneOf
from ablate.tracking import Project
from ablate.workloads.resnet9.workload import WORKLOAD

_JOURNALS = 1000
"""How many of the newest journals are read for a list of runs."""


def _starts() -> Iterable[Mapping[str, Any]]:
    """Yield the first records of the newest journals, newest first."""
    paths = Journals(Project.find().journals).paths()
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:_JOURNALS]:
        with path.open("rb") as file:
            line = file.readline()
        if line.endswith(b"\n"):
            yield json.loads(line)


def _runs() -> Iterable[str]:
    return (f"{start['variant']}/s{start['recipe']['seed']}" for start in _starts())


def _sides() -> Iterable[str]:
    for start in _starts():
        yield start["variant"]
        yield f"{start['variant']}/s{start['recipe']['seed']}"


def _studies() -> Iterable[str]:
    reports = Project.find().reports
    if reports.is_dir():
        yield from (folder.name for folder in reports.iterdir() if (folder / "report.md").is_file())
    yield from (start["study"] for start in _starts())


def _study_files() -> Iterable[str]:
    root = Project.find().root
    return (f"experiments/{path.name}" for path in (root / "experiments").glob("*.py"))


def _words(domain: OneOf) -> Callable[[], Iterable[str]]:
    return lambda: domain.words


_NAMES: Mapping[str, Callable[[], Iterable[str]]] = {
    "preset": lambda: (preset.name for preset in WORKLOAD.presets),
    "design": lambda: DESIGNS,
    "dataset": lambda: ("cifar10", "cifar100", "svhn", "fashion-mnist", "digits"),
    "device": lambda: ("auto", "cpu", "cuda", "mps"),
    "precision": lambda: ("auto", "bf16", "fp32"),
    "executor": lambda: ("serial", "processes", "ray"),
    "metric_goal": lambda: ("max", "min"),
    "file": _study_files,
    "study": _studies,
    "experiment": _studies,
    "run": _runs,
    "one": _sides,
    "other": _sides,
    **{setting.name: _words(setting.domain) for setting in WORKLOAD.settings if isinstance(setting.domain, OneOf)},
}
"""What can stand for a parameter, by its name, whichever command has it."""


def complete(app: typer.Typer) -> typer.Typer:
    """Give every parameter of an app's commands whose values are known its completion."""
    for command in app.registered_commands:
        assert command.callback is not None
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
            info = _declaration(parameter.annotation)
            if info and parameter.name in _NAMES:
                info.autocompletion = _offering(_NAMES[parameter.name])
            elif info and parameter.name == "factors":
                info.autocompletion = _factor_lists
    return app


def _declaration(annotation: Any) -> ParameterInfo | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((item for item in get_args(annotation)[1:] if isinstance(item, ParameterInfo)), None)


def _offering(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def offer(incomplete: str) -> list[str]:
        try:
            return sorted({name for name in names() if name.startswith(incomplete)})
        except (OSError, ValueError, KeyError, UserError):
            return []  # a shell that waits for the Tab key has no use for an error

    return offer


def _factor_lists(incomplete: str) -> list[str]:
    """Offer the next name of a comma-separated list of factors."""
    done, comma, begun = incomplete.rpartition(",")
    taken = done.split(",")
    return [
        f"{done}{comma}{factor.flag}"
        for factor in WORKLOAD.factors.values()
        if factor.flag.startswith(begun) and factor.flag not in taken
    ]
