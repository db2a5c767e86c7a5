"""Names of a recipe that a training never reads, from its source."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from ablate.workloads.custom.recipe_use import RecipeUse, recipe_use, unread_names
from ablate.workloads.custom.study_file import import_file
from tests.samples.custom import written


def use(text: str, folder: Path) -> RecipeUse | None:
    return recipe_use(import_file(written(folder, text)).train)


@pytest.mark.parametrize(
    ("text", "names", "reads_any"),
    [
        ("def train(recipe, log):\n    return recipe['a'] + recipe.seed", {"a", "seed"}, False),
        ("def train(r, log):\n    return 1 if r['a'] else 2", {"a"}, False),
        ("def train(recipe, log):\n    return [recipe[n] for n in 'ab']", set(), True),
        ("def train(recipe, log):\n    return len(recipe.factors)", set(), True),
        ("def train(recipe, log):\n    return 3", set(), False),
        ("def run(log, *, r): return r['a']\ndef train(recipe, log):\n    return run(log, r=recipe)", {"a"}, False),
        (
            "def run(r, n): return run(r, n - 1) + r['a']\ndef train(recipe, log):\n    return run(recipe, 3)",
            {"a"},
            False,
        ),
        ("def train(recipe, log):\n    def inner(): return recipe['b']\n    return inner()", {"b"}, False),
        ("def train(recipe, log):\n    return f(lambda: recipe['b'])\ndef f(g): return g()", {"b"}, False),
    ],
)
def test_the_names_that_a_training_reads(tmp_path: Path, text: str, names: set[str], reads_any: bool) -> None:
    found = use(text, tmp_path)
    assert found == RecipeUse(frozenset(names), reads_any)
    assert found.reads("a") == ("a" in names or reads_any)
    assert found.reads("seed") == ("seed" in names)


@pytest.mark.parametrize(
    "body",
    [
        "return fit(recipe)", "return dict(recipe)", "other = recipe\nreturn other['a']", "return log(recipe=recipe)",
        "return recipe.params", "return recipe.key", "recipe = 3\nreturn recipe", "return locals()",
        "return eval('recipe')",
        "return [f(recipe) for f in STEPS]", "return build(**recipe)", "return cls(recipe)",
        "return (lambda recipe: recipe['a'])(recipe)", "return json.dumps(recipe)",
        "return 'a' in recipe", "return build(*[1], recipe)", "return build([recipe])",
    ],
)  # fmt: skip
def test_nothing_is_said_where_the_recipe_may_be_read_elsewhere(tmp_path: Path, body: str) -> None:
    lines = "\n    ".join(body.splitlines())
    text = "import json\nfrom json import load as fit\ndef build(x, y=0): return 0\nclass cls: pass\n"
    assert use(f"{text}def train(recipe, log):\n    {lines}", tmp_path) is None


def test_functions_without_readable_source_are_unknown() -> None:
    def train(recipe: Any, log: Any) -> float:
        return 0.5

    @functools.wraps(train)
    def wrapper(*given: Any) -> float:
        return train(*given)

    class Callable:
        def __call__(self, recipe: Any, log: Any) -> float:
            return 0.5

    built: dict[str, Any] = {}
    exec("def train(recipe, log): return 0.5", built)
    for one in (wrapper, functools.partial(train, 3), Callable(), len, lambda recipe, log: 0.5, built["train"]):
        assert recipe_use(one) is None
    assert recipe_use(train) == RecipeUse(frozenset())


def test_a_warning_for_every_name_that_is_not_read(tmp_path: Path) -> None:
    module = import_file(written(tmp_path, "def train(recipe, log):\n    return recipe['a']"))
    found = unread_names(module.train, ["a", "b"])
    assert found["b"] == "train never reads recipe['b']: b has no effect"
    assert found["seed"].startswith("train never reads recipe.seed. Runs that ignore the seed repeat each other")
    assert found.keys() == {"b", "seed"}
    assert unread_names(len, ["a"]) == {}
