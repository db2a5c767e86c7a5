"""Find the configuration keys that name variants: those that differ between runs of equal seeds.

A key that is left out although it names variants leads to an error on duplicate results, never to a wrong comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.report.sources.columns import plain
from ablate.report.sources.equal_values import canonical, is_number
from ablate.report.sources.known_keys import are_paths, is_result_like, reason_by_name
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_OWN_VALUES = "a value of their own in most runs"
_WITH_SEED = "one value per seed"
_MOST_SETS = 8
_NAME_THEM = "Name the variants with --variant-param"


@dataclass(frozen=True)
class VaryingKeys:
    """The keys that name variants, each with the keys that always vary with it, and the other keys by reason.

    Of keys that vary together, the first one with words instead of numbers names the variants: `optimizer`, not `lr`.
    """

    keys: Mapping[str, Sequence[str]]
    left_out: dict[str, list[str]] = field(default_factory=dict)


def varying_keys(table: pd.DataFrame, seed: str, others: Collection[str], *, are_paired: bool = True) -> VaryingKeys:
    """Return the configuration keys that differ between runs and name variants.

    `seed` is the column of the seed, `others` are columns with another role. Unless `are_paired`, variants need no
    common seeds. Raises UsageError where the runs do not show whether a key is part of the configuration.
    """
    columns = _candidates(table, [seed, *others])
    codes = _codes(table, columns)
    left_out: dict[str, list[str]] = {}
    seeds = _one_code(table[seed]) if are_paired else None
    kept = []
    for name in [name for name in columns if codes[name].nunique() > 1]:
        reason = reason_by_name(name) or _reason_by_values(table[name], codes[name], seeds)
        if reason:
            left_out.setdefault(reason, []).append(plain(name))
        else:
            kept.append(name)
    words = [name for name in kept if not all(map(_is_number, table[name].unique()))]
    groups = _linked(codes, sorted(kept, key=lambda name: name not in words))
    groups = {name: groups[name] for name in kept if name in groups}
    keys = list(groups)
    for name in keys:
        _check_missing(table, codes, name, keys)
    if keys and seeds is not None:
        _check_seeds(table, codes[keys], seeds)
    return VaryingKeys(groups, left_out)


def _candidates(table: pd.DataFrame, others: Collection[str]) -> list[str]:
    """Return the columns that may be configuration keys: params and tags, or all columns of a file."""
    has_kinds = any(str(name).startswith(("params.", "metrics.")) for name in table.columns)
    kinds = ("params.", "tags.") if has_kinds else ""
    return [str(name) for name in table.columns if name not in others and str(name).startswith(kinds)]


def _is_number(cell: object) -> bool:
    return not str(cell).strip() or is_number(str(cell).strip())


def _codes(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the values of columns as integers that are equal for equal values, in order of their first run."""
    import pandas as pd

    return pd.DataFrame({name: _one_code(table[name]) for name in columns}, index=table.index)


def _one_code(column: pd.Series) -> pd.Series:
    import pandas as pd

    words = {cell: canonical(cell) for cell in column.unique()}
    return pd.Series(pd.factorize(column.map(words))[0], index=column.index)


def _reason_by_values(cells: pd.Series, codes: pd.Series, seeds: pd.Series | None) -> str:
    """Return why the values of a column cannot name variants; empty if they can. Without pairs, `seeds` is None.

    Raises UsageError for a key that only varies with the seed and has several seeds per value.
    """
    given = (cells.map(str).str.strip() != "").astype(bool)
    words = list(map(str, cells.unique()))
    if not str(cells.name).startswith("params.") and is_result_like(str(cells.name), words):
        return "results"
    if are_paths(words):
        return "paths"
    values = codes[given].nunique()
    if seeds is not None and seeds.nunique() > 1 and values > 1 and (codes.groupby(seeds).nunique() == 1).all():
        if (seeds.groupby(codes).nunique() == 1).all():
            return _WITH_SEED
        name = plain(str(cells.name))
        raise UsageError(f"{name} varies only with the seed: no seed has runs with two of its values. {_NAME_THEM} A,B "
                         f"(with {name}, or without it if it belongs to the seed)")  # fmt: skip
    if 2 * values > int(given.sum()) + 1 and len(cells) > 2:
        return _OWN_VALUES
    return ""


def _linked(codes: pd.DataFrame, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the first key of each set of keys that always vary together, with the others."""
    first: dict[bytes, str] = {}
    groups: dict[str, list[str]] = {}
    for name in names:
        key = first.setdefault(codes[name].to_numpy(dtype="int64").tobytes(), name)
        groups.setdefault(key, []).extend([] if key == name else [name])
    return groups


def _check_missing(table: pd.DataFrame, codes: pd.DataFrame, name: str, keys: Sequence[str]) -> None:
    """Raise UsageError for a key that some runs lack, unless other keys determine which, as for a conditional one."""
    lacks = (table[name].map(str).str.strip() == "").astype(bool)
    if not lacks.any():
        return
    complete = [key for key in keys if key != name and (table[key].map(str).str.strip() != "").all()]
    if complete and (lacks.groupby([codes[key] for key in complete]).nunique() == 1).all():
        return
    rows = [str(row) for row in table.index[lacks]]
    raise UsageError(
        f"{plain(name)} is missing in {len(rows)} of {len(table)} runs ({listed(rows, 3)}), and no other key shows "
        f"why. Leave them out with --where '{plain(name)}!=', or name the variants with --variant-param"
    )


def _check_seeds(table: pd.DataFrame, codes: pd.DataFrame, seeds: pd.Series) -> None:
    """Raise UsageError for keys that differ between seeds of otherwise equal runs, but never between runs of one seed.

    They may be results, follow the seed, or name variants.
    """
    names = list(codes.columns)
    certain = _certain(codes.assign(**{"": seeds}).drop_duplicates(), names)
    groups = codes[certain].apply(tuple, axis=1) if certain else seeds * 0
    doubtful = [name for name in names if name not in certain and (codes[name].groupby(groups).nunique() > 1).any()]
    if not doubtful:
        return
    first = max(doubtful, key=lambda name: codes[name].nunique())
    values = listed(map(repr, dict.fromkeys(table[first].map(str))), 3)
    remedy = f"--variant-param {','.join(map(plain, certain))}" if certain else "--variant-param A,B"
    raise UsageError(
        f"{listed(map(plain, doubtful), 5)} {'differs' if len(doubtful) == 1 else 'differ'} between the seeds of runs "
        f"that are otherwise equal ({plain(first)}: {values}), like a result. Name the variants explicitly: {remedy}"
    )


def _certain(runs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the keys that distinguish all runs of one seed and make the fewest configurations.

    `runs` has the codes of the keys, and those of the seeds in the column without a name. Of more than eight keys, one
    after another is removed instead of comparing all sets.
    """

    def settings(kept: Sequence[str]) -> int:
        """Return the number of configurations; more than there are runs if runs of one seed become equal."""
        if len(runs[[*kept, ""]].drop_duplicates()) < len(runs):
            return len(runs) + 1
        return len(runs[list(kept)].drop_duplicates()) if kept else 1

    if len(names) <= _MOST_SETS:
        sets = [list(kept) for number in range(len(names) + 1) for kept in combinations(names, number)]
        return min(sets, key=lambda kept: (settings(kept), len(kept)))
    kept = list(names)
    while kept:
        best = min(reversed(kept), key=lambda name: settings([other for other in kept if other != name]))
        rest = [other for other in kept if other != best]
        if settings(rest) > len(runs):
            break
        kept = rest
    return kept
