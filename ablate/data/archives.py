"""Read archives of images as a stream, without unpacking them to disk."""

from __future__ import annotations

import bz2
import errno
import functools
import gzip
import importlib
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from ablate.data.decoding import FILE_LIMIT
from ablate.data.types import printable
from ablate.errors import UserError

SUFFIXES = (
    *(".tar.gz", ".tgz", ".tar", ".zip"),
    *(".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar.zst", ".tzst"),
)
KINDS = ".tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip"
TOTAL_LIMIT = 16 * 2**30  # unpacked bytes; CIFAR-10 as PNG or JPEG has 0.1 to 0.2 GB
MEMBER_LIMIT = 2_000_000
TAR_BLOCK = 512  # bytes


class Member(NamedTuple):
    """A file or folder in an archive: its relative name (a folder's ends in "/") and a function that reads it."""

    name: str
    read: Callable[[], bytes]


RawMember = tuple[str, bool, Callable[[], bytes]]  # unchecked name, whether it is a folder, a function that reads it


class TooLargeError(Exception):
    """An archive exceeds a limit."""


class BoundedFile:
    """The part of a file object that `tarfile` uses, with limits on position and read size.

    A few megabytes of gzip can expand to terabytes of zeros, and `tarfile` reads the payload of a header at once.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.tail = b""  # the last bytes read, up to one block: an intact tar file ends in zeros

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        check_size(size)
        data = self.file.read(size)
        self._check_position(self.file.tell())
        self.tail = (self.tail + data)[-TAR_BLOCK:] if len(data) < TAR_BLOCK else data[-TAR_BLOCK:]
        return data

    def seek(self, position: int) -> int:
        """Go to `position`, counted from the start."""
        self._check_position(position)
        return self.file.seek(position)

    def tell(self) -> int:
        """Return the position."""
        return self.file.tell()

    def _check_position(self, position: int) -> None:
        if position > TOTAL_LIMIT:
            raise TooLargeError(f"more than {TOTAL_LIMIT:,} bytes once unpacked")


def check_size(size: int) -> None:
    """Raise TooLargeError if a member, or a part of one, has more than `FILE_LIMIT` bytes."""
    if not 0 <= size <= FILE_LIMIT:
        raise TooLargeError(f"a member of {size:,} bytes (at most {FILE_LIMIT:,} are allowed)")


def members(path: Path) -> Generator[Member, None, None]:
    """Yield the members of an archive in stored order; read each one before requesting the next.

    Raises:
        UserError: if the file is not an archive (tar, also compressed, or zip), is damaged, truncated or too large, or
            has a member with an absolute path, a path with "..", a repeated name, or a type other than file and folder.
    """
    where = printable(path)
    seen: set[str] = set()
    with archive_errors(path), path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        found = zip_members(file, where) if start[:2] == b"PK" else tar_members(file, start, where)
        for raw, is_folder, read in found:
            name = safe_name(raw, where)
            if not name:
                continue
            if name in seen and not is_folder:
                raise UserError(
                    f"Invalid archive {where}: member {printable(raw)} is stored twice. Create the archive again"
                )
            seen.add(name)
            if len(seen) > MEMBER_LIMIT:
                raise TooLargeError(f"more than {MEMBER_LIMIT:,} members")
            yield Member(f"{name}/" if is_folder else name, functools.partial(read_member, path, read))


def read_member(path: Path, read: Callable[[], bytes]) -> bytes:
    """Read a member of the archive at `path`, with errors reported as by `members`."""
    with archive_errors(path):
        return read()


def safe_name(raw: str, where: str) -> str:
    """Return a member's name without "." parts; raise UserError if it points outside the archive."""
    parts = PurePosixPath(raw).parts
    if raw.startswith("/") or ".." in parts or raw[1:3] == ":/":
        raise UserError(f"Unsafe archive {where}: member {printable(raw)} points outside the archive")
    return "/".join(parts)


