"""Options of a recipe, made from the declarations of factors, hyperparameters and settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import typer

from ablate.cli.options import panels
from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Setting, Value
from ablate.studies.workload import Workload
from ablate.wording import alternatives
from ablate.workloads.resnet9.workload import WORKLOAD

NO_LIMIT = "all"
"""The option value for no limit, where a setting is optional."""

_METAVARS = {int: "INT", float: "FLOAT", str: "NAME"}


@dataclass(frozen=True)
class RecipeFlags:
    """Factors that the command line switches on or off, and values that it changes."""

    switches: Mapping[str, bool]
    values: Mapping[str, Value]

    @classmethod
    def option_parameters(cls) -> Sequence[inspect.Parameter]:
        """Return an option for each factor, hyperparameter and setting of the built-in workload."""
        parameters = []
        for factor in WORKLOAD.factors.values():
            panel = panels.FACTORS if factor.in_baseline else panels.CANDIDATES
            switch = f"--{factor.flag}/--no-{factor.flag}"
            option = typer.Option(switch, help=f"{factor.help}.", rich_help_panel=panel, show_default=False)
            parameters.append(_parameter(factor.name, bool | None, option))
        for setting, text, panel in (
            *((one, _hyperparameter_text(one), panels.HYPERPARAMETERS) for one in WORKLOAD.factors.hyperparameters),
            *((one, _setting_text(one), panels.SETTINGS) for one in WORKLOAD.settings),
        ):
            parameters.append(_value_parameter(setting, text, panel))
        return parameters

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> Self:
        """Return the switches and values that were given."""
        declared = (*WORKLOAD.factors.hyperparameters, *WORKLOAD.settings)
        given = {setting.name: values[_identifier(setting)] for setting in declared}
        return cls(
            {name: values[name] for name in WORKLOAD.factors if values[name] is not None},
            {name: None if value == NO_LIMIT else value for name, value in given.items() if value is not None},
        )

    def recipe(self, preset: str, seed: int = 0) -> Recipe:
        """Return the preset's recipe with these changes. Raises UsageError for changes that contradict each other."""
        on = set(WORKLOAD.factors.baseline)
        on |= {name for name, is_on in self.switches.items() if is_on}
        on -= {name for name, is_on in self.switches.items() if not is_on}
        return Recipe.of(WORKLOAD, on, {**WORKLOAD.preset(preset).settings, **self.values}, seed)

    def check(self, workload: Workload) -> None:
        """Raise UsageError for an option that a study's own workload does not have."""
        settings = (*workload.settings, *workload.factors.hyperparameters)
        known = {*workload.factors, *(setting.name for setting in settings)}
        for name in (*self.switches, *self.values):
            if name not in known:
                prefix = "no-" if self.switches.get(name) is False else ""
                factors = ", ".join([*workload.factors, *workload.level_factors])
                raise UsageError(
                    f"--{prefix}{option_name(name)} applies to {WORKLOAD.name}, but this study trains {workload.name}. "
                    f"Choose factors with --factors ({factors}); change the rest by on=, off= "
                    "and values= in the study file"
                )


def _value_parameter(setting: Setting, text: str, panel: str) -> inspect.Parameter:
    option = typer.Option(
        f"--{option_name(setting.name)}",
        help=text,
        rich_help_panel=panel,
        show_default=False,
        parser=_parser(setting),
        metavar=_METAVARS[setting.kind] + (f"|{NO_LIMIT}" if setting.optional else ""),
    )
    return _parameter(_identifier(setting), str | None, option)


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _identifier(setting: Setting) -> str:
    return setting.name.replace(".", "__")


def option_name(name: str) -> str:
    """Return the name of an option without its dashes: `dropout-p` for `dropout.p`."""
    return name.replace(".", "-").replace("_", "-")


def _setting_text(setting: Setting) -> str:
    """Return the help of a setting, with the values that it can take."""
    text = setting.help[0].upper() + setting.help[1:]
    if isinstance(setting.domain, OneOf):
        return f"{text}: {alternatives(setting.domain.words)}."
    return f"{text}.  [{_range(setting)}]"


def _hyperparameter_text(setting: Setting) -> str:
    """Return the help of a hyperparameter, with its default. Its name alone describes most numbers."""
    if setting.kind is str:
        return f"{_setting_text(setting)}  [default: {setting.default}]"
    text = f"{_range(setting)}.  [default: {setting.default:g}]"
    return f"{setting.help[0].upper()}{setting.help[1:]}: {text}" if setting.help else text


def _range(setting: Setting) -> str:
    """Return the range of a number: `1 to 1,024`."""
    assert not isinstance(setting.domain, OneOf)
    form = ",d" if setting.kind is int else "g"
    return f"{setting.domain.low:{form}} to {setting.domain.high:{form}}"


def _parser(setting: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if setting.optional and text == NO_LIMIT:
            return NO_LIMIT
        try:
            return setting.kind(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {'an integer' if setting.kind is int else 'a number'}") from None

    return parse
