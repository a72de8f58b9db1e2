"""An initramfs as bytes: a cpio archive ("newc"), compressed; the same input gives the same bytes. Pure.

Linux, Documentation/driver-api/early-userspace/buffer-format.rst. Archives behind one another are one initramfs.
"""

import gzip
import stat
from collections.abc import Iterable

from msgspec import Struct

_TRAILER = "TRAILER!!!"


class Entry(Struct, frozen=True):
    """One file of the archive; ``mode`` holds its type and its permissions."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device file."""


def directory(path: str) -> Entry:
    """Return an entry for a directory."""
    return Entry(path, stat.S_IFDIR | 0o755)


def file(path: str, content: bytes, *, executable: bool = False) -> Entry:
    """Return an entry for a file."""
    return Entry(path, stat.S_IFREG | (0o755 if executable else 0o644), content)


def link(path: str, target: str) -> Entry:
    """Return an entry for a symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def console() -> Entry:
    """Return an entry for ``/dev/console``, which init's first output needs."""
    return Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))


def pack(entries: Iterable[Entry]) -> bytes:
    """Return the compressed archive of ``entries``, directories before what is in them."""
    archive = b"".join(_encode(entry, number) for number, entry in enumerate(entries, start=1))
    return gzip.compress(archive + _encode(Entry(_TRAILER, 0), 0), compresslevel=6, mtime=0)


def _encode(entry: Entry, inode: int) -> bytes:
    name = entry.path.encode() + b"\0"
    fields = (
        *(inode, entry.mode, 0, 0, 1, 0),  # inode, mode, owner, group, links, time
        *(len(entry.content), 0, 0, *entry.device, len(name), 0),  # size, device, special device, name, check
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
