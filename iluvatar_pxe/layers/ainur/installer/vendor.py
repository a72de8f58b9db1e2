"""Kernel modules out of an image's own initrd: archives behind one another, each compressed in its own way. Pure.

Linux, Documentation/driver-api/early-userspace/buffer-format.rst. initramfs-tools (Ubuntu 24.04) and dracut (26.04)
write the same.
"""

import lzma
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import zstandard

from iluvatar_pxe.errors import UnpackError
from iluvatar_pxe.layers.ainur.installer.modules import Files

MODULES = (
    *(
        "genet",
        "bcmgenet",
        "macb",
        "broadcom",
        "bcm7xxx",
        "mdio_bcm_unimac",
        "lan78xx",
        "smsc95xx",
        "microchip",
    ),
    *("r8152", "ax88179_178a", "virtio_pci", "virtio_net"),
    *(
        "pcie_brcmstb",
        "reset_raspberrypi",
        "clk_rp1",
        "rp1",
        "pinctrl_rp1",
        "xhci_pci",
        "xhci_plat_hcd",
        "dwc2",
    ),
    *("nvme", "mmc_block", "sdhci_iproc", "sdhci_brcmstb", "bcm2835_mmc", "bcm2835_sdhost"),
    *("usb_storage", "uas", "sd_mod", "ahci", "virtio_blk", "virtio_scsi"),
    *("loop", "ext4", "xfs", "vfat", "nls_cp437", "nls_iso8859_1", "nls_utf8"),
)
"""What Raspberry Pis need for network, disks and file systems; what a kernel has built in is not among its modules."""
_MOST = 512 << 20
"""Bytes that an initrd may unpack to; Ubuntu's are some 60 MB."""
_HEADER = 110
_CPIO = (b"070701", b"070702")
_TRAILER = "TRAILER!!!"
_FILE, _TYPE = 0o100000, 0o170000


def modules_in(initrd: bytes) -> Files:
    """Return the modules of an initrd by their paths, to be read; raises UnpackError."""
    found = {path: content for path, content in _files(initrd) if ".ko" in path}
    if not found:
        raise UnpackError("has an initrd without kernel modules, or of an unknown kind; use another image")
    return {path: partial(bytes, content) for path, content in found.items()}


def _files(initrd: bytes) -> Iterator[tuple[str, memoryview]]:
    at = 0
    while at < len(initrd):
        if initrd[at] == 0:
            at += 1
        elif initrd.startswith(_CPIO, at):
            at = yield from _archive(initrd, at)
        else:
            content, at = _decompressed(initrd, at)
            yield from _files(content)


def _archive(data: bytes, at: int) -> Generator[tuple[str, memoryview], None, int]:
    """Yield the files of an archive, and return where it ends."""
    view = memoryview(data)
    while True:
        header = data[at : at + _HEADER]
        try:
            mode, size, name_size = (int(header[where : where + 8], 16) for where in (14, 54, 94))
        except ValueError as error:
            raise UnpackError("has a damaged initrd; fetch it again") from error
        name = data[at + _HEADER : at + _HEADER + name_size - 1].decode("latin-1")
        begin = at + _HEADER + name_size
        begin += -(begin - at) % 4
        end = begin + size
        if not header.startswith(_CPIO) or end > len(data):
            raise UnpackError("has a damaged initrd; fetch it again")
        at = end + -size % 4
        if name == _TRAILER:
            return at
        if mode & _TYPE == _FILE:
            yield name, view[begin:end]


def _zstd(data: bytes) -> tuple[bytes, bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=128 << 20).decompressobj()
    return decoder.decompress(data), decoder.unused_data


def _gzip(data: bytes) -> tuple[bytes, bytes]:
    decoder = zlib.decompressobj(wbits=31)
    return decoder.decompress(data, _MOST + 1), decoder.unused_data


def _xz(data: bytes) -> tuple[bytes, bytes]:
    decoder = lzma.LZMADecompressor(memlimit=128 << 20)
    return decoder.decompress(data, _MOST + 1), decoder.unused_data


_DECODERS: Mapping[bytes, Callable[[bytes], tuple[bytes, bytes]]] = MappingProxyType(
    {b"\x28\xb5\x2f\xfd": _zstd, b"\x1f\x8b": _gzip, b"\xfd7zXZ": _xz}
)


def _decompressed(data: bytes, at: int) -> tuple[bytes, int]:
    """Return what is unpacked from there on, and where the rest begins."""
    decode = next((one for magic, one in _DECODERS.items() if data.startswith(magic, at)), None)
    if decode is None:
        raise UnpackError("has an initrd that is compressed in an unknown way; use another image")
    try:
        content, rest = decode(data[at:])
    except (zstandard.ZstdError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UnpackError(f"has a damaged initrd: {error}; fetch it again") from error
    if len(content) > _MOST:
        raise UnpackError(f"has an initrd that unpacks to more than {_MOST} bytes; use another image")
    return content, len(data) - len(rest)
