"""Groups of options: one parameter of a command declares many options.

A parameter whose type is a dataclass declares one option per field. A parameter whose type has `option_parameters`
and `from_options` declares the options that the former returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


@dataclass(frozen=True)
class _Group:
    parameters: Sequence[inspect.Parameter]
    make: Callable[[Mapping[str, Any]], Any]


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the groups among a command's parameters by their options, and collect them again when it is called."""
    hints = get_type_hints(command, include_extras=True)
    parameters = inspect.signature(command).parameters
    groups = {name: group for name in parameters if (group := _group(hints[name]))}

    @wraps(command)
    def with_options(**values: Any) -> None:
        collected = {
            name: group.make({parameter.name: values.pop(parameter.name) for parameter in group.parameters})
            for name, group in groups.items()
        }
        command(**values, **collected)

    expanded = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        for option in (groups[name].parameters if name in groups else [parameter.replace(annotation=hints[name])])
    ]
    with_options.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]  # Typer reads it
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    return with_options


def _group(kind: Any) -> _Group | None:
    """Return the option group of a type, or None for the type of a single option."""
    if hasattr(kind, "option_parameters"):
        return _Group(kind.option_parameters(), kind.from_options)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return None
    hints = get_type_hints(kind, include_extras=True)
    parameters = [
        inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name])
        for item in fields(kind)
    ]
    return _Group(parameters, lambda values: kind(**values))
