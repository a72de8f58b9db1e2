"""Whether a snapshot of etcd, which comes as a stream of bytes, is whole. Pure."""

import hashlib

TRAILER = hashlib.sha256().digest_size
"""Bytes of the checksum that etcd puts behind its database."""
_PAGE = 512
"""Bytes; the size of etcd's database is a multiple of it."""
LARGEST_SNAPSHOT = 9 << 30
"""Bytes; etcd's own limit is 8 GiB."""


class DamagedSnapshotError(Exception):
    """The bytes are no whole snapshot."""


class SnapshotCheck:
    """Reads a snapshot as it comes, and says at its end whether it is whole."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._end = b""
        self._size = 0

    def take(self, chunk: bytes) -> None:
        """Read the next bytes; raises DamagedSnapshotError where there are too many."""
        self._size += len(chunk)
        if self._size > LARGEST_SNAPSHOT:
            raise DamagedSnapshotError(f"the snapshot has more than {LARGEST_SNAPSHOT} bytes")
        held = self._end + chunk
        self._hash.update(held[:-TRAILER])
        self._end = held[-TRAILER:]

    def finish(self) -> None:
        """Raise DamagedSnapshotError where the snapshot is not whole."""
        if self._size % _PAGE != TRAILER or self._size < _PAGE:
            raise DamagedSnapshotError(f"the snapshot has {self._size} bytes, which no whole one has")
        if self._hash.digest() != self._end:
            raise DamagedSnapshotError("the snapshot does not match its checksum")
