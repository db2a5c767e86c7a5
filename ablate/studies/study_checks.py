"""Checks of the arguments of a study that do not depend on its workload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import wraps
from numbers import Real
from typing import Any, TypeVar

from ablate.errors import UsageError
from ablate.wording import nearest, unknown_name

StudyType = TypeVar("StudyType")
MOST_SEEDS = 10_000


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def arguments_explained(study: type[StudyType]) -> type[StudyType]:
    """Raise UsageError for an unknown argument, with the place of settings and hyperparameters, or the known ones."""
    construct = study.__init__

    @wraps(construct)
    def explained(self: StudyType, *given: Any, **named: Any) -> None:
        fields = study.__dataclass_fields__  # type: ignore[attr-defined]  # a dataclass has them
        for name in named:
            if name not in fields:
                near, hint = nearest(name, fields), f" Known: {', '.join(one for one in fields if fields[one].repr)}"
                if _is_value(name, named.get("workload") or fields["workload"].default_factory()):
                    hint = f" Settings and hyperparameters are values: Study(values={{{name!r}: ...}})"
                raise UsageError(unknown_name("argument of Study", name, near) + hint * (near is None))
        construct(self, *given, **named)

    study.__init__ = explained  # type: ignore[method-assign, assignment]  # only the error message changes
    return study


def _is_value(name: str, workload: Any) -> bool:
    """Return whether a name is a setting of a workload, or begins with one of its factors, as a hyperparameter does."""
    factors, settings = getattr(workload, "factors", ()), getattr(workload, "settings", ())
    return name in {one.name for one in settings} or any(name.startswith((f"{one}_", f"{one}.")) for one in factors)


def check_texts(study: Any) -> None:
    """Raise UsageError unless the arguments of a study that are texts are."""
    examples = {"question": "Does dropout help?", "design": "pairs", "preset": "demo", "name": "first"}
    for argument, example in examples.items():
        given = getattr(study, argument)
        if not isinstance(given, str):
            raise UsageError(f"{argument} of a study is a text such as {example!r}, not {given!r}")


def check_arguments(study: Any) -> None:
    """Raise UsageError unless the arguments of a study have the right types and ranges."""
    check_name(study.name)
    check_margin(study.margin)
    check_seeds(study.seeds)
    for argument in ("factors", "on", "off"):
        check_names(argument, () if argument == "factors" and study.factors is None else getattr(study, argument))
    check_mapping("values", study.values, "{'epochs': 30}")
    check_mapping("options", study.options, "{'resolution': 4}")


def check_name(name: str) -> None:
    """Raise UsageError unless `name` is empty or fits files and experiments."""
    if name and not _NAME.fullmatch(name):
        raise UsageError(
            f"The name of a study must consist of letters, digits, dots, dashes and underscores, not {name!r}"
        )


def check_margin(margin: object) -> None:
    """Raise UsageError unless the margin is a number above 0."""
    if isinstance(margin, bool) or not isinstance(margin, Real):
        raise UsageError(f"The margin of a study is a number such as 0.5, not {margin!r}")
    if not float(margin) > 0:
        raise UsageError(f"The margin, the smallest difference that matters, must be above 0, not {margin}")


def check_names(argument: str, names: object) -> None:
    """Raise UsageError unless an argument of a study is a list of names."""
    if isinstance(names, str):
        raise UsageError(f"{argument} of a study is a list of names, such as [{names!r}]")
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{argument} of a study is a list of names, such as ['dropout'], not {names!r}")


def check_mapping(argument: str, given: object, example: str) -> None:
    """Raise UsageError unless an argument of a study is a mapping by name."""
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise UsageError(f"{argument} of a study is a mapping such as {example}, not {given!r}")


def check_seeds(seeds: object) -> None:
    """Raise UsageError unless `seeds` is a number of seeds, or a list of seeds, which are integers from 0."""
    is_number = isinstance(seeds, int) and not isinstance(seeds, bool)
    values = (
        [seeds] if is_number else list(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else None
    )
    if values is None or any(not isinstance(one, int) or isinstance(one, bool) or one < 0 for one in values):
        raise UsageError(f"The seeds of a study are a number such as 5 or a list such as [0, 1, 2], not {seeds!r}")
    if isinstance(seeds, int) and seeds > MOST_SEEDS:
        raise UsageError(f"A study takes at most {MOST_SEEDS:,} seeds, not {seeds:,}")
    if not values or seeds == 0:
        raise UsageError("A study needs at least one seed")
