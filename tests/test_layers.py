"""Imports point down only, heavy libraries are imported in one place each, and light commands stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.import_graph import MODULES, PACKAGE, imports, own_imports, top, tree

LAYERS = (
    ("cli",),
    ("api",),
    ("workflows",),
    ("report",),
    ("tuning", "doctor"),
    ("runs",),
    ("workloads",),
    ("tracking",),
    ("studies",),
    ("journal", "stats", "data", "figures"),
    ("console", "interrupts", "cores", "paths", "seeding"),
    ("errors", "redaction"),
    ("wording", "secret_forms"),
)
"""Folders and leaf modules, top to bottom. Each may import the lower ones only."""

MODULE_LINES, FUNCTION_LINES, PARAMETERS = 250, 40, 7
"""Limits of modules, of functions without their docstrings, and of signatures without `self`."""

HEAVY = {"torch", "wandb", "torchvision", "mlflow", "optuna", "ray", "submitit", "matplotlib", "pandas"}
HOMES = {
    "mlflow": "tracking.mlflow_backend",
    "ray": "runs.executors",
    "submitit": "runs.executors.slurm",
    "matplotlib": "figures",
    "optuna": "tuning",
}
COMPUTING = ("workloads.resnet9", "stats", "figures")
"""Where heavy libraries may be imported at module level."""

LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}


def test_the_package_consists_of_the_layers() -> None:
    assert {top(name) for name in MODULES} == set(LAYER_OF)


def test_modules_stay_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: length for name, length in lengths.items() if length > MODULE_LINES}


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module except kernels in Triton, which take every array and size as an argument."""
    for node in ast.walk(tree(MODULES[module])):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and "triton.jit" not in map(ast.unparse, node.decorator_list):
            yield node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    named = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in ("self", "cls")]
    return len(named) + bool(given.vararg) + bool(given.kwarg)


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring, which is the help text of a command."""
    first, end = function.body[0], function.end_lineno
    assert end is not None
    described = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return end - function.lineno + 1 - described


def test_functions_stay_short_and_signatures_small() -> None:
    found = [(f"{module}.{function.name}", function) for module in MODULES for function in functions(module)]
    assert not [name for name, function in found if lines(function) > FUNCTION_LINES]
    assert not [name for name, function in found if parameters(function) > PARAMETERS]


def test_every_folder_describes_its_contents() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    for folder in folders:
        text = ast.get_docstring(tree(folder / "__init__.py")) or ""
        assert text, folder
        if folder.parent == PACKAGE:
            assert re.search(r"[Mm]ay import", text), folder


def test_imports_point_downwards() -> None:
    for module, path in MODULES.items():
        others = {top(name) for name in own_imports(path)} - {top(module)}
        assert not {name for name in others if LAYER_OF[name] <= LAYER_OF[top(module)]}, module


def test_imports_form_no_cycle() -> None:
    """Modules import each other in one direction, imports inside functions and for annotations included.

    The `__init__` of a folder re-exports names: an import of the folder depends on its modules, not the reverse.
    """
    graph = {name: own_imports(path) - {name} for name, path in MODULES.items()}
    while leaves := {name for name, imported in graph.items() if not imported & set(graph)}:
        for name in leaves:
            del graph[name]
    assert not graph


def test_heavy_libraries_stay_in_their_folders() -> None:
    for module, path in MODULES.items():
        everywhere = {name.split(".")[0] for name in imports(path)}
        for library, home in HOMES.items():
            assert library not in everywhere or f"{module}.".startswith(f"{home}."), module
        at_import = {name.split(".")[0] for name in imports(path, at_import_only=True)}
        assert module.startswith(COMPUTING) or not at_import & HEAVY, module


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


def opens_text(call: ast.Call) -> bool:
    """Return whether a call opens a text file: by a path, `open` or `os.fdopen`, but not `Image.open`."""
    function = ast.unparse(call.func)
    if function in ("formatter.write_text", "read_text"):
        return False
    if function.endswith((".read_text", ".write_text")):
        return True
    modes = {argument.value for argument in call.args[-2:] if isinstance(argument, ast.Constant)} & {"r", "w", "a", "x"}
    return function in ("open", "os.fdopen") or (function.endswith(".open") and bool(modes))


def test_text_files_have_an_encoding_that_does_not_depend_on_the_locale() -> None:
    calls = [
        (name, node) for name, path in MODULES.items() for node in ast.walk(tree(path)) if isinstance(node, ast.Call)
    ]
    texts = [
        (name, call) for name, call in calls if opens_text(call) and "b" not in "".join(map(ast.unparse, call.args[1:]))
    ]
    assert len(texts) > 20
    assert not [f"{name}: {ast.unparse(call)}" for name, call in texts if "encoding" not in ast.unparse(call)]
