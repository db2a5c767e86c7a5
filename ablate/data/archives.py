"""Archives of images, read as a stream and never unpacked to disk."""

from __future__ import annotations

import errno
import functools
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from ablate.data.decoding import FILE_LIMIT
from ablate.data.image_folders import arrange, block
from ablate.data.types import Block, Stream, shown
from ablate.errors import UserError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
TOTAL_LIMIT = 16 * 2**30  # unpacked bytes; CIFAR-10 as PNG or JPEG has 0.1 to 0.2 GB
MEMBER_LIMIT = 2_000_000
BLOCK = 512  # bytes; what a tar file is made of


class Member(NamedTuple):
    """A file or folder in an archive: its relative name (a folder's ends in "/") and how to read it now."""

    name: str
    read: Callable[[], bytes]


class Bounded:
    """The part of a file object that `tarfile` uses, refusing to go further or read more at once than is sane.

    A few megabytes of gzip can stand for terabytes of zeros, and `tarfile` reads a header's payload whole.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.tail = b""  # the last block that was read: an intact tar file ends in zeros

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        check_size(size)
        data = self.file.read(size)
        self.check(self.file.tell())
        self.tail = (self.tail + data)[-BLOCK:] if len(data) < BLOCK else data[-BLOCK:]
        return data

    def seek(self, position: int) -> int:
        """Go to `position`, counted from the start."""
        self.check(position)
        return self.file.seek(position)

    def tell(self) -> int:
        """Return the position."""
        return self.file.tell()

    def check(self, position: int) -> None:
        """Refuse to be too far into the file."""
        if position > TOTAL_LIMIT:
            raise TooLargeError(f"more than {TOTAL_LIMIT:,} bytes once unpacked")


class TooLargeError(Exception):
    """An archive exceeds a limit."""


def check_size(size: int) -> None:
    """Refuse a member, or a part of one, of more bytes than it may have."""
    if not 0 <= size <= FILE_LIMIT:
        raise TooLargeError(f"a member of {size:,} bytes, and {FILE_LIMIT:,} are allowed")


def members(path: Path) -> Generator[Member, None, None]:
    """Yield what is in an archive, in stored order; a member is to be read before the next one is asked for.

    Raises:
        UserError: if this is no archive (.tgz, .tar.gz, .tar, .zip), it is damaged, truncated or too large, or a member
            has an absolute path, climbs out by "..", is stored twice, or is no plain file or folder.
    """
    where = shown(path)
    seen: set[str] = set()
    with readable(path), path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        found = zip_members(file, where) if start[:2] == b"PK" else tar_members(file, start, where)
        for raw, is_folder, read in found:
            name = safe_name(raw, where)
            if not name:
                continue
            if name in seen and not is_folder:
                raise UserError(f"{where}: member {shown(raw)} is stored twice; make the archive anew")
            seen.add(name)
            if len(seen) > MEMBER_LIMIT:
                raise TooLargeError(f"more than {MEMBER_LIMIT:,} members")
            yield Member(f"{name}/" if is_folder else name, functools.partial(guarded, path, read))


def guarded(path: Path, read: Callable[[], bytes]) -> bytes:
    """Read a member, errors being told as `members` does."""
    with readable(path):
        return read()


def safe_name(raw: str, where: str) -> str:
    """Return a member's name without "." parts, refusing one that leads out of the archive."""
    parts = PurePosixPath(raw).parts
    if raw.startswith("/") or ".." in parts or raw[1:3] == ":/":
        raise UserError(f"{where}: member {shown(raw)} leads out of the archive; such archives are refused")
    return "/".join(parts)


BROKEN = (
    TooLargeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)  # what the standard library raises on archives of random bytes
Found = tuple[str, bool, Callable[[], bytes]]  # name, whether it is a folder, how to read it


def tar_members(file: BinaryIO, start: bytes, where: str) -> Iterator[Found]:
    """Yield the members of a tar file, compressed by gzip or not."""
    stream: BinaryIO = gzip.GzipFile(fileobj=file) if start[:2] == b"\x1f\x8b" else file  # type: ignore[assignment]  # GzipFile is a binary file in all but its declared type
    bounded = Bounded(stream)
    with tarfile.open(fileobj=bounded, mode="r:") as tar:  # type: ignore[call-overload]  # it reads, seeks and tells, no more
        while (member := tar.next()) is not None:
            tar.members.clear()  # tarfile would keep a kilobyte for each
            if not (member.isdir() or member.isreg()) or member.issparse():
                raise UserError(f"{where}: member {shown(member.name)} is a link or device; such archives are refused")
            check_size(member.size)
            yield member.name, member.isdir(), functools.partial(tar_content, tar, member)
    while bounded.read(2**20):  # what follows the last member must be there, too: its zeros, gzip's checksum
        pass
    if len(bounded.tail) < BLOCK or any(bounded.tail):
        raise EOFError


def tar_content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return a member's bytes."""
    content = tar.extractfile(member)
    assert content is not None, "only called for regular files"
    return content.read()


def zip_members(file: BinaryIO, where: str) -> Iterator[Found]:
    """Yield the members of a zip file."""
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > TOTAL_LIMIT:
            raise TooLargeError(f"more than {TOTAL_LIMIT:,} bytes once unpacked")
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(
                    f"{where}: member {shown(info.filename)} is a link or device; such archives are refused"
                )
            if info.flag_bits & 1:
                raise UserError(
                    f"{where}: member {shown(info.filename)} is encrypted; make the archive without a password"
                )
            check_size(info.file_size)
            name = info.filename.replace("\\", "/")
            if not name:  # what follows a zero is cut off
                raise zipfile.BadZipFile("a member without a name")
            yield name, name.endswith("/"), functools.partial(archive.read, info)


def read_archive(path: Path, names: Iterable[str], image_size: int) -> Stream:
    """Return the images of an archived image folder whose members have these `names`, decoded in stored order."""
    arrangement = arrange(names, shown(path))

    def blocks() -> Generator[Block, None, None]:
        with closing(members(path)) as found:
            for member in found:
                place = arrangement.places.get(member.name)
                if place is not None:
                    yield block(member.read(), place, image_size, f"{path}: {member.name}")

    return Stream(arrangement.classes, arrangement.counts, blocks())


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say what is wrong with an archive in one line."""
    try:
        yield
    except BROKEN as error:
        raise UserError(f"{shown(path)} {problem_of(error)}") from error


def problem_of(error: Exception) -> str:
    """Return what an error that came up while reading an archive means."""
    match error:
        case TooLargeError():
            return f"has {error}; this looks like an archive bomb: if you trust it, unpack it and give the folder"
        case tarfile.ReadError() if "unexpected end" not in str(error):
            return f"is not an archive ({', '.join(SUFFIXES)}), or it is damaged"
        case NotImplementedError() | RuntimeError():  # zipfile on methods that it does not know
            return f"cannot be read ({shown(error)}); make the archive anew"
        case OSError() if error.errno not in (None, errno.EINVAL):  # not from nonsensical offsets in the archive
            return f"cannot be read: {error.strerror}"
    return f"is truncated or damaged ({shown(error) or 'it ends too early'}); copy it again"
