"""Read the log of one W&B run, `run-ID.wandb`.

The log has the format of LevelDB's log: blocks of 32 KiB, in them parts of records (checksum, length, type, data). Each
record is one message `Record` in the wire format of Protocol Buffers. The numbers of the fields are those of
`wandb_internal.proto`. Values are texts in JSON.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from ablate.report.sources.readers.event_file import CorruptError, fields
from ablate.report.sources.readers.run_table import UnreadableFileError, flat
from ablate.report.sources.readers.wandb_runs import History, number, text_of

_HEADER = b":W&B\xe1\xbe\x00"
_BLOCK = 32768
_PART = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT, _PREEMPTING = 2, 3, 5, 17, 18, 23
_KEY, _NESTED_KEY, _VALUE = 1, 2, 16
_VALUE_MARK = b"\x82\x01"
"""The key of the field with the value in the wire format."""

_TEXTS = {1: "id", 2: "entity", 3: "project", 6: "group", 7: "job_type", 8: "name", 12: "sweep"}
_TAG, _RUN_CONFIG, _RUN_SUMMARY = 10, 4, 5
_SET, _REMOVED = 1, 2
_NUMBERS = tuple(bytes([char]) for char in b"-0123456789NI")
"""How numbers in JSON begin, NaN and Infinity included."""

_TEXT_STARTS = (b'"', b"t", b"f")
"""How texts, true and false in JSON begin."""

_CHECKSUMS = {kind: zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}
_MEDIA = "._type"
"""The end of the names that mark histograms, images, tables and other media."""


@dataclass
class WandbLog:
    """The content of a log.

    Attributes:
        texts: Name, project, group and the like.
        tags: Tags.
        config: Values in JSON by name, with points between nested names: `optimizer.lr`.
        summary: The same of the summary.
        history: The numbers that were logged.
        media: Names of histograms, images and the like.
        exit_code: Exit code of the program; None without a record of its end.
        is_preempted: Whether the program announced that it would be stopped.
        is_incomplete: Whether the last record is incomplete.
    """

    texts: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    config: dict[str, bytes] = field(default_factory=dict)
    summary: dict[str, bytes] = field(default_factory=dict)
    history: History = field(default_factory=History)
    media: set[str] = field(default_factory=set)
    exit_code: int | None = None
    is_preempted: bool = False
    is_incomplete: bool = False

    def add(self, record: bytes) -> None:
        """Add a record. Raises ValueError, IndexError and others for a damaged one."""
        for kind, content in fields(record):
            if kind == _HISTORY:
                self._add_history(content)
            elif kind == _SUMMARY:
                _update(self.summary, content)
            elif kind == _CONFIG:
                _update(self.config, content)
            elif kind == _RUN:
                self._add_run(content)
            elif kind == _EXIT:
                code = dict(fields(content)).get(1, 0)
                self.exit_code = code - (1 << 64) if code >> 63 else code
            elif kind == _PREEMPTING:
                self.is_preempted = True

    def _add_run(self, content: bytes) -> None:
        tags = []
        for field_number, value in fields(content):
            if field_number in _TEXTS:
                self.texts[_TEXTS[field_number]] = value.decode("utf-8", "replace")
            elif field_number == _TAG:
                tags.append(value.decode("utf-8", "replace"))
            elif field_number == _RUN_CONFIG:
                _update(self.config, value)
            elif field_number == _RUN_SUMMARY:
                _update(self.summary, value)
        self.tags = tags or self.tags

    def _add_history(self, content: bytes) -> None:
        step, values, texts = 0.0, dict[str, float](), dict[str, str]()
        for field_number, value in fields(content):
            if field_number == 1:
                name, text = _item(value)
                if text[:1] in _NUMBERS:
                    values[name] = float(text)
                elif name.endswith(_MEDIA):
                    self.media.add(name.removesuffix(_MEDIA))
                elif text.startswith(b"{"):
                    values |= self._numbers_in(name, text)
                elif text.startswith(_TEXT_STARTS) and (word := text_of(json.loads(text))):
                    texts[name] = word
            elif field_number == 2:
                step = float(dict(fields(value)).get(1, 0))
        self.history.add(values.get("_step", step), values, texts)

    def _numbers_in(self, name: str, text: bytes) -> dict[str, float]:
        """Return the numbers in an object, as older versions log nested values; none of histograms and the like."""
        found = dict(flat({name: json.loads(text)}))
        self.media |= {key.removesuffix(_MEDIA) for key in found if key.endswith(_MEDIA)}
        numbers = {key: number(value) for key, value in found.items()}
        return {key: value for key, value in numbers.items() if value is not None}


def read_wandb_log(path: Path, step_param: str | None = None) -> WandbLog:
    """Return the content of a log, with W&B's own steps or those of a logged number.

    Raises CorruptError for a damaged log.
    """
    found = WandbLog(history=History(step_param))
    place = 0
    try:
        with path.open("rb") as file:
            for record, end in records(file):
                if record is None:
                    found.is_incomplete = True
                    break
                found.add(record)
                place = end
    except OSError as error:
        raise UnreadableFileError(f"Cannot read {path}: {error.strerror or error}") from error
    except (ValueError, IndexError, struct.error, TypeError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{path} is damaged after byte {place:,}") from error
    return found


def records(file: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Yield each record of a log and the byte after it; None for an incomplete one at the end. Raises ValueError."""
    parts: list[bytes] = []
    end = 0
    for kind, data, end in _parts(file):  # the last end counts after the loop
        if data is None:
            yield None, end
            return
        if (kind in (_FULL, _FIRST)) == bool(parts):
            raise ValueError("order")
        parts.append(data)
        if kind in (_FULL, _LAST):
            yield b"".join(parts), end
            parts = []
    if parts:
        yield None, end


