"""The design of a recorded study as tables: the factors that are on, or the levels, in each variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate.studies.settings import value_text

if TYPE_CHECKING:
    import pandas as pd


def design_table(details: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per variant, with a true/false column per factor; without columns if variants have values."""
    import pandas as pd

    factors = [] if "arm_values" in details else details["factors"]
    rows = {variant: [name in on for name in factors] for variant, on in details["arms"].items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=factors).astype(bool)


def levels_table(details: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per variant, with the level of each component; without columns if no variant has values.

    Levels are numbers or text, those of factors "on" and "off".
    """
    import pandas as pd

    arms, varied = details["arms"], details.get("varied", {})
    if "arm_values" not in details:
        return pd.DataFrame(index=list(arms))
    rows = {
        variant: [
            *("on" if name in on else "off" for name in details["factors"]),
            *(_level(details["arm_values"][variant].get(name, levels[0])) for name, levels in varied.items()),
        ]
        for variant, on in arms.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*details["factors"], *varied])


def in_question(declared: Mapping[str, Any]) -> set[str]:
    """Return what a study compares, as it was declared: factors, levels and named arms."""
    levels = [f"{name}={level}" for name in declared if name.startswith("vary.") for level in declared[name]]
    return {*declared.get("factors", ()), *levels, *declared.get("arms", ())}


def _level(value: Any) -> Any:
    """Return a level as a number or text."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else value_text(value)
