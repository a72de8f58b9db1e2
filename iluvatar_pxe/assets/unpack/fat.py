"""The files of a FAT16 or FAT32 file system (Microsoft, FAT: General Overview of On-Disk Format, 1.03). Read strictly.

Mounting needs root, and mtools change names; Raspberry Pis ask for exact names. Nothing is read but through ``read``.
"""

import struct
from collections.abc import Callable, Iterator

from msgspec import Struct

from iluvatar_pxe.errors import UnpackError

Read = Callable[[int, int], bytes]
"""Returns the bytes from an offset on, so many as asked for."""

_ENTRY = 32
MOST_RECORDS = 1 << 20
"""In all folders: a long name takes up to 20."""
_MOST_FILES = 20_000
_DEEPEST = 16
_LARGEST_FAT = 64 << 20
_END, _DELETED = 0x00, 0xE5
_READ_ONLY_TO_LABEL, _LABEL, _FOLDER = 0x0F, 0x08, 0x10
_LOWER_BASE, _LOWER_EXTENSION = 0x08, 0x10
"""Windows' and Linux's flags of a short name in lower case."""


class FatFile(Struct, frozen=True):
    """A file by its path from the root, exactly as it is written there; ``size`` in bytes."""

    path: str
    size: int
    cluster: int


class _Entry(Struct, frozen=True):
    name: str
    is_folder: bool
    size: int
    cluster: int


class FatVolume:
    """A FAT file system, to be read once; raises UnpackError where it contradicts itself.

    Each cluster belongs to one file or folder, so no more is read than there is.
    """

    def __init__(self, read: Read, size: int) -> None:
        """``size``: of the partition in bytes."""
        self._read = read
        self._form = _Form.of(read(0, 512), size)
        table = read(self._form.table, self._form.table_size)
        self._next = memoryview(table).cast("I" if self._form.is_fat32 else "H")
        if len(self._next) < self._form.clusters + 2:
            raise UnpackError("has a damaged FAT file system: its table is too short; fetch it again")
        self._taken = bytearray(self._form.clusters + 2)
        """1 for each cluster that was read."""
        self._records_left = MOST_RECORDS

    def files(self) -> list[FatFile]:
        """Return all files."""
        found: list[FatFile] = []
        self._search(self._form.root_cluster if self._form.is_fat32 else None, "", found)
        if len({file.path for file in found}) < len(found):
            raise _broken("two files have the same name")
        if sum(file.size for file in found) > self._form.clusters * self._form.cluster_size:
            raise _broken("its files are larger than itself")
        return found

    def content(self, file: FatFile) -> Iterator[bytes]:
        """Yield a file's content, a cluster at a time."""
        left = file.size
        clusters = self._chain(file.cluster) if left else iter(())
        while left > 0:
            cluster = next(clusters, None)
            if cluster is None:
                raise _broken(f"{file.path} ends too early")
            data = self._cluster(cluster)[:left]
            left -= len(data)
            yield data

    def _search(self, folder: int | None, above: str, found: list[FatFile]) -> None:
        """Take in a folder by its first cluster."""
        if above.count("/") > _DEEPEST:
            raise _broken("a folder is nested too deeply")
        for entry in _entries(self._records(folder)):
            path = above + entry.name
            if entry.is_folder:
                self._search(entry.cluster, f"{path}/", found)
            else:
                found.append(FatFile(path, entry.size, entry.cluster))
            if len(found) > _MOST_FILES:
                raise _broken(f"it has more than {_MOST_FILES} files")

    def _records(self, folder: int | None) -> Iterator[bytes]:
        """Yield the entries of a folder, or of FAT16's root, which has a place of its own."""
        if folder is None:
            parts = iter([self._read(self._form.root, self._form.root_entries * _ENTRY)])
        else:
            parts = map(self._cluster, self._chain(folder))
        for data in parts:
            self._records_left -= len(data) // _ENTRY
            if self._records_left < 0:
                raise _broken(f"its folders have more than {MOST_RECORDS} records")
            yield from (data[at : at + _ENTRY] for at in range(0, len(data), _ENTRY))

    def _cluster(self, number: int) -> bytes:
        return self._read(self._form.data + (number - 2) * self._form.cluster_size, self._form.cluster_size)

    def _chain(self, cluster: int) -> Iterator[int]:
        """Yield the clusters of a chain."""
        mask, last = (0x0FFFFFFF, 0x0FFFFFF8) if self._form.is_fat32 else (0xFFFF, 0xFFF8)
        while True:
            if not 2 <= cluster < self._form.clusters + 2:
                raise _broken("a chain of clusters leads nowhere")
            if self._taken[cluster]:
                raise _broken("a cluster is in two chains, or twice in one")
            self._taken[cluster] = 1
            yield cluster
            cluster = self._next[cluster] & mask
            if cluster >= last:
                return


