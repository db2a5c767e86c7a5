"""Write scalars as a TensorBoard event file, without TensorBoard."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_event_log(folder: Path, scalars: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Write steps and values by tag, as PyTorch does, into a new folder."""
    folder.mkdir(parents=True)
    events = [b"\x09" + struct.pack("<d", 1.0) + _field(3, b"brain.Event:2")]
    for tag, points in scalars.items():
        for step, value in points:
            scalar = _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
            events.append(
                b"\x09" + struct.pack("<d", 1.0) + b"\x10" + bytes([step]) + _field(5, _field(1, scalar))
            )  # steps below 128 are one byte
    (folder / "events.out.tfevents.1.host").write_bytes(b"".join(map(_record, events)))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _record(content: bytes) -> bytes:
    head = struct.pack("<Q", len(content))
    return head + struct.pack("<I", _checksum(head)) + content + struct.pack("<I", _checksum(content))


def _checksum(content: bytes) -> int:
    """Return the masked CRC-32C."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
