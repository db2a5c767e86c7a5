"""The report as one self-contained HTML file with its images embedded, and images for phones in Markdown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock

_STYLE = """
:root { color-scheme: light dark; --text: #222; --page: #fff; --line: #ddd; --shade: #f4f4f4; --link: #0060a8;
        --warn: #fff6ef; --quiet: #595959; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e3e3; --page: #16181c; --line: #3c4048; --shade: #24272e; --link: #7cc0ff; --warn: #33241a;
          --quiet: #a8adb5; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 62rem;
       margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.3; } h1 small { font-size: 1rem; font-weight: normal; }
h2 { margin-top: 2rem; border-bottom: 1px solid var(--line); }
a { color: var(--link); } p > em:only-child { color: var(--quiet); font-size: .9rem; }
nav { font-size: .92rem; line-height: 1.9; margin: 1rem 0; padding: .3rem .8rem; background: var(--shade);
      border-radius: .4rem; } nav a { margin-right: .9rem; white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .6rem 0; padding: 0 .9rem; }
summary { cursor: pointer; margin: 0 -.9rem; padding: .55rem .9rem; }
details[open] > summary { border-bottom: 1px solid var(--line); margin-bottom: .6rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { border: 1px solid var(--line); padding: .25rem .45rem; vertical-align: top; text-align: left; }
td { overflow-wrap: normal; } td:nth-child(n+6):not([style]) { min-width: 9rem; }
td code { white-space: nowrap; } th { background: var(--shade); }
[style*="text-align:right"] { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th[style] { white-space: normal; }
.figure { display: block; overflow-x: auto; background: #fff; border-radius: .4rem; }
.figure img { display: block; width: 100%; max-width: 60rem; height: auto; margin: 0 auto; }
thead:not(:has(th:not(:empty))) { display: none; }
.small img { width: auto; max-width: 100%; }
blockquote { margin: .6rem 0; padding: .1rem .9rem; border-left: .3rem solid #d55e00; background: var(--warn); }
code, pre { font: .9em ui-monospace, monospace; background: var(--shade); }
pre { padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; } pre code { font-size: 1em; }
@media (max-width: 40rem) { body { padding: .7rem; } table { font-size: .8rem; } th, td { padding: .2rem .3rem; }
  td code { white-space: normal; } nav { white-space: nowrap; overflow-x: auto; }
  .scroll img { width: 46rem; max-width: none; } }
@media print {
  :root { color-scheme: light; --text: #222; --page: #fff; --line: #ddd; --shade: #f4f4f4; --link: #222;
          --warn: #fff6ef; --quiet: #595959; }
  html, body { font-size: 11px; } body { max-width: none; } img, tr { break-inside: avoid; } nav { display: none; }
  details::details-content { content-visibility: visible; } details { border: 0; padding: 0; }
  h2, summary { break-after: avoid; } summary { list-style: none; font-size: 1.15em; }
  .table { overflow: visible; } table { font-size: .85em; } pre { white-space: pre-wrap; } }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The content security policy: no scripts, no forms, and nothing is loaded; styles and images are in the page."""

_IMAGE = re.compile(r'<img src="(figures/[\w\-]+\.png)"(.*?)>')
_MARKDOWN_IMAGE = re.compile(r"^!\[(.*)\]\((figures/[\w\-]+\.png)\)$", re.MULTILINE)
_NARROW = "(max-width: 40rem)"  # the same width as in the style above
_SCROLLING = 736  # pixels; 46rem in the style above
_SCALE = re.compile(r"<h1>(.*?) (\(.*\))</h1>")
_FOLD = re.compile(r"<details(?: open)?>|</details>|<summary><b>[^<>]+</b>[^<>]*</summary>")
_TITLE = re.compile(r"<h2>(?P<heading>.*?)</h2>|<summary><b>(?P<fold>.*?)</b>.*?</summary>")


def fragment(markdown: str) -> str:
    """Return Markdown as HTML for a part of a page, such as the output of a notebook's cell."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))


def picture(png: bytes, description: str) -> str:
    """Return a picture as HTML with its content."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<img src="{source}" alt="{escape(description)}" style="max-width: 60rem; width: 100%; background: #fff">'


def html(markdown: str, title: str, folder: Path) -> str:
    """Return the HTML page of a report; images are read from `folder`.

    Raw HTML in the Markdown is shown as text, except the lines that begin and end a fold.
    """
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.block.ruler.before("paragraph", "fold", _fold, {"alt": ["paragraph", "reference", "blockquote"]})
    body = renderer.render(markdown)
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    body = _SCALE.sub(r"<h1>\1 <small>\2</small></h1>", _with_contents(body), count=1)
    body = _IMAGE.sub(lambda found: _figure(folder / found[1], found[2]), body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def with_pictures(markdown: str, folder: Path) -> str:
    """Return the Markdown with images that have a narrow variant in `folder` as HTML that chooses by screen width."""

    def picture(found: re.Match[str]) -> str:
        description, path = found.groups()
        narrow = _narrow(folder / path)
        if not narrow.exists():
            return found[0]
        plain = escape(unescape(re.sub(r"\\([^\w\s])", r"\1", description)))
        return (
            f'<picture>\n<source media="{_NARROW}" srcset="figures/{narrow.name}">\n'
            f'<img src="{path}" alt="{plain}">\n</picture>'
        )

    return _MARKDOWN_IMAGE.sub(picture, markdown)


def _fold(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    """Keep a line that begins or ends a fold as HTML: a block rule of markdown-it."""
    line = state.getLines(start, start + 1, 0, False).strip()
    if state.level or not _FOLD.fullmatch(line):
        return False
    if not silent:
        state.line = start + 1
        state.push("html_block", "", 0).content = f"{line}\n"
    return True


def _with_contents(body: str) -> str:
    """Return the page with anchors at its sections, and links to them after the title.

    The anchor of a fold is inside it, so that browsers open the fold.
    """
    names = _names(body)

    def with_anchor(found: re.Match[str]) -> str:
        name = next(names)[0]
        return (
            f'<h2 id="{name}">{found["heading"]}</h2>' if found["heading"] else f'{found[0]}\n<span id="{name}"></span>'
        )

    links = " ".join(f'<a href="#{name}">{title}</a>' for name, title in _names(body))
    anchored = _TITLE.sub(with_anchor, body)
    return anchored.replace("</h1>", f'</h1>\n<nav aria-label="Contents">{links}</nav>', 1) if links else anchored


def _names(body: str) -> Iterator[tuple[str, str]]:
    """Yield anchor and title of each section."""
    for number, found in enumerate(_TITLE.finditer(body)):
        title = found["heading"] or found["fold"]
        yield re.sub(r"\W+", "-", title.lower()).strip("-") or f"section-{number}", title


def _figure(path: Path, attributes: str) -> str:
    """Return an image, and on narrow screens the one for them. A wide image without one scrolls."""
    image, narrow = f'<img src="{_inlined(path)}"{attributes}>', _narrow(path)
    if not narrow.exists():
        kind = "scroll" if _pixels_across(path) > _SCROLLING else "small"
        return f'<span class="figure {kind}">{image}</span>'
    source = f'<source media="{_NARROW}" srcset="{_inlined(narrow)}">'
    return f'<span class="figure"><picture>{source}{image}</picture></span>'


def _narrow(path: Path) -> Path:
    return path.with_stem(f"{path.stem}-narrow")


def _pixels_across(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:20], "big")  # the first field of a PNG file


def _inlined(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
