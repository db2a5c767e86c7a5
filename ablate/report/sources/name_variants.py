"""Name variants by their difference from the baseline, where the configuration of the runs shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.errors import UsageError
from ablate.report.found_variants import Configuration, FoundVariants, Key
from ablate.report.sources.choose_baseline import (
    BASELINE,
    Values,
    choose_baseline,
    matching_configurations,
    short_name,
)
from ablate.report.sources.columns import find_column, plain, require
from ablate.report.sources.configuration_keys import VaryingKeys, varying_keys
from ablate.report.sources.equal_values import canonical, is_number
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.sources.seed_column import SEED_IN_NAMES
from ablate.report.sources.statuses import status_columns
from ablate.report.sources.step_rows import run_of_rows
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_VARIANT_IN_NAMES = "variant by the names of the runs"


@dataclass(frozen=True)
class NamedVariants:
    """Runs with a column `variant`, options that read it, and what was found; None if nothing was named."""

    runs: RunTable
    options: TableOptions
    found: FoundVariants | None = None


def variant_columns(table: pd.DataFrame, options: TableOptions) -> list[str]:
    """Return the columns of several keys in `--variant-param A,B`; empty for one column. Raises UsageError."""
    asked = options.variant or ""
    if "," not in asked or find_column(table, asked):
        return []
    names = [name.strip() for name in asked.split(",") if name.strip()]
    return [require(table, name, "variant", "--variant-param") for name in dict.fromkeys(names)]


def with_named_variants(runs: RunTable, options: TableOptions) -> NamedVariants:
    """Return runs whose variants are named by several keys: those asked for, or those that differ between runs.

    Runs with a column `variant`, or whose variants are one column, factors or the names of the runs, get no other
    names. Raises UsageError where the keys or the baseline are unclear.
    """
    table = runs.table
    asked = variant_columns(table, options)
    seed = find_column(table, options.seed)
    if asked:
        return _named(runs, options, VaryingKeys({name: [] for name in asked}), is_asked=True)
    if options.variant or options.factors or not len(table) or seed is None or find_column(table, "variant"):
        return NamedVariants(runs, options)
    if options.step is not None and not runs.has_one_row_per_run:
        return NamedVariants(runs, options)  # one row per step: a schedule is not a configuration
    if runs.names and are_variants(runs.names, options.baseline):
        return _by_names(runs, options)
    keys = varying_keys(table, seed, taken_columns(table, options, seed), are_paired=not options.unpaired)
    if keys.keys:
        return _named(runs, options, keys, is_asked=False)
    if runs.names:
        return _by_names(runs, options)
    raise UsageError(_none_found(keys, _columns_of_scores(table, seed, options)))


def _by_names(runs: RunTable, options: TableOptions) -> NamedVariants:
    before, words = runs.statement.removesuffix(SEED_IN_NAMES).removesuffix("; "), _VARIANT_IN_NAMES
    if runs.statement.endswith(SEED_IN_NAMES):
        words = f"variant and {SEED_IN_NAMES}"
    statement = "; ".join(filter(None, [before, words]))
    table = runs.table.assign(variant=list(runs.names))
    return NamedVariants(replace(runs, table=table, statement=statement), options)


def are_variants(names: Sequence[str], baseline: str) -> bool:
    """Return whether the names of runs, without their seeds, name variants.

    They do if one of them is the baseline that is asked for; without one, if on average two runs have each name.
    """
    return baseline in names or (baseline == BASELINE and 2 * len(set(names)) <= len(names))


def taken_columns(table: pd.DataFrame, options: TableOptions, seed: str) -> list[str]:
    """Return the columns with another role than that of a configuration key."""
    metrics = [options.metric, *(metric.name for metric in options.secondary)]
    columns = [find_column(table, name, is_metric=True) for name in metrics if name]
    columns.append(find_column(table, options.dataset) if options.dataset else None)
    roles = [seed, *filter(None, columns)]
    asked = options.status and find_column(table, options.status)
    return [*roles, *status_columns(table, asked or options.status, roles)]


def _columns_of_scores(table: pd.DataFrame, seed: str, options: TableOptions) -> list[str]:
    """Return the columns of numbers that vary in a table with one row per seed, which may be one column per variant."""
    if table[seed].map(canonical).duplicated().any() or (options.metric and find_column(table, options.metric)):
        return []
    cells = {str(name): list(filter(None, map(canonical, table[name]))) for name in table.columns if name != seed}
    return [plain(name) for name, texts in cells.items() if len(set(texts)) > 1 and all(map(is_number, texts))]


def _none_found(keys: VaryingKeys, scores: Sequence[str] = ()) -> str:
    if len(scores) > 1:
        return (
            f"No variants found: each seed has one row. If {listed(scores, 3)} are scores of a variant each, write one "
            "row per run, with columns for the variant, the seed and the score (pandas.melt does)"
        )
    others = "; ".join(f"{listed(names, 3)} ({reason})" for reason, names in keys.left_out.items())
    return (
        "No variants found: there is no column variant, and no configuration key has values that several runs share"
        + (f". Other keys that differ: {others}" if others else "")
        + ". Choose the column with --variant-param NAME, or name the variants by their factors with --factor-params"
    )


def _named(runs: RunTable, options: TableOptions, varying: VaryingKeys, *, is_asked: bool) -> NamedVariants:
    table = runs.table
    cells = {name: table[name].map(canonical).tolist() for name in varying.keys}
    settings: list[Values] = list(zip(*cells.values(), strict=True))
    keys = _keys(table, varying)
    configurations = _configurations(runs, options, keys, settings)
    explicit = ["--variant-param", ",".join(plain(key.column) for key in keys)]
    found = FoundVariants(keys, list(configurations.values()), varying.left_out, explicit, is_asked)
    matching = matching_configurations(table, varying, settings, options.baseline)
    baseline, origin = choose_baseline(found, configurations, options.baseline, matching)
    names = {values: _difference(keys, values, baseline) for values in configurations}
    ordered = [baseline, *(values for values in configurations if values != baseline)]
    found = replace(
        found,
        configurations=[replace(configurations[values], variant=names[values]) for values in ordered],
        options=[*explicit, "--baseline", configurations[baseline].values,
                 *([] if options.seed == "seed" else ["--seed-param", options.seed])],
        origin=origin,
    )  # fmt: skip
    table = table.assign(variant=[names[values] for values in settings])
    factors = _factors(table, keys, settings, baseline)
    table = table.assign(**{name: column for name, column in factors.items() if column is not None})
    changed = replace(options, variant="variant", baseline=BASELINE, factors=tuple(factors), detect_factors=False)
    if not factors:
        changed = replace(changed, components={key.column: key.short for key in keys})
    statement = "; ".join(filter(None, [runs.statement, found.statement]))
    return NamedVariants(replace(runs, table=table, statement=statement), changed, found)


def _keys(table: pd.DataFrame, varying: VaryingKeys) -> list[Key]:
    shorts = Counter(short_name(name) for name in varying.keys)
    found = []
    for name, linked in varying.keys.items():
        spellings: dict[str, list[str]] = {}
        for cell in dict.fromkeys(str(cell).strip() for cell in table[name]):
            spellings.setdefault(canonical(cell), []).append(cell)
        several = [" = ".join(cells) for cells in spellings.values() if len(cells) > 1]
        short = short_name(name) if shorts[short_name(name)] == 1 else plain(name)
        texts = {value: min(cells, key=len) for value, cells in spellings.items() if value not in ("true", "false")}
        found.append(Key(name, short, list(map(plain, linked)), several, texts))
    return found


def _configurations(
    runs: RunTable, options: TableOptions, keys: Sequence[Key], settings: Sequence[Values]
) -> dict[Values, Configuration]:
    """Return the configurations, those with the most runs first."""
    table, column = runs.table, find_column(runs.table, options.seed)
    found: dict[Values, dict[int, str]] = {}
    seeds = table[column].map(str) if column else [""] * len(table)
    for values, run, seed in zip(settings, run_of_rows(runs, options), seeds, strict=True):
        found.setdefault(values, {}).setdefault(run, seed)
    return {
        values: Configuration("", in_words(keys, values), len(seeds_of), list(dict.fromkeys(seeds_of.values())))
        for values, seeds_of in sorted(found.items(), key=lambda pair: -len(pair[1]))
    }


def in_words(keys: Sequence[Key], values: Sequence[str]) -> str:
    """Return the values of keys: `lr=0.1, optimizer=sgd`."""
    return ", ".join(key.text(value) for key, value in zip(keys, values, strict=True))


def _difference(keys: Sequence[Key], values: Values, baseline: Values) -> str:
    places = [place for place in range(len(keys)) if values[place] != baseline[place]]
    return in_words([keys[place] for place in places], [values[place] for place in places]) or BASELINE


def _factors(
    table: pd.DataFrame, keys: Sequence[Key], settings: Sequence[Values], baseline: Values
) -> dict[str, list[str] | None]:
    """Return a true/false column for each key, None for a column of the table, if every key has two values.

    A key with other values than true and false is a factor that is off in the baseline: `optimizer=sgd`.
    """
    factors: dict[str, list[str] | None] = {}
    for place, key in enumerate(keys):
        levels = {values[place] for values in settings}
        if len(levels) != 2:
            return {}
        if levels == {"true", "false"}:
            factors[key.column] = None
            continue
        (other,) = levels - {baseline[place]}
        name = key.text(other)
        if name in table.columns:
            return {}
        factors[name] = [str(values[place] == other).lower() for values in settings]
    return factors
