"""Print the variants that were found among runs of other programs, before the result and instead of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ablate import console

if TYPE_CHECKING:
    from ablate.report.analysis import Analysis
    from ablate.report.found_variants import FoundVariants


@contextmanager
def shown_if_unclear() -> Iterator[None]:
    """Print the variants that were found before an error that asks for a choice among them."""
    from ablate.report.found_variants import UnclearVariantsError

    try:
        yield
    except UnclearVariantsError as error:
        for row in error.found.table[1]:
            console.info("  ".join(row))
        for line in error.found.lines:
            console.info(line)
        raise


def print_found(found: FoundVariants | None) -> None:
    """Print the table of the variants, the keys left out, and the options that ask for them explicitly."""
    if found is None:
        return
    console.table(*found.table)
    for line in found.lines:
        console.result(line)
    console.result("")


def print_preview(analysis: Analysis, *, as_json: bool) -> None:
    """Print the variants with their runs, how the runs were read, and the account of all runs."""
    from ablate.report.accounting import account_for, seeds_with_results
    from ablate.stats.effects.seeds import spans

    study, account = analysis.study, account_for(analysis)
    known = seeds_with_results(study)
    seeds = {name: known.get(name, []) for name in dict.fromkeys(study.runs["variant"].map(str))}
    rows = [[name, len(found), spans(found)] for name, found in seeds.items()]
    if as_json:
        facts: dict[str, Any] = {
            "study": study.name,
            "variants": [dict(zip(("variant", "runs", "seeds"), row, strict=True)) for row in rows],
            "found": None if study.found is None else asdict(study.found),
            "accounting": asdict(account),
            "cautions": list(study.cautions),
            "statement": study.statement,
        }
        console.print_json(facts)
        return
    print_found(study.found)
    for text in study.cautions:
        console.warning(text)
    if study.found is None:
        console.table(["variant", "runs with a result", "seeds"], rows)
    console.result(account.sentence or f"All {account.used:,} runs are used.")
    console.result(study.statement)
