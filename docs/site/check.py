"""Check a built site: every link and anchor has a target, and no page loads anything from another host.

python docs/site/check.py build/site
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_STYLE_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s]+)""")
_LOADED = {
    "img": ("src", "srcset"),
    "link": ("href",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "iframe": ("src",),
}


@dataclass
class Page(HTMLParser):
    """The links, loaded files and anchors of a page."""

    text: str
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag links to, loads and names."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loaded += [given[name] for name in _LOADED.get(tag, ()) if name in given]


def problems(site: Path) -> Iterator[str]:
    """Yield a line for each link without a target and each file of another host."""
    pages = {path.relative_to(site).as_posix(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    for name, page in sorted(pages.items()):
        for target in dict.fromkeys([*page.links, *page.loaded]):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loaded and parts.scheme != "data":
                    yield f"{name} loads {target}"
                continue
            other = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
            )
            if not (site / other).is_file():
                yield f"{name} links to {target}, which does not exist"
            elif parts.fragment and other in pages and unquote(parts.fragment) not in pages[other].anchors:
                yield f"{name} links to {target}: no such anchor"
    for path in sorted(site.rglob("*.css")):
        for target in _STYLE_URL.findall(path.read_text(encoding="utf-8")):
            if target.startswith(("http:", "https:", "//")):
                yield f"{path.relative_to(site).as_posix()} loads {target}"


def main(site: Path) -> int:
    """Print the problems of a site, and return the exit code."""
    found = list(problems(site))
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
