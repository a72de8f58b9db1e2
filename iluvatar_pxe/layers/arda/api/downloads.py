"""What comes as a stream of bytes, checked: etcd's snapshot and the kubeconfig. Pure."""

import hashlib
import io
import tarfile
import zlib

TRAILER = hashlib.sha256().digest_size
"""Bytes of the checksum that etcd puts behind its database."""
_PAGE = 512
"""Bytes; the size of etcd's database is a multiple of it."""
LARGEST_SNAPSHOT = 9 << 30
"""Bytes; etcd's own limit is 8 GiB."""
LARGEST_KUBECONFIG = 1 << 20


class DamagedError(Exception):
    """The bytes are not what they must be."""


class SnapshotCheck:
    """Reads a snapshot as it comes, and says at its end whether it is whole."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._end = b""
        self._size = 0

    def take(self, chunk: bytes) -> None:
        """Read the next bytes; raises DamagedError where there are too many."""
        self._size += len(chunk)
        if self._size > LARGEST_SNAPSHOT:
            raise DamagedError(f"the snapshot has more than {LARGEST_SNAPSHOT} bytes")
        held = self._end + chunk
        self._hash.update(held[:-TRAILER])
        self._end = held[-TRAILER:]

    def finish(self) -> None:
        """Raise DamagedError where the snapshot is not whole."""
        if self._size % _PAGE != TRAILER or self._size < _PAGE:
            raise DamagedError(f"the snapshot has {self._size} bytes, which no whole one has")
        if self._hash.digest() != self._end:
            raise DamagedError("the snapshot does not match its checksum")


def kubeconfig_in(archive: bytes) -> str:
    """Return the kubeconfig in the archive that Talos makes; raises DamagedError."""
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(archive, LARGEST_KUBECONFIG)
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as files:
            held = files.extractfile("kubeconfig")
            return held.read().decode() if held else ""
    except (zlib.error, tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise DamagedError("the archive with the kubeconfig is damaged") from error
