"""The MLflow backend is reached through `ablate.tracking` only, and importing that imports no MLflow."""

from __future__ import annotations

import subprocess
import sys

from tests.test_layers import HEAVY, MODULES, own_imports

BACKEND = "tracking.mlflow_backend"


def test_only_tracking_itself_imports_the_backend() -> None:
    importers = {
        name
        for name, path in MODULES.items()
        if not name.startswith(BACKEND) and any(module.startswith(BACKEND) for module in own_imports(path))
    }
    assert importers == {"tracking"}


def test_importing_tracking_imports_nothing_heavy() -> None:
    heavy = HEAVY | {"sqlalchemy", "numpy", "filelock"}
    code = f"import sys, ablate.tracking; print(sorted({heavy!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
