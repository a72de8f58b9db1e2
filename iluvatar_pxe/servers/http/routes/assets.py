"""Boot files: ``/assets/…`` with Range, ETag, HEAD and sendfile, all of it aiohttp's."""

import logging
import time
from mimetypes import MimeTypes

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.boot.stages import stage_of_asset
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import booter_of, client_of

ROUTES = web.RouteTableDef()
_KINDS = MimeTypes()


class _BootFile(web.FileResponse):
    """A file that is refused in words, where aiohttp's own refusals say nothing, and that is sent once."""

    def __init__(self, name: str, source: FileSource) -> None:
        kind, packed = _KINDS.guess_type(name)
        known = kind if kind and not packed else "application/octet-stream"
        super().__init__(source.opened, headers={hdrs.CONTENT_TYPE: known})
        self._file = name

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; aiohttp prepares every response again when the handler has returned it."""
        return None if self.prepared else await super().prepare(request)

    def set_status(self, status: int, reason: str | None = None) -> None:
        if status in {403, 404}:
            raise AssetError(
                f"{self._file}: cannot be read; make it a regular file that the service can read"
            )
        if status == 412:
            raise web.HTTPPreconditionFailed(text="the file has changed; fetch it again")
        if status == 416:
            size = {"Content-Range": self.headers["Content-Range"]}
            raise web.HTTPRequestRangeNotSatisfiable(text="the file has no such range", headers=size)
        super().set_status(status, reason)


@ROUTES.get("/assets/{name:.+}")
async def asset(request: web.Request) -> web.StreamResponse:
    """Serve a file of the store by its logical name."""
    booter, name = booter_of(request), request.match_info["name"]
    if name not in booter.store.ready:
        raise web.HTTPNotFound(text=f"no asset {name[:200]}")
    source = await booter.store.open(name)
    if source is None:
        raise AssetError(f"{name}: is gone since the directory was read; put it there again")
    started = time.perf_counter()
    response = _BootFile(name, source)
    try:
        await response.prepare(request)  # sends all of it
    except ConnectionError as error:
        complain("http.aborted", logging.INFO, client=request.remote, asset=name, why=str(error))
        return response
    finally:
        await source.close()
    machine, stage = booter.machine_at(client_of(request)), stage_of_asset(name)
    if machine and stage and request.method == "GET" and response.status == 200:
        milliseconds = (time.perf_counter() - started) * 1000
        size = response.content_length or 0
        booter.journal.fetched(machine, stage, name, size=size, milliseconds=milliseconds)
    return response
