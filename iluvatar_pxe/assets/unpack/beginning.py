"""What the beginning of a file tells about what it unpacks to, while the rest is still downloaded."""

from typing import BinaryIO

from iluvatar_pxe.assets.unpack.image import bytes_taken
from iluvatar_pxe.assets.unpack.partitions import HEAD, LARGEST_IMAGE, partitions_of
from iluvatar_pxe.assets.unpack.root import debugfs_path
from iluvatar_pxe.assets.unpack.stream import Stream
from iluvatar_pxe.catalogue.download import Unpack
from iluvatar_pxe.errors import UnpackError

BEGINNING = 1 << 20
"""Bytes of a compressed image that hold its partition table."""


def bytes_unpacked(unpack: Unpack, file: BinaryIO) -> int:
    """Return how many bytes unpacking a file takes, 0 where its beginning does not tell; blocks, raises OSError.

    An image has its partition table there. An archive has a list of its members nowhere. The file is left at its beginning.
    """
    if unpack is not Unpack.PI_IMAGE:
        return 0
    try:
        head = Stream(file, LARGEST_IMAGE, lambda _done, _size: None).read(HEAD)
        return bytes_taken(*partitions_of(head), debugfs_path())
    except UnpackError:  # whoever unpacks it says so, if it is the file that was wanted
        return 0
    finally:
        file.seek(0)