def _parts(file: BinaryIO) -> Iterator[tuple[int, bytes | None, int]]:
    """Yield type and data of each part, and the byte after it; no data for an incomplete one at the end."""
    begin, block = 0, file.read(_BLOCK)
    if not _HEADER.startswith(block[: len(_HEADER)]):
        raise ValueError("header")
    place = len(_HEADER)
    while block:
        is_last = len(block) < _BLOCK
        while place + _PART.size <= len(block):
            checksum, length, kind = _PART.unpack_from(block, place)
            data = block[place + _PART.size : place + _PART.size + length]
            if is_last and len(data) < length:
                break
            if len(data) < length or zlib.crc32(data, _CHECKSUMS.get(kind, 0)) != checksum:
                raise ValueError("data")
            place += _PART.size + length
            yield kind, data, begin + place
        if is_last and place < len(block):
            yield 0, None, begin + place
        begin, place, block = begin + len(block), 0, file.read(_BLOCK)


def _item(message: bytes) -> tuple[str, bytes]:
    """Return the name of a value, and the value in JSON. Names that repeat are decoded once."""
    head, mark, value = message.partition(_VALUE_MARK)
    if mark and value and value[0] == len(value) - 1 < 128 and (name := _name(head)):
        return name, value[1:]
    return _whole_item(message)


@lru_cache(maxsize=10_000)
def _name(head: bytes) -> str:
    """Return the name in the first fields of an item; empty if they have other contents or are incomplete."""
    try:
        parts = list(fields(head))
    except (ValueError, IndexError):
        return ""
    is_name = all(field_number in (_KEY, _NESTED_KEY) for field_number, _ in parts)
    return ".".join(value.decode("utf-8", "replace") for _, value in parts) if is_name else ""


def _whole_item(message: bytes) -> tuple[str, bytes]:
    names, text = [], b""
    for field_number, value in fields(message):
        if field_number == _VALUE:
            text = value
        elif field_number in (_KEY, _NESTED_KEY):
            names.append(value.decode("utf-8", "replace"))
    return ".".join(names), text


def _update(values: dict[str, bytes], message: bytes) -> None:
    """Set and remove values of a configuration or a summary."""
    for field_number, item in fields(message):
        if field_number not in (_SET, _REMOVED):
            continue
        name, text = _item(item)
        if field_number == _SET and not text.startswith(b"{"):
            values[name] = text
            continue
        for known in [known for known in values if known == name or known.startswith(f"{name}.")]:
            del values[known]
        if field_number == _SET:
            values.update({inner: json.dumps(value).encode() for inner, value in flat({name: json.loads(text)})})
