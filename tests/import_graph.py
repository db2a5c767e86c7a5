"""The modules of the package and what they import, read from their sources."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import ablate

PACKAGE = Path(ablate.__file__).parent


def modules() -> dict[str, Path]:
    """Return the modules of the package by their dotted names below `ablate`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        found[name] = path
    return {name: path for name, path in found.items() if name not in ("", "__main__")}


MODULES = modules()


@cache
def tree(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text())


def imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """Yield the dotted names that a module imports, or only those that it imports when it is imported itself."""
    hidden = {
        node
        for block in ast.walk(tree(path))
        if at_import_only
        and (
            isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test))
        )
        for node in ast.walk(block)
    }
    for node in ast.walk(tree(path)):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule.removeprefix("ablate.") in MODULES else node.module


def own_imports(path: Path) -> set[str]:
    """Return the modules of this package that a module imports, by their names below `ablate`."""
    return {name.removeprefix("ablate.") for name in imports(path) if name.startswith("ablate.")} & set(MODULES)


def top(module: str) -> str:
    """Return the folder or leaf module of `ablate` that a module belongs to."""
    return module.split(".", maxsplit=1)[0]


def between_folders() -> dict[str, set[str]]:
    """Return which folders and leaf modules each folder imports."""
    graph: dict[str, set[str]] = {top(name): set() for name in MODULES}
    for name, path in MODULES.items():
        graph[top(name)] |= {top(imported) for imported in own_imports(path)} - {top(name)}
    return graph


def without_shortcuts(graph: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Return a graph without the edges that also follow from a longer path (its transitive reduction)."""
    reachable: dict[str, set[str]] = {}

    def below(node: str) -> set[str]:
        if node not in reachable:
            reachable[node] = {further for following in graph[node] for further in {following} | below(following)}
        return reachable[node]

    return {
        node: {following for following in graph[node] if not any(following in below(other) for other in graph[node])}
        for node in graph
    }
