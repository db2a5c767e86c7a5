"""Command-line flags made from declarations.

A factor, knob or setting that is declared on a menu has its flag. A command takes groups of flags as one value each: a
parameter of type `Selection` stands for the flags of a workload, one whose type is a dataclass for its fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Setting, Value
from ablate.studies.workload import Workload

_ALL = "all"
"""The word for no limit, where a setting is optional."""


@dataclass(frozen=True)
class Selection:
    """What the flags asked for: factors switched, values given; nothing for what was left alone."""

    workload: Workload
    switches: Mapping[str, bool]
    values: Mapping[str, Value]

    def recipe(self, preset: str, seed: int = 0) -> Recipe:
        """Return the preset's recipe with what the flags ask for. Raises UsageError for what does not fit together."""
        on = set(self.workload.factors.baseline)
        on |= {name for name, is_on in self.switches.items() if is_on}
        on -= {name for name, is_on in self.switches.items() if not is_on}
        return Recipe.of(self.workload, on, {**self.workload.preset(preset).settings, **self.values}, seed)

    def check(self, workload: Workload) -> None:
        """Raise UsageError for a flag that means nothing to `workload`, which a study brings."""
        known = {*workload.factors, *(setting.name for setting in workload.settings)}
        known |= {setting.name for setting in workload.factors.hyperparameters}
        for name in (*self.switches, *self.values):
            if name not in known:
                flag = f"--{'no-' * (self.switches.get(name) is False)}{name.replace('.', '-').replace('_', '-')}"
                raise UsageError(
                    f"{flag} is for {self.workload.name}, and this study trains {workload.name}: --factors chooses "
                    f"among {', '.join(workload.factors)}; on=, off= and values= in the study's file change the rest"
                )


@dataclass(frozen=True)
class _Group:
    """Flags that a command receives as one value."""

    parameters: tuple[inspect.Parameter, ...]
    gather: Callable[[Mapping[str, Any]], Any]


def grouped(workload: Workload) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Spread the groups among a command's parameters into flags, and gather them again when it is called."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        signature = inspect.signature(command)
        groups = {name: group for name in signature.parameters if (group := _group(hints[name], workload))}
        spread = [
            spelled
            for name, parameter in signature.parameters.items()
            for spelled in (groups[name].parameters if name in groups else (parameter.replace(annotation=hints[name]),))
        ]

        @wraps(command)
        def with_groups(**given: Any) -> None:
            gathered = {
                name: group.gather({parameter.name: given.pop(parameter.name) for parameter in group.parameters})
                for name, group in groups.items()
            }
            command(**given, **gathered)

        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in spread]
        with_groups.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]  # typer reads it
        with_groups.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
        return with_groups

    return decorate


def _group(kind: Any, workload: Workload) -> _Group | None:
    if kind is Selection:
        return _Group(tuple(_recipe_parameters(workload)), lambda given: _selection(workload, given))
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return None
    hints = get_type_hints(kind, include_extras=True)
    parameters = tuple(
        inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name])
        for item in fields(kind)
    )
    return _Group(parameters, lambda given: kind(**given))


def _recipe_parameters(workload: Workload) -> Iterator[inspect.Parameter]:
    for factor in workload.factors.values():
        panel = "Factors, on in the baseline" if factor.in_baseline else "Candidate factors, off unless asked for"
        flags = f"--{factor.flag}/--no-{factor.flag}"
        option = typer.Option(flags, help=f"{factor.help}.", rich_help_panel=panel, show_default=False)
        yield _parameter(factor.name, bool | None, option)
    for setting in workload.factors.hyperparameters:
        text = f"{_domain(setting)}; {setting.default} unless given."
        yield _value_parameter(setting, text, "Hyperparameters of factors that are on")
    for setting in workload.settings:
        text = f"{setting.help[0].upper()}{setting.help[1:]} ({_domain(setting)})."
        yield _value_parameter(setting, text, "Settings, shared by all arms; the preset fills in")


def _value_parameter(setting: Setting, text: str, panel: str) -> inspect.Parameter:
    flag = "--" + setting.name.replace(".", "-").replace("_", "-")
    metavar = {int: "INTEGER", float: "NUMBER", str: "WORD"}[setting.kind] + ("|all" if setting.optional else "")
    option = typer.Option(
        flag, help=text, rich_help_panel=panel, show_default=False, parser=_parser(setting), metavar=metavar
    )
    return _parameter(_identifier(setting), str | None, option)


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _identifier(setting: Setting) -> str:
    return setting.name.replace(".", "__")


def _domain(setting: Setting) -> str:
    if isinstance(setting.domain, OneOf):
        return ", ".join(setting.domain.words)
    if setting.kind is int:
        return f"{setting.domain.low:,} to {setting.domain.high:,}"
    return f"{setting.domain.low:g} to {setting.domain.high:g}"


def _parser(setting: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if setting.optional and text == _ALL:
            return _ALL
        try:
            return setting.kind(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {'an integer' if setting.kind is int else 'a number'}") from None

    return parse


def _selection(workload: Workload, given: Mapping[str, Any]) -> Selection:
    declared = (*workload.factors.hyperparameters, *workload.settings)
    values = {setting.name: given[_identifier(setting)] for setting in declared}
    switches = {name: given[name] for name in workload.factors if given[name] is not None}
    chosen = {name: None if value == _ALL else value for name, value in values.items() if value is not None}
    return Selection(workload, switches, chosen)
