"""The end of a report: commands to reproduce it, glossary, list of files."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import bold, bullets, escape, fenced, link

GLOSSARY = (
    ("seed", "the number that determines all randomness of a run: initial weights, data order, augmentation"),
    ("paired", "compared within each seed, so that variation shared by both variants cancels"),
    ("SD", "standard deviation, the variation of individual runs between seeds"),
    ("SE", "standard error, the uncertainty of a mean of several runs; it shrinks with more seeds, the SD does not"),
    (
        "95 % interval",
        "confidence interval, the differences compatible with the runs; in 95 of 100 such studies it contains the true "
        "difference",
    ),
    (
        "family-wise interval",
        "a wider interval: in 95 of 100 such studies, all intervals of a family of comparisons contain their true "
        "differences",
    ),
    (
        "p (Holm)",
        "p-value, the probability of a difference at least as large if there were none, adjusted for the number of "
        "comparisons",
    ),
    (
        "equivalence (TOST)",
        "the test that a difference is within the margin; only this test can show that there is no practically "
        "meaningful effect",
    ),
    ("margin", "the smallest difference that matters, chosen before the runs"),
    ("MDE", "minimum detectable effect; smaller true differences are likely to be missed with this number of seeds"),
    ("rho", "correlation of the two variants over seeds; the higher, the more pairing helps"),
    ("interaction, synergy", "two components together add more, or less, than the sum of what each adds alone"),
)


def reproduce(commands: Sequence[str]) -> str:
    """Return the section with the commands that repeat the study and its report."""
    if not commands:
        return ""
    return "## Reproduce\n\n" + fenced("\n".join(commands), "sh")


def glossary() -> str:
    """Return the section with the terms of the report."""
    return "## Glossary\n\n" + bullets(f"{bold(term)}: {escape(meaning)}." for term, meaning in GLOSSARY)


def file_list(names: Sequence[str]) -> str:
    """Return the other files of the report."""
    return "Other files: " + ", ".join(map(link, names)) + "."
