"""Boot files that are still being downloaded, passed on as they come."""

from aiohttp import hdrs, web

from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.servers.http.sending import breaking_off, pass_on


class PassedOn(web.StreamResponse):
    """A file that is sent as it comes; where it turns out to be faulty, the connection ends before its last bytes."""

    def __init__(self, source: Source) -> None:
        super().__init__(headers={hdrs.CONTENT_TYPE: "application/octet-stream"})
        self.content_length = source.size
        self._source = source

    async def send(self, request: web.Request) -> None:
        """Send all of it; raises ConnectionError where that ends early."""
        await self.prepare(request)
        if request.method != hdrs.METH_HEAD:
            with breaking_off(request):
                await pass_on(self._source, self, 0, self._source.size)
        await self.write_eof()
