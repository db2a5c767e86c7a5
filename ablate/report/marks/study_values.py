"""The values of a study by variant and quantity, and the tables of its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ablate.errors import UserError
from ablate.report.analysis import Analysis
from ablate.report.formats.csv_writer import interactions_rows
from ablate.report.formats.numbers import digits_of
from ablate.report.marks.quantities import QUANTITIES
from ablate.report.marks.syntax import Mark, quoted
from ablate.report.marks.tables import Table, report_tables
from ablate.report.marks.values import Value
from ablate.report.sections.answer import effect_sentence
from ablate.stats.effects import Effect
from ablate.wording import listed, nearest

MOST_NAMES = 60
"""Names that an error lists."""

_FIXED_N = frozenset(
    ("ci_low", "ci_high", "fw_low", "fw_high", "p", "p_holm", "p_tost", "p_tost_holm", "p_welch", "p_signflip")
)
"""Columns that hold for a number of seeds that was fixed before the runs."""

_BOUNDS = frozenset(("interval_low", "interval_high", "verdict_low", "verdict_high"))


@dataclass(frozen=True)
class Row:
    """The numbers of one comparison, reference, pair or component.

    Attributes:
        name: The name of the variant, pair or component.
        reference: The variant that it is compared with; empty if it is not a comparison.
        columns: The numbers and words by column.
        invalid: Columns that do not apply, because seeds were added after a report.
    """

    name: str
    reference: str
    columns: Mapping[str, Any] = field(repr=False)
    invalid: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StudyValues:
    """The values of a study."""

    analysis: Analysis

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables of the report by section."""
        return report_tables(self.analysis)

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """The rows by name."""
        found: dict[str, list[Row]] = {}
        for row in [*self._comparisons(), *self._pairs(), *self._components()]:
            found.setdefault(row.name, []).append(row)
        for row in self._references():
            if row.name not in found or not found[row.name][0].reference:
                found.setdefault(row.name, []).append(row)
        return found

    @cached_property
    def study_row(self) -> Row:
        """The quantities of the whole study."""
        study, counts = self.analysis.study, self.analysis.study.counts
        columns: dict[str, Any] = {
            "margin": study.margin,
            "comparisons": len(self.analysis.headline),
            "runs": counts.results,
            "unstable_runs": counts.statuses.get("unstable", 0),
            "metric": study.metric.label,
            "scale": study.scale,
        }
        known = {"seeds": len(study.seeds), "planned_runs": counts.planned}
        return Row("", "", columns | {name: number for name, number in known.items() if number})

    def value(self, mark: Mark) -> Value:
        """Return the value that a mark names. Raises UserError if the study does not have it."""
        rows = self._named(mark) if mark.variant else [self.study_row]
        quantity = QUANTITIES.get(mark.quantity.replace("-", "_"))
        having = [row for row in rows if quantity is not None and quantity.is_in(row.columns)]
        if quantity is None or not having:
            known = [name for name, one in QUANTITIES.items() if any(one.is_in(row.columns) for row in rows)]
            known += [] if mark.variant else self.tables
            raise unknown_in("quantity", mark.quantity, known, mark.variant or mark.study, mark.line)
        if len(having) > 1:
            raise _ambiguous(mark, having)
        if having[0].invalid & set(quantity.columns):
            raise UserError(
                f"Line {mark.line}: {mark.subject} does not apply, because the seeds were changed after a report. The "
                "`interval` and `fw_interval` of a comparison allow for them"
            )
        return quantity.value(having[0].columns, digits_of(self.analysis.study.metric, self.analysis.study.margin))

    def _named(self, mark: Mark) -> list[Row]:
        rows = self.rows.get(mark.variant, [])
        if not rows:
            raise unknown_in("variant", mark.variant, self.rows, mark.study, mark.line)
        if not mark.reference:
            return rows
        against = [row for row in rows if row.reference == mark.reference]
        if not against:
            known = dict.fromkeys(row.reference for row in rows if row.reference)
            raise unknown_in("reference", mark.reference, known, mark.variant, mark.line)
        return against

    def _comparisons(self) -> list[Row]:
        analysis = self.analysis
        return [self._comparison(effect) for effect in [*analysis.effects, *analysis.retuned]]

    def _comparison(self, effect: Effect) -> Row:
        (low, high), (verdict_low, verdict_high) = effect.interval, effect.verdict_interval
        columns = {
            **effect.row(),
            "cost": -effect.delta,
            "interval_low": low,
            "interval_high": high,
            "verdict_low": verdict_low,
            "verdict_high": verdict_high,
            "cost_low": -high,
            "cost_high": -low,
            "level_in_percent": 100 * effect.level,
            "mean": effect.variant_mean,
            "sd": effect.variant_sd,
            "sentence": effect_sentence(effect, self.analysis.study.metric),
        }
        return Row(effect.variant, effect.reference, columns, _FIXED_N if effect.evidence.extended else frozenset())

    def _references(self) -> list[Row]:
        """Return mean and SD of each reference, once for each set of seeds that it shares with variants."""
        found = {}
        for effect in [*self.analysis.effects, *self.analysis.retuned]:
            columns = {"mean": effect.baseline_mean, "sd": effect.baseline_sd}
            found[effect.reference, repr(columns)] = Row(effect.reference, "", columns)
        return list(found.values())

    def _pairs(self) -> list[Row]:
        invalid = _FIXED_N | _BOUNDS if self.analysis.study.protocol.extended else frozenset[str]()
        return [
            Row(
                pair["pair"],
                "",
                {
                    **pair,
                    "interval_low": pair["ci_low"],
                    "interval_high": pair["ci_high"],
                    "verdict_low": pair["fw_low"],
                    "verdict_high": pair["fw_high"],
                    "level_in_percent": 100 * pair["level"],
                },
                invalid,
            )
            for pair in interactions_rows(self.analysis)
        ]

    def _components(self) -> list[Row]:
        """Return the Shapley value, leave-one-out and add-one-in of each component."""
        shares = self.analysis.attribution.shares if self.analysis.attribution else ()
        extended = self.analysis.study.protocol.extended
        rows = []
        for share in shares:
            bounds = frozenset(name for name in vars(share) if name.endswith(("_low", "_high")))
            rows.append(Row(share.factor, "", vars(share), bounds if extended else frozenset()))
        return rows


def unknown_in(kind: str, name: str, known: Iterable[str], where: str, line: int) -> UserError:
    """Return the error for a name that a study does not have, with the names that it has."""
    known = list(dict.fromkeys(known))
    near = nearest(name, known)
    hint = f" Did you mean {quoted(near)}?" if near else ""
    names = listed(map(quoted, known), MOST_NAMES) or "none"
    return UserError(f"Line {line}: Unknown {kind} {name!r} of {where}.{hint} Known: {names}")


def _ambiguous(mark: Mark, rows: Iterable[Row]) -> UserError:
    references = [quoted(row.reference) for row in rows if row.reference]
    if not references:
        way_out = f"differs between comparisons, by their seeds. Use VARIANT baseline_{mark.quantity}"
    else:
        way_out = (
            f"is ambiguous. State the reference: {quoted(mark.variant)} vs {references[0]} {mark.quantity} (known: "
            f"{listed(references, MOST_NAMES)})"
        )
    return UserError(f"Line {mark.line}: {mark.subject} {way_out}")
