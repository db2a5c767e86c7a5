"""Write logs of W&B runs in the format of `wandb`, without `wandb`."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BLOCK = 32768


def write_wandb_log(
    folder: Path,
    run: Mapping[str, Any],
    config: Mapping[str, Any],
    rows: Iterable[Mapping[str, Any]] = (),
    exit_code: int | None = 0,
    summary: Mapping[str, Any] | None = None,
) -> Path:
    """Write a log into `folder/offline-run-20260101_000000-ID`, and return its path.

    Steps are the numbers of the rows, unless a row has `_step`. The summary has the last logged values. `run` has id,
    project, name, group and the like; without an exit code the log has no end.
    """
    texts = {1: run["id"], 2: run.get("entity", "me"), 3: run.get("project", "p"), 6: run.get("group", ""),
             8: run.get("name", ""), 12: run.get("sweep", "")}  # fmt: skip
    head = b"".join(field(number, text.encode()) for number, text in texts.items() if text)
    settings = b"".join(field(1, field(1, name.encode()) + value_of(value)) for name, value in config.items())
    records = [field(21, b""), field(17, head + field(4, settings))]
    for number, row in enumerate(rows):
        step = row.get("_step", number)
        items = items_of({**row, "_step": step})
        records += [field(2, b"".join(field(1, item) for item in items) + field(2, varint(8) + varint(step)))]
        records += [field(3, b"".join(field(1, item) for item in items))]
    records += [field(3, b"".join(field(1, item) for item in items_of(summary)))] if summary else []
    records += [] if exit_code is None else [field(18, varint(8) + varint(exit_code))]
    place = folder / f"offline-run-20260101_000000-{run['id']}"
    place.mkdir(parents=True)
    path = place / f"run-{run['id']}.wandb"
    path.write_bytes(log_of(records))
    return path


def items_of(values: Mapping[str, Any]) -> list[bytes]:
    """Return values as items of a history or a summary."""
    return [field(2, name.encode()) + value_of(value) for name, value in values.items()]


def value_of(value: Any) -> bytes:
    return field(16, json.dumps(value).encode())


def field(number: int, content: bytes) -> bytes:
    """Return a field of a message with bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def log_of(records: Iterable[bytes]) -> bytes:
    """Return a log with records, which are split at the ends of blocks."""
    found = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        rest, is_first = record, True
        while rest or is_first:
            room = BLOCK - len(found) % BLOCK
            if room < 7:
                found += bytes(room)
                room = BLOCK
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if is_first else 4) if not rest else (2 if is_first else 3)
            found += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            is_first = False
    return bytes(found)
