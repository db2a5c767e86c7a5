"""Which names of a recipe a training function reads, from its source: a factor that is never read changes nothing."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

SEED = "seed"
_RECIPE = {"factors", "settings", "hyperparameters"}
"""Attributes of a recipe that contain all its names, but not the seed."""

SEED_IGNORED = "Runs that ignore the seed repeat each other, and are one observation, not several"

_DYNAMIC = {"locals", "vars", "eval", "exec"}


@dataclass(frozen=True)
class RecipeUse:
    """The names that a function reads of its recipe: factors, settings, and `seed` for `recipe.seed`.

    With `reads_any`, it may read any factor and setting.
    """

    names: frozenset[str]
    reads_any: bool = False

    def reads(self, name: str) -> bool:
        """Return whether the function reads the seed, or may read the factor or setting `name`."""
        return name in self.names or (self.reads_any and name != SEED)


def recipe_use(train: Callable[..., Any]) -> RecipeUse | None:
    """Return what `train` reads of its first argument, or None if its source does not show it.

    Functions of the same module that get the recipe are followed. Other code that gets it may read it.
    """
    try:
        return _use_of_argument(train, 0, ())
    except _Unknown:
        return None


def unread_names(train: Callable[..., Any], names: Iterable[str]) -> dict[str, str]:
    """Return a warning for each of the factors and settings `names`, and for the seed, that `train` never reads."""
    use, function = recipe_use(train), getattr(train, "__name__", "The training function")
    if use is None:
        return {}
    found = {name: f"{function} never reads recipe[{name!r}]: {name} has no effect" for name in names}
    found[SEED] = (
        f"{function} never reads recipe.seed. {SEED_IGNORED}. Seed every random number generator with recipe.seed"
    )
    return {name: text for name, text in found.items() if not use.reads(name)}


class _Unknown(Exception):  # noqa: N818  # an answer, not an error
    """The recipe reaches code that cannot be followed."""


def _use_of_argument(function: Any, argument: int | str, callers: tuple[tuple[Any, int | str], ...]) -> RecipeUse:
    """Return what a function reads of one argument, given by its position or name. Raises _Unknown."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        raise _Unknown
    definition = _definition(function)
    names = [found.arg for found in (*definition.args.posonlyargs, *definition.args.args)]
    names_only = [found.arg for found in definition.args.kwonlyargs]
    if isinstance(argument, int):
        if argument >= len(names):
            raise _Unknown
        argument = names[argument]
    elif argument not in (*names, *names_only):
        raise _Unknown
    if (function, argument) in callers:
        return RecipeUse(frozenset())
    return _use_of_name(definition, argument, function, (*callers, (function, argument)))


def _definition(function: FunctionType) -> ast.FunctionDef:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        raise _Unknown from None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.name != function.__name__:
        raise _Unknown
    return definition


def _use_of_name(
    definition: ast.FunctionDef, name: str, function: FunctionType, callers: tuple[tuple[Any, int | str], ...]
) -> RecipeUse:
    names: set[str] = set()
    reads_any = False
    for node, parent, grandparent in _with_parents(definition):
        if isinstance(node, ast.arg) and node.arg == name and parent is not definition.args:
            raise _Unknown  # an inner function with an argument of the same name
        if not isinstance(node, ast.Name):
            continue
        if node.id in _DYNAMIC and isinstance(parent, ast.Call):
            raise _Unknown
        if node.id != name:
            continue
        use = _use_at(node, parent, grandparent, function, callers)
        names |= use.names
        reads_any = reads_any or use.reads_any
    return RecipeUse(frozenset(names), reads_any)


def _use_at(
    node: ast.Name,
    parent: ast.AST,
    grandparent: ast.AST,
    function: FunctionType,
    callers: tuple[tuple[Any, int | str], ...],
) -> RecipeUse:
    """Return what one occurrence of the recipe's name reads. Raises _Unknown."""
    if not isinstance(node.ctx, ast.Load):
        raise _Unknown
    if isinstance(parent, ast.Subscript) and parent.value is node:
        key = parent.slice
        is_name = isinstance(key, ast.Constant) and isinstance(key.value, str)
        return RecipeUse(frozenset({key.value}) if is_name else frozenset(), not is_name)  # type: ignore[attr-defined]  # a constant
    if isinstance(parent, ast.Attribute) and parent.attr in {SEED, *_RECIPE}:
        is_seed = parent.attr == SEED
        return RecipeUse(frozenset({SEED}) if is_seed else frozenset(), not is_seed)
    called, place = _call_with(node, parent, grandparent)
    return _use_of_argument(function.__globals__.get(called), place, callers)


def _call_with(node: ast.Name, parent: ast.AST, grandparent: ast.AST) -> tuple[str, int | str]:
    """Return the name of the called function and the argument that `node` is. Raises _Unknown if it is none."""
    call = grandparent if isinstance(parent, ast.keyword) else parent
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _Unknown
    if isinstance(parent, ast.keyword):
        if parent.arg is None:
            raise _Unknown
        return call.func.id, parent.arg
    place = next((place for place, given in enumerate(call.args) if given is node), None)
    if place is None or any(isinstance(given, ast.Starred) for given in call.args[:place]):
        raise _Unknown
    return call.func.id, place


def _with_parents(top: ast.AST) -> Iterator[tuple[ast.AST, ast.AST, ast.AST]]:
    """Yield every node within `top`, with its parent and the parent of that."""
    waiting = [(child, top, top) for child in ast.iter_child_nodes(top)]
    while waiting:
        node, parent, grandparent = waiting.pop()
        yield node, parent, grandparent
        waiting += [(child, node, parent) for child in ast.iter_child_nodes(node)]
