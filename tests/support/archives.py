"""Tar archives for tests, good and hostile."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import zstandard

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "tar": lambda data: data,
        "tar.gz": lambda data: gzip.compress(data, 6),
        "tar.xz": lambda data: lzma.compress(data, preset=1),
        "tar.zst": zstandard.ZstdCompressor().compress,
    }
)


def file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header, b""


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type = tarfile.DIRTYPE
    return header, b""


def special(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type = kind
    return header, b""


def tar_of(parts: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for header, content in parts:
            tar.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def ipxe_archive() -> bytes:
    """Return an archive with the folders and links of iPXE's release archive (2.0.0)."""
    return tar_of(
        [
            link("ipxeboot/sb", "x86_64-sb"),
            link("ipxeboot/snponly.efi", "x86_64/snponly.efi"),
            folder("ipxeboot"),
            folder("ipxeboot/x86_64/"),
            file("ipxeboot/x86_64/undionly.kpxe", b"bios" * 1000),
            file("ipxeboot/x86_64/snponly.efi", b"x86" * 2000),
            file("ipxeboot/arm64/snponly.efi", b"arm" * 3000),
            link("ipxeboot/x86_64-sb/snponly-shim.efi", "shimx64.efi"),
            link("ipxeboot/x86_64-sb/ipxe-shim.efi", "ipxeboot/x86_64-sb/shimx64.efi", tarfile.LNKTYPE),
            file("ipxeboot/x86_64-sb/shimx64.efi", b"shim" * 700),
            file("ipxeboot/x86_64-sb/snponly.efi", b"signed" * 500),
        ]
    )
