"""Changes of files of records, of any kind."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD_VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**25, 10**4000, 1e308, "", "x", "a\nb", "\x1b[31m", "\x00", "../../x", "9" * 300),
    *([], [1], ["a"], {}, {"a": 1}, {"tracked": 3}, {"device": 1}, {"../x": 1}, [[["a"]]], "\ud800"),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container within plain data with every key of it."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def changed_field(lines: list[Any], moments: random.Random) -> None:
    container, key = moments.choice(places(moments.choice(lines)))
    choice = moments.random()
    if choice < 0.2:
        del container[key]
    elif choice < 0.3 and isinstance(container, dict):
        container[moments.choice(["\n", "../x", "\x1b]0;x\x07", ""])] = container.pop(key)
    else:
        container[key] = copy.deepcopy(moments.choice(ODD_VALUES))


def mutated(content: bytes, moments: random.Random) -> bytes:
    """Return a journal with a change of any kind."""
    kind = moments.choice(["field"] * 4 + ["twice", "order", "cut", "byte", "line breaks", "no line breaks"])
    position = moments.randrange(len(content))
    if kind == "cut":
        return content[:position]
    if kind == "byte":
        odd = moments.choice([b"\0", b"\r", b"\xff\xfe", b"\n", b'"', b"NaN", b"\\ud800", b"1e999", b"[" * 9999])
        return content[:position] + odd + content[position + 1 :]
    if kind.endswith("breaks"):
        return content.replace(b"\n", b"\r" if kind.startswith("no") else b"\r\n")
    lines = [json.loads(line) for line in content.splitlines()]
    if kind == "field":
        changed_field(lines, moments)
    elif kind == "twice":
        lines.insert(moments.randrange(len(lines) + 1), moments.choice(lines))
    else:
        moments.shuffle(lines)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
