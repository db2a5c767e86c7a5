"""Imports point downwards only, heavy libraries are imported in one place each, and light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ablate

PACKAGE = Path(ablate.__file__).parent
LAYERS = {
    "kernel": {
        *("errors", "masking", "seeding", "plan", "model", "augment", "optim", "trainer", "checkpoint", "data"),
        *("fused", "machine", "processor"),
    },
    "language": {"menu", "metric", "factors", "recipe", "workload", "resnet9", "designs", "counting"},
    "built-in workload": {"classification", "prediction", "devices"},
    "other workloads": {"custom"},
    "doing": {
        *("study", "executors", "runner", "runlog", "handover", "journal", "liveness", "provenance", "tracking"),
        *("table", "sweep", "following", "planning", "adaptive", "syncing", "journal_lines", "health", "deletion"),
        "tuning",
    },
    "reporting": {"report"},
    "surface": {
        *("cli", "cli_train", "cli_sweep", "cli_tune", "cli_init", "cli_data"),
        *("cli_runs", "cli_compare", "cli_report", "cli_sync", "cli_doctor", "cli_delete", "shell", "completion"),
        *("flags", "study_flags", "options", "console", "phrases", "dry_run", "sweep_session", "__main__"),
        *("recording", "study_report", "report_source"),
        *("tune_session", "retune_session", "tune_context", "tune_one", "tune_arms"),
    },
}
LINES_AT_MOST = 250
LEAVES = {"effects", "attribution", "figures", "simulation"}
ORDER = list(LAYERS)
LAYER_OF = {module: layer for layer, modules in LAYERS.items() for module in modules}
COMPUTING = ("kernel", "built-in workload")
HEAVY = {"torch", "torchvision", "mlflow", "optuna", "ray", "matplotlib", "pandas"}
HOMES = {"mlflow": "tracking", "ray": "executors", "matplotlib": "figures", "optuna": "tuning"}


def sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py":
            yield path.relative_to(PACKAGE).with_suffix("").parts[0], path


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Yield the dotted names that a module imports at run time."""
    tree = ast.parse(path.read_text())
    hidden = {
        node
        for block in ast.walk(tree)
        if (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test))
        or (top_level_only and isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef))
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """Return the top modules of this package that a module imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("ablate.")} & {
        module for module, _ in sources()
    }


def test_every_module_has_a_layer() -> None:
    assert {module for module, _ in sources()} == set(LAYER_OF) & {module for module, _ in sources()} | LEAVES


def test_modules_stay_short() -> None:
    lengths = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > LINES_AT_MOST}


@pytest.mark.parametrize(("module", "path"), list(sources()), ids=lambda value: str(value).rpartition("ablate/")[2])
def test_imports_point_downwards(module: str, path: Path) -> None:
    for imported in own_imports(path) - {module}:
        if module in LEAVES:
            assert imported in LEAVES | {"errors"}
        elif imported not in LEAVES:
            assert ORDER.index(LAYER_OF[imported]) <= ORDER.index(LAYER_OF[module]), f"{module} imports {imported}"


def test_the_training_kernel_reads_a_plan_only() -> None:
    training = {"model", "augment", "optim", "trainer", "checkpoint", "plan", "seeding"}
    for module in training:
        assert own_imports(PACKAGE / f"{module}.py") <= training | {"fused"}


@pytest.mark.parametrize(("module", "path"), list(sources()), ids=lambda value: str(value).rpartition("ablate/")[2])
def test_heavy_libraries_stay_in_their_rooms(module: str, path: Path) -> None:
    everywhere = {name.split(".")[0] for name in imports(path)}
    for library, home in HOMES.items():
        assert library not in everywhere or module == home
    if module not in LEAVES and LAYER_OF[module] not in COMPUTING:
        at_import = {name.split(".")[0] for name in imports(path, top_level_only=True)}
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
