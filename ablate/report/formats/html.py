"""The report as one self-contained HTML file: the rendered Markdown with its images embedded."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; background: #fff; max-width: 70rem; margin: 0 auto;
       padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .84rem; }
th, td { border: 1px solid #ddd; padding: .25rem .45rem; vertical-align: top; text-align: left; }
td { overflow-wrap: normal; } td code { white-space: nowrap; } th { background: #f4f4f4; }
[style*="text-align:right"] { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th[style] { white-space: normal; }
img { max-width: 100%; height: auto; }
blockquote { margin: .6rem 0; padding: .1rem .9rem; border-left: .3rem solid #d55e00; background: #fff6ef; }
code, pre { font: .9em ui-monospace, monospace; background: #f4f4f4; } pre { padding: .7rem; overflow-x: auto; }
@media print { body { max-width: none; font-size: 11px; } img, tr { break-inside: avoid; } }
"""
_IMAGE = re.compile(r'<img src="(figures/[\w\-]+\.png)"')


def html(markdown: str, title: str, folder: Path) -> str:
    """Return the HTML page of a report; images are read from `folder`. Raw HTML in the Markdown is shown as text."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    body = _IMAGE.sub(lambda found: f'<img src="{_inlined(folder / found[1])}"', body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _inlined(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
