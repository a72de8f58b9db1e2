"""The fleet's other daemons, which may have a file that this one wants: asked by its checksum, without any proxy."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from msgspec import Struct

from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.errors import DiskError, DownloadError, MixedError, UnavailableError
from iluvatar_pxe.host.resolving import address_of
from iluvatar_pxe.ratelimit import complain

_SECONDS = 3.0
"""Until a peer counts as absent: its files are then fetched from the publisher."""
_MOST = 8
"""Peers that are asked for one file."""
_REFUSED_SECONDS = 3600.0
"""How long a peer that sent something else is not asked for the same file again."""
_MOST_REFUSED = 256


class Peer(Struct, frozen=True):
    """A daemon that has a file; ``name`` is its place as it is configured, ``url`` the file's address there."""

    name: str
    url: str


class FleetPeers:
    """``places`` returns where they are: an IPv4 address, perhaps with a port, or a host name."""

    def __init__(
        self, places: Callable[[], Iterable[str]], port: int, domain: Callable[[], str] = lambda: ""
    ) -> None:
        """``port`` is where they serve HTTP, unless a place says otherwise; ``domain`` returns the fleet's."""
        self._places = places
        self._port = port
        self._domain = domain
        self._refused: dict[tuple[str, str], float] = {}

    async def having(self, digest: Digest) -> tuple[Peer, ...]:
        """Return those that have the file with a checksum, or are downloading it."""
        now = time.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        places = [place for place in self._places() if (place, digest.value) not in self._refused]
        found = await asyncio.gather(*(self._ask(place, digest) for place in places[:_MOST]))
        return tuple(peer for peer in found if peer)

    def failed(self, peer: Peer, digest: Digest, error: DownloadError) -> None:
        """Take in that a file did not come from a peer; one that sent something else is not asked for it for an hour."""
        is_blameless = isinstance(error, UnavailableError | DiskError) and not isinstance(error, MixedError)
        if not is_blameless and len(self._refused) < _MOST_REFUSED:
            self._refused[peer.name, digest.value] = time.monotonic() + _REFUSED_SECONDS

    async def _ask(self, place: str, digest: Digest) -> Peer | None:
        """Return a peer that has a file; None if it is not there, or has no such file."""
        host, _, port_text = place.partition(":")
        port, path = int(port_text or self._port), f"/assets/by-{digest.algorithm}/{digest.value}"
        try:
            async with asyncio.timeout(_SECONDS):
                address = await address_of(host, self._domain())
                if await _has(address, port, path):
                    return Peer(place, f"http://{address}:{port}{path}")
        except (OSError, OverflowError) as error:  # OverflowError: no port has that number
            why = str(error) or f"no answer within {_SECONDS:.0f} seconds"
            complain("peer.absent", logging.INFO, peer=place, why=why)
        return None


async def _has(address: str, port: int, path: str) -> bool:
    """Ask whether a file is there; raises OSError."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await _first_line(reader)
    finally:
        writer.close()


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    """Return the beginning of an answer; raises OSError where that has no end."""
    try:
        return await reader.readline()
    except ValueError as error:
        raise OSError("does not speak HTTP") from error