def tar_members(file: BinaryIO, start: bytes, where: str) -> Iterator[RawMember]:
    """Yield the members of a tar file, with or without compression."""
    bounded = BoundedFile(decompressed(file, start, where))
    with tarfile.open(fileobj=bounded, mode="r:") as tar:  # type: ignore[call-overload]  # only read, seek and tell are used
        while (member := tar.next()) is not None:
            tar.members.clear()  # tarfile would keep a kilobyte for each
            if not (member.isdir() or member.isreg()) or member.issparse():
                raise UserError(f"Unsafe archive {where}: member {printable(member.name)} is a link or device")
            check_size(member.size)
            yield member.name, member.isdir(), functools.partial(tar_content, tar, member)
    while bounded.read(2**20):  # read the end too, to detect truncation: final zeros and gzip's checksum
        pass
    if len(bounded.tail) < TAR_BLOCK or any(bounded.tail):
        raise EOFError


def decompressed(file: BinaryIO, start: bytes, where: str) -> BinaryIO:
    """Return the decompressed content of a file that starts with the bytes `start`, or the file itself.

    Raises:
        UserError: for Zstandard without a package that reads it.
    """
    readers: dict[bytes, Callable[[BinaryIO], Any]] = {
        b"\x1f\x8b": lambda compressed: gzip.GzipFile(fileobj=compressed),
        b"\xfd7zXZ\0": lzma.LZMAFile,
        b"BZh": bz2.BZ2File,
        b"\x28\xb5\x2f\xfd": lambda compressed: zstandard_reader(compressed, where),
    }
    reader = next((reader for mark, reader in readers.items() if start.startswith(mark)), None)
    stream: BinaryIO = file if reader is None else reader(file)
    return stream


def zstandard_reader(file: BinaryIO, where: str) -> Any:
    """Return a reader of a file in Zstandard: Python's own (from 3.14) or that of the package zstandard."""
    with suppress(ImportError):
        return importlib.import_module("compression.zstd").ZstdFile(file)
    with suppress(ImportError):
        return importlib.import_module("zstandard").ZstdDecompressor().stream_reader(file, read_across_frames=True)
    raise UserError(
        f"{where} is compressed with Zstandard, which Python reads from 3.14 on. Run `pip install zstandard`, or "
        "unpack the file and pass the folder"
    )


def tar_content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return a member's bytes."""
    content = tar.extractfile(member)
    assert content is not None, "only called for regular files"
    return content.read()


def zip_members(file: BinaryIO, where: str) -> Iterator[RawMember]:
    """Yield the members of a zip file."""
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > TOTAL_LIMIT:
            raise TooLargeError(f"more than {TOTAL_LIMIT:,} bytes once unpacked")
        for info in infos:
            member = printable(info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(f"Unsafe archive {where}: member {member} is a link or device")
            if info.flag_bits & 1:
                raise UserError(
                    f"Encrypted archive {where}: member {member} has a password. Create the archive without one"
                )
            check_size(info.file_size)
            name = info.filename.replace("\\", "/")
            if not name:  # zipfile cuts a name at its first zero byte
                raise zipfile.BadZipFile("a member without a name")
            yield name, name.endswith("/"), functools.partial(archive.read, info)


ARCHIVE_ERRORS = (
    TooLargeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    MemoryError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
"""Exceptions that the standard library raises on archives of random bytes."""


@contextmanager
def archive_errors(path: Path) -> Iterator[None]:
    """Turn errors of reading an archive into a UserError with a one-line message."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ARCHIVE_ERRORS) and type(error).__name__ != "ZstdError":  # of an optional module
            raise
        raise UserError(archive_problem(printable(path), error)) from error


def archive_problem(where: str, error: Exception) -> str:
    """Return the message for an error that occurred while reading an archive."""
    match error:
        case TooLargeError():
            return f"{where} has {error}. It may be an archive bomb: if you trust it, unpack it and pass the folder"
        case tarfile.ReadError() if "unexpected end" not in str(error):
            return f"{where} is damaged or not an archive ({KINDS})"
        case NotImplementedError() | RuntimeError():  # zipfile on unknown compression methods
            return f"Cannot read {where} ({printable(error)}). Create the archive again"
        case OSError() if error.errno not in (None, errno.EINVAL):  # EINVAL comes from invalid offsets in the archive
            return f"Cannot read {where}: {error.strerror}"
    return f"{where} is truncated or damaged ({printable(error) or 'unexpected end of file'}). Copy it again"
