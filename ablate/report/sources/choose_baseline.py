"""Choose the baseline among configurations: the one that is asked for by its values, or the most common one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ablate.errors import UserError
from ablate.report.found_variants import NOT_SET, Configuration, FoundVariants, UnclearVariantsError
from ablate.report.sources.columns import plain
from ablate.report.sources.configuration_keys import VaryingKeys
from ablate.report.sources.equal_values import canonical
from ablate.wording import listed, unknown

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "baseline"

_GENERAL = ("name", "type", "kind", "class", "_target_", "value", "enabled", "use", "p")

Values = tuple[str, ...]
"""The values of the keys of one configuration, in one spelling."""


def short_name(column: str) -> str:
    """Return the last part of a nested name, `lr` of `model.optimizer.lr`, or its last two: `optimizer.name`."""
    parts = plain(column).split(".")
    return ".".join(parts[-2 if parts[-1] in _GENERAL else -1 :]) or plain(column)


def choose_baseline(
    found: FoundVariants, configurations: Mapping[Values, Configuration], asked: str, matching: Sequence[Values]
) -> tuple[Values, str]:
    """Return the configuration that is asked for, or the most common one, and how it was chosen.

    Raises UnclearVariantsError if several are as common, and if not exactly one is asked for.
    """
    if len(configurations) == 1:
        raise UnclearVariantsError(
            f"All runs have {found.configurations[0].values}. A comparison needs another variant", found
        )
    if asked != BASELINE:
        if len(matching) != 1:
            number = "No configuration has" if not matching else f"{len(matching)} configurations have"
            known = [configurations[values].values for values in matching or configurations]
            raise UnclearVariantsError(
                f"{number} {asked!r}. {'Known' if not matching else 'They are'}: "
                f"{' | '.join(known[:5])}{' | ...' * (len(known) > 5)}",
                found,
            )
        return matching[0], "as given"
    first, second = list(configurations)[:2]
    most = configurations[first].runs
    if configurations[second].runs == most:
        tied = sum(one.runs == most for one in configurations.values())
        raise UnclearVariantsError(
            f"Choose the baseline with --baseline, such as --baseline '{configurations[first].values}': {tied} of "
            f"{len(configurations)} configurations have the most runs, {most} each",
            found,
        )
    return first, f"the most common configuration, {most} runs"


def matching_configurations(
    table: pd.DataFrame, varying: VaryingKeys, settings: Sequence[Values], asked: str
) -> list[Values]:
    """Return the configurations with the values in `lr=0.1, optimizer=sgd`, or in values alone.

    Keys that always vary with one that names the variants count, too.
    """
    names = [name for key, linked in varying.keys.items() for name in (key, *linked)]
    shorts = Counter(map(short_name, names))
    found: dict[Values, None] = {}
    rows = zip(settings, *(table[name].map(canonical) for name in names), strict=True)
    for values, *cells in dict.fromkeys(rows):
        known = dict(zip(names, cells, strict=True))
        known |= {plain(name): cell for name, cell in known.items()}
        known |= {short_name(name): known[name] for name in names if shorts[short_name(name)] == 1}
        if _has(known, asked):
            found[values] = None
    return list(found)


def _has(known: Mapping[str, str], asked: str) -> bool:
    for part in _parts(asked):
        name, equals, value = part.strip().partition("=")
        if not equals and canonical(name) not in known.values():
            return False
        if equals and known.get(name.strip()) != canonical("" if value.strip() == NOT_SET else value):
            return False
    return True


def _parts(asked: str) -> list[str]:
    """Return the texts between commas that are in no brackets, or between commas before spaces if there are any."""
    depth, commas = 0, []
    for place, character in enumerate(asked):
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 0:
            commas.append(place)
    if depth:  # brackets that are not lists
        commas = [place for place, character in enumerate(asked) if character == ","]
    commas = [place for place in commas if asked[place + 1 : place + 2] == " "] or commas
    return [asked[start + 1 : end] for start, end in zip([-1, *commas], [*commas, len(asked)], strict=True)]


def require_baseline(table: pd.DataFrame, ended: pd.DataFrame, baseline: str) -> None:
    """Raise UserError if no run of the baseline has ended, or without another variant."""
    variants = list(dict.fromkeys(table["variant"]))
    if baseline not in variants:
        if baseline != BASELINE:
            raise UserError(unknown("variant", baseline, variants))
        raise UserError(
            f"No run has the variant {baseline!r}. Choose the baseline with --baseline. Known: {listed(variants)}"
        )
    if len(variants) == 1:
        raise UserError(f"All runs have the variant {baseline!r}. A comparison needs another variant")
    if baseline not in set(ended["variant"]):
        raise UserError(f"All runs of the baseline {baseline!r} are still running. Repeat this once one has ended")
