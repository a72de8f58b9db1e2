"""Checks a copy of a wanted file that somebody brings: by its pin, or by the publisher's list beside it. Blocks."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from iluvatar_pxe.assets.download.download import Got
from iluvatar_pxe.assets.download.expected import check_signed
from iluvatar_pxe.assets.download.sums import LARGEST_LIST, digest_in
from iluvatar_pxe.assets.opening import regular
from iluvatar_pxe.assets.placing import Done
from iluvatar_pxe.catalogue.download import Digest, Download, SumsFile
from iluvatar_pxe.catalogue.file_name import file_name
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.boot_file import HEAD, fault_of

_PIECE = 1 << 20


def check_copy(download: Download, file: Path, report: Done, *, trust: bool, source: str) -> Got:
    """Return a file that is the wanted one; raises AssetError (one line) if it is not, or if nothing says so.

    ``trust``: take it for the wanted one if neither a pin nor a publisher's list can ever say so.
    """
    digest = _digest_of(download, file.parent, trust=trust)
    if fault := _fault(file):
        raise AssetError(f"{file.name}: {fault}; fetch it again")
    algorithm = digest.algorithm if digest else "sha256"
    sums, size = _sums(file, {"sha256", algorithm}, report)
    if digest and sums[algorithm] != digest.value:
        raise AssetError(
            f"{file.name}: has {algorithm} {sums[algorithm]}, but {download.name} must have {digest.value}; "
            "fetch it again"
        )
    return Got(path=file, size=size, sha256=sums["sha256"], sha512=sums.get("sha512", ""), source=source)


def _digest_of(download: Download, folder: Path, *, trust: bool) -> Digest | None:
    """Return the checksum that a copy must have; None if it is trusted without one."""
    check = download.check
    if isinstance(check, Digest):
        return check
    if isinstance(check, SumsFile):
        return _listed(download.name, check, folder)
    if trust:
        return None
    raise AssetError(f"{download.name}: no checksum of it is known; add --trust to pin this one")


def _fault(file: Path) -> str:
    with _opened(file) as opened:
        return fault_of(opened.read(HEAD), os.fstat(opened.fileno()).st_size)


def _listed(name: str, check: SumsFile, folder: Path) -> Digest:
    """Return what a publisher's list says, whose signature is beside it if the publisher signs."""
    beside = [file_name(address) for address in (check.urls[0], *(check.signatures[:1] if check.key else ()))]
    if not all((folder / one).is_file() for one in beside):
        raise AssetError(
            f"{name}: is checked by its publisher's list; put {' and '.join(beside)} beside the file"
        )
    listed, *signature = (_read(folder / one) for one in beside)
    if check.key:
        check_signed(beside[1], listed, signature[0], check.key)
    return digest_in(listed, replace(check, urls=(beside[0],)))  # the file here is named


def _sums(file: Path, algorithms: set[str], report: Done) -> tuple[dict[str, str], int]:
    hashes = {name: hashlib.new(name) for name in algorithms}
    done = 0
    with _opened(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        while piece := opened.read(_PIECE):
            for one in hashes.values():
                one.update(piece)
            done += len(piece)
            report(done, size)
    return {name: one.hexdigest() for name, one in hashes.items()}, done


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """Open a file; raises AssetError where it cannot be read."""
    try:
        with open(file, "rb", opener=regular) as opened:
            yield opened
    except OSError as error:
        raise AssetError(f"{file}: cannot be read: {error.strerror}; make it readable") from error


def _read(path: Path) -> bytes:
    """Return a list or its signature: a larger file is none, and is told by its beginning."""
    with _opened(path) as opened:
        return opened.read(LARGEST_LIST + 1)
