"""Shell completion of option values and arguments.

Names come from declarations, folders and the first lines of journals. The store is never opened: that would take too
long for a Tab key.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer
from typer.models import ParameterInfo

from ablate.cli.options import names
from ablate.errors import UserError
from ablate.studies.settings import OneOf
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.tracking import Project

_JOURNALS = 1000
"""Number of journals, newest first, that are read for a list of runs."""


def _project() -> Project:
    from ablate.tracking import Project  # not needed for the help

    return Project.find()


def _starts() -> Iterable[Mapping[str, Any]]:
    """Yield the first records of the newest journals, newest first."""
    from ablate.journal.run_journal import Journals

    paths = Journals(_project().journals).paths()
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
    reports = _project().reports
    if reports.is_dir():
        yield from (folder.name for folder in reports.iterdir() if (folder / "report.md").is_file())
    yield from (start["study"] for start in _starts())


def _study_files() -> Iterable[str]:
    root = _project().root
    return (f"experiments/{path.name}" for path in (root / "experiments").glob("*.py"))


def _words(domain: OneOf) -> Callable[[], Iterable[str]]:
    return lambda: domain.words


_VALUES: Mapping[str, Callable[[], Iterable[str]]] = {
    "preset": lambda: names.PRESETS,
    "design": lambda: names.DESIGN_NAMES,
    "dataset": lambda: names.DATASETS,
    "device": lambda: names.DEVICES,
    "precision": lambda: names.PRECISIONS,
    "executor": lambda: names.EXECUTORS,
    "metric_goal": lambda: names.GOALS,
    "file": _study_files,
    "study": _studies,
    "experiment": _studies,
    "run": _runs,
    "one": _sides,
    "other": _sides,
    **{
        setting.name.replace(".", "__"): _words(setting.domain)
        for setting in (*WORKLOAD.settings, *WORKLOAD.factors.hyperparameters)
        if isinstance(setting.domain, OneOf)
    },
}
"""Possible values by the name of the parameter, the same in all commands."""


def complete(app: typer.Typer) -> typer.Typer:
    """Add completion to the parameters of an app's commands whose values are known."""
    for command in app.registered_commands:
        assert command.callback is not None
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
            info = _declaration(parameter.annotation)
            if info and parameter.name in _VALUES:
                info.autocompletion = _completer(_VALUES[parameter.name])
            elif info and parameter.name in _LISTS:
                info.autocompletion = _LISTS[parameter.name]
    return app


def _declaration(annotation: Any) -> ParameterInfo | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((item for item in get_args(annotation)[1:] if isinstance(item, ParameterInfo)), None)


def _completer(values: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete_value(incomplete: str) -> list[str]:
        try:
            return sorted({value for value in values() if value.startswith(incomplete)})
        except (OSError, ValueError, KeyError, UserError):
            return []  # a shell cannot show an error here

    return complete_value


def _factor_lists(incomplete: str) -> list[str]:
    """Complete the last name of a comma-separated list of factors."""
    done, comma, begun = incomplete.rpartition(",")
    taken = done.split(",")
    return [
        f"{done}{comma}{factor.flag}"
        for factor in WORKLOAD.factors.values()
        if factor.flag.startswith(begun) and factor.flag not in taken
    ]


def _varied(incomplete: str) -> list[str]:
    """Complete the last name of a setting or hyperparameter, or the last word of the values."""
    known = {setting.name: setting for setting in (*WORKLOAD.settings, *WORKLOAD.factors.hyperparameters)}
    given, equals, values = incomplete.partition("=")
    if not equals:
        done, comma, begun = given.rpartition(",")
        return [f"{done}{comma}{one}=" for one in known if one.startswith(begun) and one not in done.split(",")]
    names, (done, comma, begun) = given.split(","), values.rpartition(",")
    former, colon, begun = begun.rpartition(":")
    place = len(former.split(":")) if colon else 0
    domain = known[names[place]].domain if place < len(names) and names[place] in known else None
    words = domain.words if isinstance(domain, OneOf) else ()
    start = f"{given}={done}{comma}{former}{colon}"
    taken = done.split(",") if len(names) == 1 else ()
    return [f"{start}{word}" for word in words if word.startswith(begun) and word not in taken]


_LISTS: Mapping[str, Callable[[str], list[str]]] = {"factors": _factor_lists, "vary": _varied}
"""Completion of parameters that take lists."""
