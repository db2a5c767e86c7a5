"""Decode a text file of any program: UTF-8, or UTF-16 and UTF-32 as spreadsheets write them; compressed or not."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from ablate.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMPRESSED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
)
_OTHER_FORMATS = (
    (b"PK", "an Excel workbook or a zip archive. Export the sheet as CSV"),
    (b"PAR1", "a Parquet file. Convert it to CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook. Export the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database. For an MLflow store, use --experiment and --tracking-uri"),
)


def read_text(path: Path) -> str:
    """Return the text of a file. Raises UserError for other formats, and for bytes that are not text."""
    try:
        content = path.read_bytes()
        unpack = next((unpack for start, unpack in _COMPRESSED if content.startswith(start)), None)
        content = unpack(content) if unpack else content
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:  # ValueError: a part of a bz2 stream
        raise UserError(f"Cannot read {path}: {error}") from error
    for start, name in _OTHER_FORMATS:
        if content.startswith(start):
            raise UserError(f"{path} is {name}")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), _without_mark(content))
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"Cannot read {path}: it is not UTF-8 (byte {content[error.start]:#04x} in line {line}). Save it as UTF-8, "
            'for example as "CSV UTF-8" in Excel'
        ) from None
    if "\0" in text:
        raise UserError(
            f"Cannot read {path}: it contains NUL bytes, so it is not text. Export the table as CSV in UTF-8"
        )
    return text


def _without_mark(content: bytes) -> str:
    """Return the encoding of a file without a byte order mark: UTF-16 has a NUL in every other byte of ASCII text."""
    start = content[:4096]
    nulls = start[0::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if half > 1 and nulls[1] > 0.7 * half and not nulls[0]:
        return "utf-16-le"
    return "utf-16-be" if half > 1 and nulls[0] > 0.7 * half and not nulls[1] else "utf-8"
