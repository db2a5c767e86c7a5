"""The navigation of the site, from the index in docs/README.md, and the descriptions on the page of the interface."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass
from pathlib import Path

from sphinx.application import Sphinx

import ablate

INDEX, INTERFACE = "docs/README", "docs/api"

_SECTION = re.compile(r"^## (?P<title>.*)$|\[(?P<text>[^\]]+)\]\((?P<page>[^)#:]+)\.(?P<kind>md|ipynb)\)", re.MULTILINE)
_NAMES = re.compile(r"^\| name \| purpose \|\n\|.*\n(?:\|.*\n)+", re.MULTILINE)
_NAME = re.compile(r"^\| \[`(?P<name>\w+)`\]\(\.\./(?P<module>[\w/]+)\.py\)", re.MULTILINE)


def complete_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the navigation to the first page, and descriptions to that of the interface."""
    if page == app.config.root_doc:
        index = Path(app.env.doc2path(INDEX)).read_text(encoding="utf-8")
        source[0] += "".join(navigation(index))
    elif page == INTERFACE:
        source[0] = _NAMES.sub(lambda table: "\n".join(map(_description, _NAME.finditer(table[0]))), source[0])


def navigation(index: str) -> Iterator[str]:
    """Yield a hidden table of contents for each section of the index."""
    sections: dict[str, list[str]] = {"Documentation": [f"Contents <{INDEX}>"]}
    title = ""
    for found in _SECTION.finditer(index):
        title = found["title"] or title
        if found["page"] and title:
            page = posixpath.normpath(posixpath.join(posixpath.dirname(INDEX), found["page"]))
            sections.setdefault(title, []).append(f"{found['text']} <{page}>" if found["kind"] == "md" else page)
    for caption, pages in sections.items():
        entries = "\n".join(dict.fromkeys(pages))
        yield f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def _description(found: re.Match[str]) -> str:
    """Return the directive that describes a name by its docstring."""
    name, module = found["name"], found["module"].replace("/", ".")
    path = f"ablate.{name}" if name in ablate.__all__ else f"{module}.{name}"
    if not isclass(getattr(import_module(module), name)):
        return f"```{{eval-rst}}\n.. autofunction:: {path}\n```\n"
    return f"```{{eval-rst}}\n.. autoclass:: {path}\n   :members:\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register this extension with Sphinx."""
    app.connect("source-read", complete_page)
    return {"parallel_read_safe": True}
