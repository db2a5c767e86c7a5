"""The report as one Markdown document, in the order that the statistics prescribe."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.answer import answer, head
from ablate.report.card import card, main_tables
from ablate.report.closing import diagnostics, file_list, glossary, limits, reproduce
from ablate.report.evidence import attribution_section, figures_section, noise_section
from ablate.report.pictures import Picture
from ablate.report.tuning_section import tuning_section


def markdown(found: Analysis, pictures: Sequence[Picture], files: Sequence[str]) -> str:
    """The whole report; `pictures` are those that were drawn, `files` what lies beside it."""
    parts = [
        head(found.material),
        answer(found),
        card(found),
        main_tables(found) if found.effects else "",
        figures_section(pictures),
        attribution_section(found, pictures),
        tuning_section(found, pictures),
        noise_section(found, pictures),
        diagnostics(found),
        limits(found),
        reproduce(found.material.commands),
        glossary(),
        file_list(files),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
