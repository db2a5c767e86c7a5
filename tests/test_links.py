"""Links and images of all Markdown files have a target, and anchors a heading."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

from tests import ROOT

REPORTS = sorted(folder.parent / "report.md" for folder in (ROOT / "reports").glob("*/journal"))
FILES = [
    *sorted(ROOT.glob("*.md")),
    *(path for folder in ("benchmarks", "docs", "reports") for path in sorted((ROOT / folder).glob("*.md"))),
    *REPORTS,
]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
ATTRIBUTE = re.compile(r'\b(?:href|src|srcset)="([^"]*)"')


@cache
def tokens(page: Path) -> list[Token]:
    """Return the tokens of a page, those inside of blocks included."""
    return [inner for token in MARKDOWN.parse(page.read_text()) for inner in (token, *(token.children or ()))]


def targets(page: Path) -> Iterator[str]:
    """Yield the targets of the links and images of a page, of its raw HTML too."""
    for token in tokens(page):
        if token.type in ("html_block", "html_inline"):
            yield from ATTRIBUTE.findall(token.content)
        for name in ("href", "src"):
            if name in token.attrs:
                yield str(token.attrs[name])


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    seen: Counter[str] = Counter()
    found = set()
    for before, token in zip(tokens(page), tokens(page)[1:], strict=False):
        if before.type == "heading_open":
            text = "".join(child.content for child in token.children or () if child.type in ("text", "code_inline"))
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found


def exists(path: Path) -> bool:
    """Return whether a file of the repository exists, with its name in the right case on every system."""
    resolved = Path(os.path.normpath(path))
    return resolved.is_relative_to(ROOT) and resolved.exists() and resolved.resolve() == resolved


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_has_a_target(page: Path) -> None:
    wrong = []
    for target in dict.fromkeys(targets(page)):
        if re.match(r"(?:https?|mailto):", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        path = Path(os.path.normpath(page.parent / name)) if name else page
        if not exists(path) or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("page", REPORTS, ids=lambda page: page.parent.name)
def test_every_figure_of_a_report_has_a_variant_for_phones(page: Path) -> None:
    figures = [target for target in targets(page) if target.endswith(".png") and not target.endswith("batch.png")]
    assert figures[:2] == ["figures/forest-narrow.png", "figures/forest.png"]
    assert figures[::2] == [figure.replace(".png", "-narrow.png") for figure in figures[1::2]]
    for figure in targets(page):
        if figure.endswith(("-narrow.png", "batch.png")):
            with Image.open(page.parent / figure) as picture:
                assert picture.width < 700


def test_links_are_found_in_every_form(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b_c` & d\n\n## Twice\n\n## Twice\n\n[x](a.md#b) ![y](c.png) `[not](code.md)`\n\n"
        '<picture>\n<source media="m" srcset="n.png">\n<img src="d.png" alt="">\n</picture>\n\n'
        "```markdown\n[not](either.md)\n# Not a heading\n```\n\n| t |\n|---|\n| [z](e%20f.py) |\n"
    )
    assert [*targets(page)] == ["a.md#b", "c.png", "n.png", "d.png", "e%20f.py"]
    assert anchors(page) == {"a-b_c--d", "twice", "twice-1"}


def test_a_name_in_the_wrong_case_or_outside_of_the_repository_is_missing() -> None:
    assert exists(ROOT / "docs" / ".." / "README.md")
    assert not exists(ROOT / "Readme.md")
    assert not exists(ROOT / ".." / "README.md")
    assert not exists(ROOT.parent)


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_paragraph_is_cut_by_a_line_that_begins_with_a_comment(page: Path) -> None:
    """GitHub shows the rest of such a line as a paragraph of its own, without links or emphasis."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page.read_text(encoding="utf-8"))
    blocks = [token.content for token in tokens if token.type == "html_block"]
    assert [block for block in blocks if re.match(r"\s*<!--.*?-->[^\n<]*\w", block)] == []
