"""Tar archives, compressed or not: the members that are wanted, and nothing else, become files.

The archive is read twice: a link may come before the file that it leads to.
"""

import io
import shutil
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.assets.unpack.members import Kind, Member, check_link, file_behind, plain_name
from iluvatar_pxe.assets.unpack.space import room_for
from iluvatar_pxe.assets.unpack.stream import CHUNK, Report, Stream, opened
from iluvatar_pxe.errors import IluvatarError, UnpackError

_LONGEST_REASON = 200
MOST_MEMBERS = 10_000
"""tarfile keeps them all in memory, and iPXE's archive has some hundred."""
MOST_RATIO = 200
"""How many times its own size an archive may unpack to, beyond ``ALWAYS``; iPXE's does to 3 times."""
ALWAYS = 64 << 20
MOST_BYTES = 8 << 30
_LARGEST_HEADER = 1 << 20
"""Bytes of one member's headers, which tarfile reads into memory."""


def unpack_archive(archive: Path, wanted: Mapping[str, str], place: Path, report: Report) -> None:
    """Write the members of an archive below ``place``, named as ``wanted`` says; raises UnpackError, DiskError, OSError.

    Links become copies. An archive is refused as a whole if one of its members, wanted or not, has an absolute name or
    leads out of it, or is a device.
    """
    most = min(MOST_BYTES, max(ALWAYS, MOST_RATIO * archive.stat().st_size))
    with opened(archive, most, report) as stream:
        members = _index(stream, most)
    names: dict[str, list[str]] = defaultdict(list)
    for member, name in wanted.items():
        names[file_behind(plain_name(member), members)].append(name)
    needed = sum(members[member].size * len(copies) for member, copies in names.items())
    with room_for(place, needed), opened(archive, most, report) as stream:
        _extract(stream, names, place)


def _index(stream: Stream, most: int) -> dict[str, Member]:
    """Return all members by name."""
    members: dict[str, Member] = {}
    total = 0
    for header, _ in _headers(stream):
        name = plain_name(header.name)
        member = _member(name, header)
        total += member.size
        if total > most or len(members) >= MOST_MEMBERS:
            raise UnpackError(
                f"unpacks to more than {most} bytes or {MOST_MEMBERS} members; it is not what it claims to be"
            )
        if members.get(name, member).kind is not member.kind or (
            name in members and member.kind is Kind.FILE
        ):
            raise UnpackError(f"has {name!r} twice; use another source")
        members[name] = member
    return members


def _member(name: str, header: tarfile.TarInfo) -> Member:
    if header.isdir():
        return Member(Kind.FOLDER)
    if header.issym() or header.islnk():
        member = Member(Kind.LINK if header.issym() else Kind.HARD_LINK, target=header.linkname)
        check_link(name, member)
        return member
    if header.isreg() and not header.issparse():
        return Member(Kind.FILE, header.size)
    raise UnpackError(f"has {name!r}, which is a device or of an unknown kind; use another source")


def _extract(stream: Stream, names: Mapping[str, list[str]], place: Path) -> None:
    """Write each wanted file once, and copy it to its other names."""
    for header, content in _headers(stream):
        if not header.isreg() or not (copies := names.get(plain_name(header.name))):
            continue
        first, *others = [place / name for name in copies]
        first.parent.mkdir(parents=True, exist_ok=True)
        with first.open("xb") as file:
            written = sum(map(file.write, content))
        if written != header.size:
            raise UnpackError(f"ends in the middle of {header.name!r}; fetch it again")
        for other in others:
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(first, other)


def _headers(stream: Stream) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
    """Yield each member's header, and its content, which can be read until the next is asked for."""
    forward = _Forward(stream)
    with _refusing(), tarfile.open(fileobj=forward, mode="r:") as tar:
        for header in tar:
            yield header, _content(tar, header, forward)
            forward.left = _LARGEST_HEADER


def _content(tar: tarfile.TarFile, header: tarfile.TarInfo, forward: "_Forward") -> Iterator[bytes]:
    with _refusing():
        forward.left = header.size
        file = tar.extractfile(header)
        while file and (chunk := file.read(CHUNK)):
            yield chunk


@contextmanager
def _refusing() -> Iterator[None]:
    """Refuse the archive for whatever tarfile raises: a hostile header gives ValueError, RecursionError and others."""
    try:
        yield
    except (IluvatarError, OSError):
        raise
    except Exception as error:  # tarfile promises no kinds of errors
        why = " ".join(str(error).split())[:_LONGEST_REASON]
        raise UnpackError(f"is not a tar archive, or is damaged: {why}; fetch it again") from error


class _Forward(io.RawIOBase):
    """A stream as tarfile reads an uncompressed archive: it goes forward only, and gives no more than is ``left``."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.left = _LARGEST_HEADER
        """How many bytes may be read of what comes next."""

    def tell(self) -> int:
        return self._stream.position

    def seek(self, position: int, _whence: int = io.SEEK_SET, /) -> int:
        if position < self._stream.position:
            raise UnpackError("has a member of negative size; fetch it again")
        while self._stream.position < position and self._stream.read(
            min(position - self._stream.position, CHUNK)
        ):
            pass
        return self._stream.position

    def read(self, size: int = -1, /) -> bytes:
        self.left -= size
        if self.left < 0:
            raise UnpackError(f"has a header of more than {_LARGEST_HEADER} bytes; use another source")
        return self._stream.read(size)
