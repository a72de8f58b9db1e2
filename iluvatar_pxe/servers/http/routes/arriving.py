"""Boot files that are still being downloaded, passed on as they come."""

from typing import cast

from aiohttp import hdrs, web

from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.servers.http.connections import GuardedConnection

_PIECE = 128 << 10
"""Bytes that are read and sent at once: what each client costs in memory."""


class PassedOn(web.StreamResponse):
    """A file that is sent as it comes; where it turns out to be faulty, the connection ends before its last bytes."""

    def __init__(self, source: Source) -> None:
        super().__init__(headers={hdrs.CONTENT_TYPE: "application/octet-stream"})
        self.content_length = source.size
        self._source = source

    async def send(self, request: web.Request) -> None:
        """Send all of it; raises ConnectionError where that ends early."""
        await self.prepare(request)
        offset = self._source.size if request.method == hdrs.METH_HEAD else 0
        try:
            while offset < self._source.size:
                piece = await self._source.read(offset, _PIECE)
                await self.write(piece)
                offset += len(piece)
        except AssetError as error:
            cast("GuardedConnection", request.protocol).abort()
            raise ConnectionError(str(error)) from error
        await self.write_eof()
