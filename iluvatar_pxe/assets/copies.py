"""Checks a copy of a wanted file that somebody brings: by its pin, or by the publisher's list beside it. Blocks."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from iluvatar_pxe.assets.download.download import Got
from iluvatar_pxe.assets.download.signature import check_signature, read_certificate
from iluvatar_pxe.assets.download.sums import digest_in
from iluvatar_pxe.assets.placing import Done
from iluvatar_pxe.catalogue.download import Digest, Download, SumsFile
from iluvatar_pxe.errors import AssetError

_PIECE = 1 << 20


def check_copy(download: Download, file: Path, report: Done, *, trust: bool, source: str) -> Got:
    """Return a file that is the wanted one; raises AssetError (one line) if it is not, or if nothing says so.

    ``trust``: where nothing says so, take it for the wanted one.
    """
    digest = _digest_of(download, file.parent, trust=trust)
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
    sums = folder / _file_name(check.urls[0]) if isinstance(check, SumsFile) else None
    if isinstance(check, SumsFile) and sums and sums.is_file():
        return _listed(check, sums)
    if trust:
        return None
    beside = f"put {sums.name} beside it, or add --trust" if sums else "add --trust to pin this one"
    raise AssetError(f"{download.name}: no checksum of it is known; {beside}")


def _listed(check: SumsFile, sums: Path) -> Digest:
    """Return what a publisher's list says, whose signature is beside it if the publisher signs."""
    listed = _read(sums)
    if check.key:
        signature = sums.parent / _file_name(check.signatures[0])
        check_signature(str(signature.name), listed, _read(signature), read_certificate(check.key))
    return digest_in(listed, check)


def _sums(file: Path, algorithms: set[str], report: Done) -> tuple[dict[str, str], int]:
    hashes = {name: hashlib.new(name) for name in algorithms}
    done = 0
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                for one in hashes.values():
                    one.update(piece)
                done += len(piece)
                report(done, size)
    except OSError as error:
        raise AssetError(f"{file}: cannot be read: {error.strerror}; make it readable") from error
    return {name: one.hexdigest() for name, one in hashes.items()}, done


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path.name}: cannot be read: {error.strerror}; put it beside the file") from error


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]
