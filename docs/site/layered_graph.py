"""Mermaid graphs as drawings: GitHub draws them in the browser, the site contains the drawing."""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

WIDTH, HEIGHT, GAP, ROW = 108, 30, 26, 74
_EDGE = re.compile(r"^\s*(\w+)(?:\[([^\]]+)\])? --> (\w+)(?:\[([^\]]+)\])?\s*$", re.MULTILINE)

Node = str | tuple[str, str, int]
"""A node, or the point at which an edge between two nodes crosses a row."""


def draw_graphs(_app: Sphinx, document: nodes.document) -> None:
    """Replace Mermaid code by its drawing."""
    for node in list(document.findall(nodes.literal_block)):
        if node.get("language") == "mermaid":
            node.replace_self(nodes.raw("", drawing(node.astext()), format="html"))


def drawing(code: str) -> str:
    """Return the graph as SVG: a node is below all nodes that point to it."""
    found = _EDGE.findall(code)
    edges = [(one, other) for one, _, other, _ in found]
    named = [pair for one, title, other, text in found for pair in ((one, title), (other, text))]
    titles = {name: name for name, _ in named} | {name: title for name, title in named if title}
    depths = _depths(edges)
    paths = [_path(edge, depths) for edge in edges]
    centres = _centres(paths, depths)
    width = max(centres[name] for name in depths) + WIDTH / 2
    height = max(depths.values()) * ROW + HEIGHT
    lines = [_line([(centres[node], _depth(node, depths)) for node in path]) for path in paths]
    boxes = [_box(titles[name], centres[name], depths[name] * ROW) for name in depths]
    spoken = "; ".join(f"{titles[one]} points to {titles[other]}" for one, other in edges)
    return (
        f'<div class="graph"><svg viewBox="-2 -2 {width + 4:g} {height + 4:g}" style="max-width: {width + 4:g}px" '
        f'role="img"><title>{escape(spoken)}</title><defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
        f"{''.join(lines)}{''.join(boxes)}</svg></div>"
    )


def _depths(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Return the row of each node: the length of the longest path to it."""
    depths = dict.fromkeys((name for edge in edges for name in edge), 0)
    for _ in range(len(depths)):
        for one, other in edges:
            depths[other] = max(depths[other], depths[one] + 1)
    return depths


def _path(edge: tuple[str, str], depths: dict[str, int]) -> list[Node]:
    """Return the ends of an edge, and between them its points in the rows that it crosses."""
    one, other = edge
    return [one, *((one, other, depth) for depth in range(depths[one] + 1, depths[other])), other]


def _depth(node: Node, depths: dict[str, int]) -> int:
    return depths[node] if isinstance(node, str) else node[2]


def _centres(paths: list[list[Node]], depths: dict[str, int]) -> dict[Node, float]:
    """Return the horizontal place of each node and point: rows in the order of what they hang from, centred."""
    rows: dict[int, dict[Node, list[Node]]] = {}
    for path in paths:
        for place, node in enumerate(path):
            above = rows.setdefault(_depth(node, depths), {}).setdefault(node, [])
            above += path[max(0, place - 1) : place]
    widths = {depth: sum(map(_width, row)) for depth, row in rows.items()}
    centres: dict[Node, float] = {}
    for depth, row in sorted(rows.items()):
        left = (max(widths.values()) - widths[depth]) / 2
        for node in sorted(row, key=lambda node: sum(centres[one] for one in row[node]) / max(1, len(row[node]))):
            centres[node] = left + _width(node) / 2
            left += _width(node)
    return centres


def _width(node: Node) -> float:
    return WIDTH + GAP if isinstance(node, str) else GAP


def _line(points: list[tuple[float, int]]) -> str:
    """Return an edge; at the points between its ends it is vertical for the height of a node."""
    (x, depth), *between, (end, last) = points
    parts = [f"M{x:g} {depth * ROW + HEIGHT}"]
    parts += [f"{x:g} {depth * ROW} {x:g} {depth * ROW + HEIGHT}" for x, depth in between]
    return f'<path class="edge" d="{" ".join(parts)} {end:g} {last * ROW}" marker-end="url(#arrow)"/>'


def _box(title: str, centre: float, top: float) -> str:
    return (
        f'<rect x="{centre - WIDTH / 2:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{centre:g}" y="{top + HEIGHT / 2:g}">{escape(title)}</text>'
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register this extension with Sphinx."""
    app.connect("doctree-read", draw_graphs)
    return {"parallel_read_safe": True}
