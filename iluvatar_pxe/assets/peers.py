"""The fleet's other daemons, which may have a file that this one wants: asked by its sha256, before its publisher."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from iluvatar_pxe.catalogue.download import Digest, Download
from iluvatar_pxe.host.resolving import address_of

BY_SHA256 = "assets/by-sha256"
"""The path below which every daemon serves its downloaded files by their checksums."""
_SECONDS = 3.0
"""Until a peer counts as absent: its files are then fetched from the publisher."""
_MOST = 8
"""Peers that are asked for one file."""


class FleetPeers:
    """``places`` returns where they are: an IPv4 address, perhaps with a port, or a host name."""

    def __init__(self, places: Callable[[], Iterable[str]], port: int) -> None:
        """``port`` is where they serve HTTP, unless a place says otherwise: the one of this daemon."""
        self._places = places
        self._port = port

    async def having(self, download: Download) -> tuple[str, ...]:
        """Return the addresses at which they have a file; none while nobody knows its sha256."""
        check = download.check
        if not isinstance(check, Digest) or check.algorithm != "sha256":
            return ()
        places = list(self._places())[:_MOST]
        found = await asyncio.gather(*(self._ask(place, check.value) for place in places))
        return tuple(url for url in found if url)

    async def _ask(self, place: str, sha256: str) -> str:
        """Return the address of a file at a peer; empty if that is not there, or has no such file."""
        host, _, port = place.partition(":")
        path = f"/{BY_SHA256}/{sha256}"
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                address = await address_of(host)
                if await _has(address, int(port or self._port), path):
                    return f"http://{address}:{port or self._port}{path}"
        return ""


async def _has(address: str, port: int, path: str) -> bool:
    """Ask whether a file is there; raises OSError."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
