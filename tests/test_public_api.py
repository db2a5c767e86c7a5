"""The public names of the package: exported, listed, documented, and free to import."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ablate


@pytest.mark.parametrize("name", ablate.__all__)
def test_a_public_name_is_exported_by_its_module(name: str) -> None:
    value = getattr(ablate, name)
    assert value.__name__ == name
    assert value.__doc__, "a public name has a docstring"
    assert value.__module__.startswith("ablate.")


def test_dir_lists_the_public_names() -> None:
    assert set(ablate.__all__) <= set(dir(ablate))
    code = "import ablate; print(set(ablate.__all__) <= set(dir(ablate)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "True", "also before the first use of any"


def test_the_docstring_documents_the_public_names() -> None:
    documented = re.findall(r"^- (`.*?`):", ablate.__doc__ or "", re.MULTILINE)
    assert sorted(name.strip("` ") for names in documented for name in names.split(",")) == ablate.__all__


def test_type_checkers_see_what_is_exported() -> None:
    tree = ast.parse(Path(ablate.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == ablate._MODULES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ablate' has no attribute 'Studdy'"):
        ablate.Studdy  # noqa: B018


def test_the_first_use_of_a_name_keeps_the_state_of_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "draws.py").write_text("import random\nvalue = random.random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ablate._MODULES, "value", "draws")
    before = random.getstate()
    assert 0 <= ablate.value < 1
    assert random.getstate() == before


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import ablate; print(sorted(set(sys.modules) - before))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(answer.stdout))
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {"ablate"}
