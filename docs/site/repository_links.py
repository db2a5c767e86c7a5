"""Links of the Markdown files, resolved as on GitHub: to pages of the site, to source files and to folders.

A linked source file or folder gets a page of its own, other linked files are copied, so that the site is complete.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LANGUAGES = {
    ".cpp": "cpp",
    ".h": "cpp",
    ".ini": "ini",
    ".md": "text",
    ".py": "python",
    ".sh": "bash",
    ".toml": "toml",
    ".txt": "text",
    "Makefile": "make",
}
"""Files that are shown on a page, by suffix or name, with their languages."""

_EXTERNAL = re.compile(r"[a-z]+:|#")
_ATTRIBUTE = re.compile(r'\b(?:src|srcset)="([^"]+)"')
_LOG = logging.getLogger(__name__)


class LinkedFiles:
    """The files and folders of the repository that pages link to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown: set[Path] = set()
        self.copied: set[Path] = set()

    def page_name(self, path: Path) -> str:
        """Return the name of the page that shows a file or folder."""
        return f"files/{path.relative_to(self.root).as_posix()}"

    def add(self, path: Path) -> str:
        """Register a file or folder, and return its address in the site."""
        if path.is_dir() or language(path):
            self.shown |= {path, *(contents(path) if path.is_dir() else ())}
            return f"{self.page_name(path)}.html"
        self.copied.add(path)
        return path.relative_to(self.root).as_posix()


def language(path: Path) -> str | None:
    """Return the language of a file that a page can show, otherwise None."""
    return LANGUAGES.get(path.suffix or path.name)


def contents(folder: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder that pages can show."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "__pycache__")):
            yield path
            yield from contents(path)
        elif path.is_file() and language(path):
            yield path


def resolve_links(app: Sphinx, document: nodes.document, page: str) -> None:
    """Replace the relative links of a page by links within the site, and copy what its raw HTML shows."""
    folder = Path(app.env.doc2path(page)).parent
    for node in document.findall(nodes.reference):
        target = node.get("refuri", "")
        if target.startswith("#") and not node.get("internal"):
            node["refuri"] = f"#{_anchor(app, page, target[1:], node)}"
        elif target and not _EXTERNAL.match(target) and not node.get("internal"):
            node["refuri"] = _address(app, page, folder, node)
    for raw in document.findall(nodes.raw):
        names = (name for name in _ATTRIBUTE.findall(raw.astext()) if not _EXTERNAL.match(name))
        _linked(app).copied |= {Path(os.path.normpath(folder / unquote(name))) for name in names}


def _linked(app: Sphinx) -> LinkedFiles:
    linked: LinkedFiles = app.linked_files  # type: ignore[attr-defined]  # set below
    return linked


def _address(app: Sphinx, page: str, folder: Path, node: nodes.reference) -> str:
    """Return the address of the target of a link, relative to the page."""
    name, _, anchor = unquote(node["refuri"]).partition("#")
    path = Path(os.path.normpath(folder / name))
    other = app.env.path2doc(path)
    if other in app.env.found_docs:
        address = f"{other}.html"
        if anchor:
            address += f"#{_anchor(app, other, anchor, node)}"
    elif path.exists() and path.is_relative_to(app.srcdir):
        address = _linked(app).add(path)
    else:
        _LOG.warning("The target of the link %r does not exist", node["refuri"], location=node)
        return str(node["refuri"])
    return posixpath.relpath(address, posixpath.dirname(page) or ".")


def _anchor(app: Sphinx, page: str, anchor: str, node: nodes.Node) -> str:
    """Return the identifier of the section with an anchor of GitHub."""
    sections: dict[str, tuple[int, str, str]] = app.env.metadata[page].get("myst_slugs", {})
    if anchor not in sections:
        _LOG.warning("%s has no heading with the anchor %r", page, anchor, location=node)
        return anchor
    return sections[anchor][1]


def file_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each file and folder that is shown."""
    linked = _linked(app)
    for path in sorted(linked.shown):
        title = path.relative_to(linked.root).as_posix()
        body = _folder_body(path, linked) if path.is_dir() else _file_body(app, path)
        heading = f"<h1>{escape(title)}{'/' * path.is_dir()}</h1>"
        yield linked.page_name(path), {"title": title, "body": heading + body}, "page.html"


def _file_body(app: Sphinx, path: Path) -> str:
    return str(app.builder.highlighter.highlight_block(path.read_text(encoding="utf-8"), language(path)))  # type: ignore[attr-defined]  # of HTML builders


def _folder_body(folder: Path, linked: LinkedFiles) -> str:
    rows = [
        f'<li><a class="reference internal" href="{escape(folder.name)}/{escape(path.name)}.html">'
        f'<code class="literal">{escape(path.name)}{"/" * path.is_dir()}</code></a></li>'
        for path in sorted(linked.shown)
        if path.parent == folder
    ]
    return f"<ul>{''.join(rows)}</ul>"


def complete_site(app: Sphinx, error: Exception | None) -> None:
    """Copy the linked files, and make the first page the index."""
    if error:
        return
    for path in sorted(_linked(app).copied):
        target = Path(app.outdir) / path.relative_to(app.srcdir)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(Path(app.outdir) / f"{app.config.root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register this extension with Sphinx."""
    app.linked_files = LinkedFiles(Path(app.srcdir))  # type: ignore[attr-defined]
    app.connect("doctree-resolved", resolve_links)
    app.connect("html-collect-pages", file_pages)
    app.connect("build-finished", complete_site)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
