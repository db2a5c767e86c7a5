"""The columns of a table: which one is the variant, the seed, the metric, the status, a factor.

The exact name of a column takes precedence over similar names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.row_checks import named_rows
from ablate.wording import listed, unknown

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_METRICS = ("test_accuracy", "test/accuracy", "accuracy", "test_acc")

_FLAGS = {"variant": "--variant-param", "seed": "--seed-param", "metric": "--metric"}

KINDS = ("metrics", "params", "tags")
"""Prefixes of the columns of MLflow: a name without one means a metric, or a param or tag, by the column's role."""

_TRUE, _FALSE = ("true", "1", "1.0", "yes", "on"), ("false", "0", "0.0", "no", "off")


@dataclass(frozen=True)
class Roles:
    """The columns by role.

    Attributes:
        variant: Column of the variant; None if the factors name the variants.
        seed: Column of the seed.
        metric: Column of the metric.
        factors: Columns of the factors, by the factor's name.
    """

    variant: str | None
    seed: str
    metric: str
    factors: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """All columns with a role."""
        return [*([self.variant] if self.variant else []), self.seed, self.metric, *self.factors.values()]


def find_roles(
    table: pd.DataFrame, *, variant: str | None, seed: str, metric: str | None, factors: Sequence[str]
) -> Roles:
    """Return the columns that are asked for by name, or the default ones.

    Raises UsageError for a column that does not exist, and for one with two roles.
    """
    named = {plain(name): require(table, name, "factor", "--factor-params") for name in factors}
    found_variant = None
    if variant or not factors or find_column(table, "variant"):
        flag = "--variant-param" + ("" if variant else ", or name the variants by their factors with --factor-params")
        found_variant = require(table, variant or "variant", "variant", flag)
    seeds = require(table, seed, "seed", "--seed-param")
    found = _find_metric(table, metric, [seeds, *named.values()])
    chosen = {"seed": seeds, "metric": found, "variant": found_variant}
    for one, other in (("variant", "seed"), ("variant", "metric"), ("seed", "metric")):
        if chosen[one] == chosen[other]:
            raise UsageError(
                f"The column {chosen[one]} cannot be both the {one} and the {other}. Choose them with "
                f"{_FLAGS[one]} and {_FLAGS[other]}"
            )
    return Roles(found_variant, seeds, found, named)


def _find_metric(table: pd.DataFrame, name: str | None, others: Sequence[str]) -> str:
    """Return the column of the metric: the one asked for, if there is none with `/` and `_` as equals, or a default."""
    if name is not None:
        spelled = [name, name.replace("_", "/", 1), name.replace("/", "_")]
        found = (find_column(table, choice, is_metric=True) for choice in spelled)
        return next(filter(None, found), None) or require(table, name, "metric", "--metric")
    defaults = (find_column(table, choice, is_metric=True) for choice in DEFAULT_METRICS)
    default = next(filter(None, defaults), None)
    if default is None:
        free = [plain(column) for column in table.columns if column not in ("variant", "status", *others)]
        raise UsageError(
            f"No metric column found. Choose one with --metric NAME. Columns: {listed(free) or 'none left'}"
        )
    return default


def by_role(table: pd.DataFrame, roles: Roles, statuses: Sequence[str], row_word: str, baseline: str) -> pd.DataFrame:
    """Return the table with the columns `variant`, `seed`, the metric and the factors first, then the others.

    A column that is called like one of these and has another role gets a longer name: `attrs["original"]` has the names
    that the others had, `attrs["results"]` those of metrics. A column `status` is left out if it is one of the
    `statuses`.
    """
    import pandas as pd

    metric = metric_name(table, roles)
    data = {
        "variant": table[roles.variant] if roles.variant else _labels(table, roles.factors, baseline, row_word),
        "seed": table[roles.seed],
        metric: table[roles.metric],
        **{name: table[column] for name, column in roles.factors.items()},
    }
    original, results = {}, []
    for column in table.columns:
        if column in roles.columns or (column == "status" and column in statuses):
            continue
        short = plain(column)
        names = (short.replace("/", "_") if column.startswith("metrics.") else short, short, column)
        longer = (f"{column}_{number}" for number in range(2, len(table.columns) + 3))
        chosen = next(name for name in (*names, *longer) if name not in data and name != "status")
        data[chosen], original[chosen] = table[column], plain(column)
        results += [chosen] if column.startswith("metrics.") else []
    found = pd.DataFrame(data, index=table.index)
    found.attrs |= {"original": original, "results": results}
    return found


