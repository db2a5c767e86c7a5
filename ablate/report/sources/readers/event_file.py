"""Read the scalars, texts and hyperparameters of one TensorBoard event file.

An event file is a sequence of TFRecords (length, its checksum, data, checksum of the data), each with one message
`Event` in the wire format of Protocol Buffers. The numbers of the fields are those of `event.proto`, `summary.proto`,
`tensor.proto` and the `hparams` plugin of TensorBoard. PyTorch and tensorboardX write scalars as `simple_value`,
TensorFlow as tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.report.sources.readers.run_table import UnreadableFileError

_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_NUMBERS = {1: ("f", 5, 4), 2: ("d", 6, 8), 3: ("i", 7, 4), 9: ("q", 10, 8)}
"""Numeric types of tensors: format, field of their values, bytes. The types are float, double, int32, int64."""

_STRING, _START = 7, 1
ENDED = {1: "success", 2: "failure", 3: "running"}
"""The states of a session in the hparams plugin; 0 is unknown."""


class CorruptError(UnreadableFileError):
    """An event file is damaged."""


@dataclass
class EventFile:
    """The content of an event file.

    Attributes:
        points: Steps and values by tag, in the order of the file.
        single: Tags whose values are floats of 32 bits.
        texts: The last text by tag.
        params: Hyperparameters of the hparams plugin.
        ended: How the session of the hparams plugin ended; empty if it did not, None if there is none.
        restart: The step at which the program of this file continued a run; values of older files from there on do not
            count. None if the file does not continue one.
        incomplete: Whether the last record is incomplete, since the program was stopped or is still writing.
    """

    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    single: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    restart: int | None = None
    incomplete: bool = False
    _plugins: dict[str, str] = field(default_factory=dict)

    def add(self, event: bytes) -> None:
        """Add an event. A session that continues at a step replaces the values from that step on.

        Raises ValueError, struct.error and others for a damaged one.
        """
        step, summaries, restarted = 0, [], False
        for number, value in fields(event):
            if number == 2:
                step = _signed(value)
            elif number == 5:
                summaries.append(value)
            elif number == 7:
                restarted = dict(fields(value)).get(1) == _START
        if restarted:
            self.restart = step if self.restart is None else min(step, self.restart)
            self.points = {tag: [one for one in found if one[0] < step] for tag, found in self.points.items()}
        for summary in summaries:
            for number, value in fields(summary):
                if number == 1:
                    self._add_value(step, dict(fields(value)))

    def _add_value(self, step: int, value: Mapping[int, Any]) -> None:
        tag = value.get(1, b"").decode("utf-8", "replace")
        if 9 in value:
            plugin = dict(fields(dict(fields(value[9])).get(1, b"")))
            self._plugins[tag] = plugin.get(1, b"").decode("utf-8", "replace")
            if self._plugins[tag] == "hparams":
                self._add_session(dict(fields(plugin.get(2, b""))))
        if 2 in value:
            self.points.setdefault(tag, []).append((step, _FLOAT.unpack(value[2])[0]))
            self.single.add(tag)
        elif 8 in value:
            self._add_tensor(step, tag, value[8])

    def _add_tensor(self, step: int, tag: str, tensor: bytes) -> None:
        found = dict(fields(tensor))
        kind = found.get(1)
        if kind == _STRING and self._plugins.get(tag) == "text":
            self.texts[tag] = found.get(8, b"").decode("utf-8", "replace")
        elif kind in _NUMBERS and self._plugins.get(tag, "scalars") == "scalars":
            form, place, size = _NUMBERS[kind]
            content = found.get(4, b"") or found.get(place, b"")
            if isinstance(content, int):
                self.points.setdefault(tag, []).append((step, float(_signed(content))))
            elif len(content) == size:
                self.points.setdefault(tag, []).append((step, float(struct.unpack(f"<{form}", content)[0])))
                self.single |= {tag} if form == "f" else set()

    def _add_session(self, message: Mapping[int, Any]) -> None:
        if 3 in message:
            self.ended = self.ended or ""
            for number, entry in fields(message[3]):
                if number == 1:
                    pair = dict(fields(entry))
                    self.params[pair.get(1, b"").decode()] = _plain(pair.get(2, b""))
        if 4 in message:
            self.ended = ENDED.get(dict(fields(message[4])).get(1, 0), "")


def read_event_file(path: Path) -> EventFile:
    """Return the content of an event file. Raises CorruptError for a record with a wrong checksum."""
    found = EventFile()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"Cannot read {path}: {error.strerror or error}") from error
    place = 0
    try:
        for record, end in records(content):
            if record is None:
                found.incomplete = True
                break
            found.add(record)
            place = end
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise CorruptError(f"{path} is damaged after byte {place:,}") from error
    return found


def records(content: bytes) -> Iterator[tuple[bytes | None, int]]:
    """Yield the data of each record and the byte after it; None for an incomplete one at the end. Raises ValueError."""
    place = 0
    while place < len(content):
        begin = place + _HEAD.size
        if begin > len(content):
            yield None, place
            return
        length, checksum = _HEAD.unpack_from(content, place)
        if checksum != _masked(content[place : place + 8]):
            raise ValueError("length")
        end = begin + length + _TAIL.size
        if end > len(content):
            yield None, place
            return
        data = content[begin : begin + length]
        if _TAIL.unpack_from(content, begin + length)[0] != _masked(data):
            raise ValueError("data")
        yield data, end
        place = end


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: their number, and an integer or bytes. Raises ValueError and IndexError."""
    place, end = 0, len(message)
    while place < end:
        key = message[place]
        begin, size = place + 2, message[place + 1] if place + 1 < end else 128
        if key & 0b10000111 == 2 and size < 128 and begin + size <= end:  # the most frequent kind: up to 127 bytes
            place = begin + size
            yield key >> 3, message[begin:place]
            continue
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if kind == 2:
            size, place = _varint(message, place)
        else:
            size = {1: 8, 5: 4}[kind] if kind in (1, 5) else end + 1
        if place + size > end:
            raise ValueError("field")
        yield key >> 3, message[place : place + size]
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = message[place]
    place += 1
    if value < 128:
        return value, place
    value, shift = value & 127, 7
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _plain(message: bytes) -> Any:
    """Return a `google.protobuf.Value`: a number, text, true or false, or None."""
    for number, value in fields(message):
        if number == 2:
            amount = _DOUBLE.unpack(value)[0]
            return int(amount) if amount.is_integer() and abs(amount) < 2**53 else amount
        if number in (3, 4):
            return value.decode("utf-8", "replace") if number == 3 else bool(value)
    return None


def _table() -> list[int]:
    """Return the table of the checksum CRC-32C."""
    found = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return found


_CRC = _table()


def _masked(data: bytes) -> int:
    """Return the masked CRC-32C of TFRecord."""
    value, table = 0xFFFFFFFF, _CRC
    for byte in data:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
