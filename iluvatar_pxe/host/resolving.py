"""Where another host of this network is."""

import asyncio
import socket
from contextlib import suppress


async def address_of(host: str, domain: str = "") -> str:
    """Return a host's IPv4 address; raises OSError.

    All its names are looked up at once, for without internet a resolver may take long to say that it knows none: its
    own, that in the fleet's domain, and that by which it answers itself (mDNS).
    """
    names = dict.fromkeys((host, *([f"{host}.{domain}"] if domain else []), f"{host}.local"))
    lookups = [asyncio.create_task(_look_up(name)) for name in names]
    try:
        for lookup in asyncio.as_completed(lookups):
            with suppress(socket.gaierror, UnicodeError):
                return await lookup
    finally:
        for one in lookups:
            one.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
    raise OSError(f"{' and '.join(names)} have no address; add it to [assets] peers")


async def _look_up(name: str) -> str:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return str(found[0][4][0])
