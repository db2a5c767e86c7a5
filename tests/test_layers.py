"""Imports point down only, heavy libraries are imported in one place each, and light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ablate

PACKAGE = Path(ablate.__file__).parent
LAYERS = (
    ("cli",),
    ("workflows",),
    ("report",),
    ("tuning", "doctor"),
    ("runs",),
    ("workloads",),
    ("tracking",),
    ("studies",),
    ("journal", "stats", "data", "figures"),
    ("console", "errors", "wording", "cores", "paths", "seeding", "redaction"),
)
"""Folders and leaf modules, top to bottom: each may import what stands below it, and nothing else."""

LINES_AT_MOST = 250
HEAVY = {"torch", "torchvision", "mlflow", "optuna", "ray", "matplotlib", "pandas"}
HOMES = {"mlflow": "tracking.mlflow_backend", "ray": "runs.executors", "matplotlib": "figures", "optuna": "tuning"}
COMPUTING = ("workloads.resnet9", "stats", "figures")
"""Where heavy libraries may be imported at module level."""


def modules() -> dict[str, Path]:
    """Return the modules of the package by their dotted names below `ablate`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        found[name] = path
    return {name: path for name, path in found.items() if name not in ("", "__main__")}


MODULES = modules()
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}


def imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """Yield the dotted names that a module imports, or only those that it imports when it is imported itself."""
    tree = ast.parse(path.read_text())
    hidden = {
        node
        for block in ast.walk(tree)
        if at_import_only
        and (
            isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test))
        )
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
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
    return module.split(".", maxsplit=1)[0]


def test_the_package_holds_the_layers_only() -> None:
    assert {top(name) for name in MODULES} == set(LAYER_OF)


def test_modules_stay_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: length for name, length in lengths.items() if length > LINES_AT_MOST}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    others = {top(name) for name in own_imports(MODULES[module])} - {top(module)}
    upwards = {name for name in others if LAYER_OF[name] <= LAYER_OF[top(module)]}
    assert not upwards


def test_there_are_no_circles() -> None:
    """Modules import each other in one direction, imports inside functions and for annotations included.

    A package's `__init__` re-exports names; whoever imports the package depends on its modules, not the reverse.
    """
    graph = {name: own_imports(path) - {name} for name, path in MODULES.items()}
    while leaves := {name for name, imported in graph.items() if not imported & set(graph)}:
        for name in leaves:
            del graph[name]
    assert not graph


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_in_their_folders(module: str) -> None:
    path = MODULES[module]
    everywhere = {name.split(".")[0] for name in imports(path)}
    for library, home in HOMES.items():
        assert library not in everywhere or f"{module}.".startswith(f"{home}.")
    if not module.startswith(COMPUTING):
        at_import = {name.split(".")[0] for name in imports(path, at_import_only=True)}
        assert not at_import & HEAVY


@pytest.mark.parametrize(
    "command",
    [["--help"], ["run", "--help"], ["sweep", "--help"], ["tune", "--help"], ["data", "--help"], ["--version"]],
)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys; from ablate.__main__ import main\n"
        f"sys.argv = ['ablate', *{command!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(sorted({HEAVY | {'scipy', 'sklearn'}!r} & set(sys.modules)), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stderr.strip().endswith("[]")
