"""The fields of a study's records that are read, with the values that they may have.

Records also come from other machines and newer versions: fields that are not listed here are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.journal.field_checks import (
    Check,
    are_numbers,
    has,
    is_file_name,
    is_finite,
    is_flag,
    is_goal,
    is_integer,
    is_list,
    is_mapping,
    is_name,
    is_number,
    is_positive,
    is_seed,
    is_text,
    is_time,
    list_of,
    map_of,
    names_of,
    optional,
    present,
)
from ablate.journal.line_format import END_STATUSES

_METRIC = has(
    name=is_name,
    tracked=optional(is_name),
    goal=is_goal,
    unit=optional(is_text),
    scale=optional(is_positive),
    tolerance=optional(is_positive),
)

_COMPARISON = has(
    **dict.fromkeys(("variant", "reference"), is_name),
    **dict.fromkeys(("change", "family"), optional(is_name)),
    **dict.fromkeys(("factor", "level", "reference_level"), optional(is_text)),
    n_planned=optional(is_seed),
    planned=optional(is_flag),
)

_TRIAL = has(
    number=is_integer,
    state=is_name,
    params=names_of(is_mapping),
    values=list_of(is_finite),
    runs=lambda value: _by_seed(value, is_name),
    scores=lambda value: _by_seed(value, lambda score: isinstance(score, float) or is_integer(score)),  # NaN, too
    **dict.fromkeys(("epochs", "saved", "reused"), optional(is_integer)),
    seconds=is_finite,
    is_baseline=optional(is_flag),
    error=optional(is_text),
)

_OBJECTIVE = has(
    **dict.fromkeys(("name", "tracked"), is_name),
    goal=is_goal,
    scale=optional(is_positive),
    of_history=optional(is_flag),
)

_DIMENSION = has(
    name=is_name,
    **dict.fromkeys(("low", "high"), is_finite),
    **dict.fromkeys(("log", "is_integer"), is_flag),
    words=list_of(is_text),
)

_SEARCH = has(
    **dict.fromkeys(("name", "pruner", "pruning", "sampler", "storage"), is_text),
    **dict.fromkeys(("sampler_seed", "budget"), is_integer),
    seeds=list_of(is_integer),
    objectives=lambda value: list_of(_OBJECTIVE)(value) and len(value) > 0,
    space=list_of(_DIMENSION),
    trials=list_of(_TRIAL),
    front=optional(list_of(is_integer)),
    importances=map_of(map_of(is_finite)),
)

_DATA = present(name=is_text, description=is_text, flags=list_of(is_text))

_DETAILS = present(
    metric=_METRIC,
    factors=list_of(is_name),
    arms=names_of(map_of(list_of(is_name))),
    comparisons=list_of(_COMPARISON),
    meanings=map_of(is_text),
    **dict.fromkeys(("scale", "file", "declared_in", "kind", "command"), is_text),
    data=_DATA,
    floor=is_number,
    varied=names_of(map_of(is_list)),
    arm_values=names_of(map_of(names_of(is_mapping))),
    zipped=names_of(map_of(names_of(map_of(is_list)))),
    looks=lambda value: list_of(list_of(is_number))(value) and len(value) == 2,
    base=present(label=is_text, values=names_of(is_mapping)),
    tuning=present(searches=names_of(map_of(_SEARCH)), comparisons=list_of(_COMPARISON), command=is_text),
)

_DECLARED = present(
    **dict.fromkeys(("workload", "design", "baseline", "preset", "metric", "goal", "code"), is_text),
    factors=list_of(is_name),
    seeds=list_of(is_integer),
    margin=optional(is_number),
    arms=names_of(map_of(names_of(is_mapping))),
)


def _are_declarations(value: Any) -> bool:
    """Return whether a value is a declaration, in which `vary.NAME` has the levels of a setting."""
    if not names_of(is_mapping)(value) or not _DECLARED(value):
        return False
    return all(is_list(levels) for name, levels in value.items() if name.startswith("vary."))


def _by_seed(value: Any, check: Check) -> bool:
    """Return whether a value is a mapping from seeds, which JSON writes as text, to values that fit."""
    return is_mapping(value) and all(seed.isdecimal() and check(item) for seed, item in value.items())


FIELDS: Mapping[str, Mapping[str, Check]] = {
    "study": {
        "name": is_file_name,
        "question": is_text,
        "declared": _are_declarations,
        "earlier": list_of(_are_declarations),
        "plan": list_of(
            has(key=is_file_name, data=is_file_name, variant=is_name, seed=is_integer, run=optional(is_file_name))
        ),
        "layout": optional(_DETAILS),
        "recorded": optional(is_time),
        "since": optional(is_time),
    },
    "status": {"status": lambda value: value in ("running", *END_STATUSES)},
    "report": {"folder": is_text, "note": is_text, "metrics": are_numbers},
}
"""The fields of each kind of record in a study's journal."""
