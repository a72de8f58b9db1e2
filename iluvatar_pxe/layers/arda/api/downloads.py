"""What comes as a stream of bytes, checked: the kubeconfig. Pure."""

import io
import tarfile
import zlib

LARGEST_KUBECONFIG = 1 << 20


class DamagedError(Exception):
    """The bytes are not what they must be."""


def kubeconfig_in(archive: bytes) -> str:
    """Return the kubeconfig in the archive that Talos makes; raises DamagedError."""
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(archive, LARGEST_KUBECONFIG)
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as files:
            held = files.extractfile("kubeconfig")
            return held.read().decode() if held else ""
    except (zlib.error, tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise DamagedError("the archive with the kubeconfig is damaged") from error
