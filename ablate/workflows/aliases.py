"""The aliases of a factorial design in words, before its runs."""

from __future__ import annotations

import math

from ablate.errors import UserError
from ablate.studies.designs import Design
from ablate.wording import count


def describe_aliases(design: Design) -> list[str]:
    """Return the resolution and the aliases of a factorial design; nothing for other designs."""
    if design.contrasts:
        return []
    if any(component.levels for component in design.components):
        return _aliases_of_levels(design)
    import pandas as pd

    from ablate.stats.attribution import alias_groups, orthogonal_part, resolution

    rows = {i: {name: name in arm.on for name in design.factors} for i, arm in enumerate(design.arms)}
    part = orthogonal_part(pd.DataFrame.from_dict(rows, orient="index"))
    number = resolution(part)
    lines = [f"resolution {_roman(number)}" if number else "full factorial: no aliases"]
    for group in alias_groups(part):
        if group.order and len(group.terms) > 1:
            lines.append(f"aliased: {' = '.join((group.label, *group.aliases))}")
        elif group.order == 1 and group.partial:
            lines.append(f"partially aliased: {group.label} with {count(len(group.partial), 'interaction')}")
    return lines


def _aliases_of_levels(design: Design) -> list[str]:
    """Return the aliases of a design whose components have levels, with the share that is confused."""
    import pandas as pd

    from ablate.stats.levels.coding import model_of, read_design

    rows = {i: {one.name: one.level_of(arm) for one in design.components} for i, arm in enumerate(design.arms)}
    table = read_design(pd.DataFrame.from_dict(rows, orient="index"))
    if table.is_complete:
        return ["all combinations: no aliases"]
    combinations = f"{len(design.arms)} of {math.prod(component.size for component in design.components)} combinations"
    try:
        model = model_of(table)
    except UserError as error:
        return [f"{combinations}: {error}"]
    lines = [combinations + ("" if model.aliases else ": no aliases")]
    return [*lines, *(f"aliased: {term} with {others}" for term, others in model.alias_texts())]


def _roman(number: int) -> str:
    names = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
    return names[number] if number < len(names) else str(number)
