"""Lists of checksums, as sha256sum(1) writes them and publishers offer them. Pure."""

import re
from collections.abc import Iterator

from iluvatar_pxe.catalogue.download import Digest, SumsFile
from iluvatar_pxe.errors import SumsError
from iluvatar_pxe.wire.boot_file import HEAD, fault_of

LARGEST_LIST = 1_000_000
"""Bytes of a list that are read at most: Ubuntu's have some thousand."""
_LINE = re.compile(r"(?P<value>[0-9a-f]{32,128})(?: [ *](?P<name>[^ ].*))?", re.IGNORECASE)
_LENGTHS = {"sha256": 64, "sha512": 128}


def digest_in(listed: bytes, sums: SumsFile) -> Digest:
    """Return the checksum of the file that ``sums`` names; raises SumsError.

    Lines are ``HEX  NAME`` or ``HEX *NAME``. A list that is one checksum without a name is that of the file beside it.
    """
    if fault := fault_of(listed[:HEAD], len(listed)):
        raise SumsError(
            f"{sums.urls[0]}: {fault}, not a list of checksums; fetch it again, or correct its address"
        )
    lines = list(_lines(listed, sums.urls[0]))
    found = {value for value, name in lines if name == sums.name or (name is None and len(lines) == 1)}
    if not found:
        raise SumsError(f"{sums.urls[0]}: has no line for {sums.name}; correct the version or the name")
    if len(found) > 1:
        raise SumsError(f"{sums.urls[0]}: has different checksums for {sums.name}; pin the right one")
    (value,) = found
    if len(value) != _LENGTHS[sums.algorithm]:
        raise SumsError(
            f"{sums.urls[0]}: the checksum of {sums.name} is not a {sums.algorithm}; correct 'algorithm'"
        )
    return Digest(sums.algorithm, value)


def _lines(listed: bytes, address: str) -> Iterator[tuple[str, str | None]]:
    """Yield checksums and names, the name None where there is none."""
    for number, line in enumerate(listed.decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise SumsError(
                f"{address}: line {number} is not a checksum and a name; fetch it again, or correct its address"
            )
        yield match["value"].lower(), match["name"]