class _Form(Struct, frozen=True, kw_only=True):
    """Where everything is, in bytes."""

    is_fat32: bool
    cluster_size: int
    clusters: int
    table: int
    table_size: int
    root: int
    root_entries: int
    root_cluster: int
    data: int

    @classmethod
    def of(cls, boot: bytes, size: int) -> "_Form":
        if len(boot) < 512 or boot[510:512] != b"\x55\xaa":
            raise UnpackError("has no FAT file system in its first partition; use a Raspberry Pi image")
        sector, per_cluster, reserved, tables, root_entries, few, _, short = struct.unpack_from(
            "<HBHBHHBH", boot, 11
        )
        many, long, _, _, root_cluster = struct.unpack_from("<IIHHI", boot, 32)
        total, table_sectors = few or many, short or long
        if (
            sector not in {512, 1024, 2048, 4096}
            or per_cluster.bit_count() != 1
            or not reserved
            or tables not in {1, 2}
        ):
            raise _broken("its parameters are impossible")
        root = (reserved + tables * table_sectors) * sector
        data = root + -(-root_entries * _ENTRY // sector) * sector
        clusters = (total * sector - data) // (sector * per_cluster)
        if total * sector > size:
            raise _broken("it is larger than its partition")
        if clusters < 1 or not table_sectors * sector <= _LARGEST_FAT:
            raise _broken("its parameters are impossible")
        if short and clusters < 4085:
            raise UnpackError("has a FAT12 file system in its first partition; use an image with FAT32")
        return cls(
            is_fat32=not short,
            cluster_size=sector * per_cluster,
            clusters=clusters,
            table=reserved * sector,
            table_size=table_sectors * sector,
            root=root,
            root_entries=root_entries,
            root_cluster=root_cluster,
            data=data,
        )


def _entries(records: Iterator[bytes]) -> Iterator[_Entry]:
    """Yield what a folder's records name; long names precede the record of the file."""
    long: list[bytes] = []
    for record in records:
        if record[0] == _END:
            return
        attributes = record[11]
        if record[0] == _DELETED:
            long = []
        elif attributes & 0x3F == _READ_ONLY_TO_LABEL:
            long.append(record)
        else:
            name = _long_name(long, record) or _short_name(record)
            long = []
            if attributes & _LABEL or name in {".", ".."}:
                continue
            yield _entry(name, record)


def _entry(name: str, record: bytes) -> _Entry:
    if not name or name in {".", ".."} or any(one in "/\\\0" or not one.isprintable() for one in name):
        raise _broken(f"a file has the impossible name {name!r}")
    high, low, size = struct.unpack_from("<H4xHI", record, 20)
    return _Entry(name, bool(record[11] & _FOLDER), size, high << 16 | low)


def _short_name(record: bytes) -> str:
    base, extension = record[:8], record[8:11]
    if base[0] == 0x05:
        base = b"\xe5" + base[1:]
    parts = [part.decode("cp437").rstrip(" ") for part in (base, extension)]
    flags = record[12]
    if flags & _LOWER_BASE:
        parts[0] = parts[0].lower()
    if flags & _LOWER_EXTENSION:
        parts[1] = parts[1].lower()
    return ".".join(part for part in parts if part)


def _long_name(records: list[bytes], short: bytes) -> str:
    """Return the long name, or an empty text if the records are not of this file, as other systems ignore them."""
    checksum = 0
    for byte in short[:11]:
        checksum = ((checksum >> 1) + ((checksum & 1) << 7) + byte) & 0xFF
    orders = [record[0] for record in records]
    expected = list(range(len(records), 0, -1))
    if (
        not records
        or orders != [expected[0] | 0x40, *expected[1:]]
        or any(one[13] != checksum for one in records)
    ):
        return ""
    units = b"".join(one[1:11] + one[14:26] + one[28:32] for one in reversed(records))
    text = units.decode("utf-16-le", "replace")
    return text.partition("\0")[0]


def _broken(why: str) -> UnpackError:
    return UnpackError(f"has a damaged FAT file system: {why}; fetch it again")
