"""Commands to reproduce the report, glossary, list of files."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import bold, bullets, code, escape, fenced

GLOSSARY = (
    ("seed", "the number that fixes all chance in a run: initial weights, order of the data, random augmentation"),
    ("paired", "compared within each seed, so that what is luck in both arms cancels"),
    ("SD", "standard deviation: how much single runs differ from seed to seed"),
    ("SE", "standard error: how uncertain the average of several runs is; it shrinks with more seeds, the SD does not"),
    (
        "95 % interval",
        "the differences that are compatible with the runs; in 95 of 100 such studies it holds the truth",
    ),
    ("family-wise interval", "the same, widened so that all intervals of a family hold at once in 95 of 100 studies"),
    ("p (Holm)", "how surprising the difference would be if there were none, corrected for the number of comparisons"),
    (
        "equivalence (TOST)",
        "the test that a difference is smaller than the margin; only it can show that nothing matters",
    ),
    ("margin", "the smallest difference that matters, chosen before the runs"),
    ("MDE", "minimum detectable effect: smaller true differences are likely to be missed with so many seeds"),
    ("rho", "correlation of the two arms over seeds; the higher, the more pairing helps"),
    ("interaction, synergy", "two components together do more, or less, than the sum of each alone"),
)


def reproduce(commands: Sequence[str]) -> str:
    """The commands that make the same report again."""
    if not commands:
        return ""
    return "## Reproduce\n\n" + fenced("\n".join(commands), "sh")


def glossary() -> str:
    """The terms of the report in plain words."""
    return "## Glossary\n\n" + bullets(f"{bold(term)}: {escape(words)}." for term, words in GLOSSARY)


def file_list(names: Sequence[str]) -> str:
    """What else lies in the folder."""
    return "Files beside this one: " + ", ".join(code(name) for name in names) + "."