def metric_name(table: pd.DataFrame, roles: Roles) -> str:
    """Return the name of the metric: that of its column, with `_` for `/` if no other column is called so."""
    short = plain(roles.metric)
    flat = short.replace("/", "_")
    others = {plain(name) for name in table.columns if name != roles.metric}
    names = (*([flat] if flat == short or flat not in others else []), short, roles.metric, f"{roles.metric}_value")
    return next(name for name in names if name not in ("variant", "seed", "status", *roles.factors))


def plain(column: str) -> str:
    """Return the name of a column without MLflow's prefix."""
    kind, _, name = column.partition(".")
    return name if kind in KINDS and name else column


def _labels(table: pd.DataFrame, factors: Mapping[str, str], baseline: str, row_word: str) -> list[str]:
    on = {name: _switches(table, column, row_word) for name, column in factors.items()}
    return [
        "+".join(f"no-{name.replace('_', '-')}" for name in factors if not on[name][place]) or baseline
        for place in table.index
    ]


def find_column(table: pd.DataFrame, name: str, *, is_metric: bool = False) -> str | None:
    """Return the column `name`: itself, or with the prefix of MLflow's metrics, params or tags.

    Raises UsageError for a param and a tag of that name with different values.
    """
    if name in table.columns:
        return name
    metric, *settings = (f"{kind}.{name}" for kind in KINDS)
    if is_metric and metric in table.columns:
        return metric
    found = [column for column in settings if column in table.columns]
    if len(found) > 1 and not table[found[0]].equals(table[found[1]]):
        raise UsageError(f"{name} is a param and a tag with different values. Name {found[0]} or {found[1]}")
    return next(iter(found), metric if metric in table.columns else None)


def require(table: pd.DataFrame, name: str, role: str, flag: str) -> str:
    """Return the column `name`; raise UsageError with the role of the column and its flag if there is none."""
    found = find_column(table, name, is_metric=role == "metric")
    if found is None:
        raise UsageError(f"{unknown(f'{role} column', name, map(plain, table.columns))}. Choose it with {flag}")
    return found


def find_factors(
    table: pd.DataFrame, asked: Sequence[str], row_word: str, *, detect: bool = True
) -> tuple[list[str], pd.DataFrame]:
    """Return the true/false columns in which variants differ, and one row per variant with these columns.

    The columns are those `asked` for, or if they are to be detected, all except metrics with only the words true and
    false that agree in all runs of a variant.
    Raises UserError for an asked one whose rows disagree.
    """
    import pandas as pd

    asked = list(map(plain, asked))
    others = ("variant", "seed", "status", *table.attrs.get("results", ()))
    words = {*_TRUE, *_FALSE} if asked else {"true", "false"}
    names = asked or [
        name
        for name in (table.columns if detect else ())
        if name not in others and set(table[name].map(_lower)) <= words
    ]
    switches = pd.DataFrame({name: _switches(table, name, row_word) for name in names}, index=table.index)
    kinds = switches.groupby(table["variant"]).nunique()
    torn = [name for name in names if (kinds[name] > 1).any()]
    if torn and asked:
        variant = kinds.index[kinds[torn[0]] > 1][0]
        rows = table[table["variant"] == variant]
        raise UserError(f"The runs of {variant} have different values of {torn[0]}: "
                        f"{named_rows(rows, row_word, torn[0])}")  # fmt: skip
    names = [name for name in names if name not in torn]
    design = switches[names].groupby(table["variant"], sort=False).first().astype(bool)
    design.index.name = None
    varying = [name for name in names if design[name].nunique() > 1]
    return varying, design[varying]


def _lower(value: object) -> str:
    return str(value).strip().lower()


def _switches(table: pd.DataFrame, name: str, row_word: str) -> pd.Series:
    cells = table[name].map(_lower)
    odd = table[~cells.isin([*_TRUE, *_FALSE])]
    levels = sorted(set(cells) - {""})
    if len(levels) > 2:
        raise UserError(
            f"The column {name} has {len(levels)} levels ({listed(levels)}), but a factor has two. To compare the "
            f"levels, use --variant-param {name}"
        )
    if len(odd):
        raise UserError(f"The factor {name} is neither true nor false in {named_rows(odd, row_word, name)}")
    return cells.isin(_TRUE)
