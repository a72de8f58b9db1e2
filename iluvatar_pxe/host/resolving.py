"""Where another host of this network is."""

import asyncio
import socket
from contextlib import suppress


async def address_of(host: str) -> str:
    """Return a host's IPv4 address: as DNS has its name, or else as it says itself (mDNS); raises OSError."""
    loop = asyncio.get_running_loop()
    for name in (host, f"{host}.local"):
        with suppress(socket.gaierror):
            found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
            return str(found[0][4][0])
    raise OSError(f"{host}: has no address")
