"""Boot files: ``/assets/…`` with Range, ETag and HEAD, all of it aiohttp's; the bytes are sent by ``sending``."""

import logging
import time
from mimetypes import MimeTypes

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from iluvatar_pxe.assets.source import FileSource, Source
from iluvatar_pxe.boot.stages import stage_of_asset
from iluvatar_pxe.catalogue.coming import find, words
from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.errors import AssetError, AssetNotReadyError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import OFFERED, SENDER, booter_of, client_of
from iluvatar_pxe.servers.http.faults import RETRY_SECONDS
from iluvatar_pxe.servers.http.ranges import is_empty, is_ignored
from iluvatar_pxe.servers.http.routes.arriving import PassedOn
from iluvatar_pxe.servers.http.sending import FileSender, breaking_off, pass_on, set_aside
from iluvatar_pxe.servers.library_internals import CustomFileResponse

ROUTES = web.RouteTableDef()
_KINDS = MimeTypes()


class _BootFile(CustomFileResponse):
    """A file that is refused in words, where aiohttp's own refusals say nothing, and that is sent once."""

    def __init__(self, name: str, source: FileSource, sender: FileSender) -> None:
        kind, packed = _KINDS.guess_type(name)
        known = kind if kind and not packed else "application/octet-stream"
        super().__init__(source.opened, headers={hdrs.CONTENT_TYPE: known})
        self._file = name
        self._source = source
        self._sender = sender

    async def send(self, request: web.Request) -> None:
        """Send all of it; raises ConnectionError where that ends early."""
        headers = request.headers.copy()
        if is_ignored(headers, self._source.tag):
            headers.popall(hdrs.RANGE, None)
            request = request.clone(headers=headers)
        elif is_empty(headers):
            self.headers[hdrs.CONTENT_RANGE] = f"bytes */{self._source.size}"
            self.set_status(416)
        await self.prepare(request)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; aiohttp prepares every response again when the handler has returned it."""
        return None if self.prepared else await super().prepare(request)

    async def transmit(
        self, request: web.BaseRequest, writer: AbstractStreamWriter, offset: int, count: int
    ) -> None:
        """Send these bytes of the file; raises ConnectionError where that ends early."""
        transport = request.transport
        if transport is None:
            raise ConnectionError("the client is gone")
        with breaking_off(request):
            if request.secure:
                await pass_on(self._source, self, offset, offset + count)
                return
            async with set_aside(transport, writer):
                client = transport.get_extra_info("socket")
                await self._sender.send(client, self._source, offset, count)

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


@ROUTES.get("/assets/by-sha256/{sha256:[0-9a-f]{64}}")
@ROUTES.get("/assets/by-sha512/{sha512:[0-9a-f]{128}}")
async def by_checksum(request: web.Request) -> web.StreamResponse:
    """Serve a downloaded file by its checksum: the fleet's other daemons ask so, before they ask its publisher."""
    sha256 = request.match_info.get("sha256")
    digest = Digest("sha256", sha256) if sha256 else Digest("sha512", request.match_info["sha512"])
    source = await request.app[OFFERED](digest)
    if source is None:
        raise web.HTTPNotFound(text="no asset with that checksum")
    return await _send(request, f"by-{digest.algorithm}/{digest.value}", source)


@ROUTES.get("/assets/{name:.+}")
async def asset(request: web.Request) -> web.StreamResponse:
    """Serve a file by its logical name, also one that is still being downloaded."""
    booter, name = booter_of(request), request.match_info["name"]
    source = await booter.open(name)
    if source:
        return await _send(request, name, source)
    if name in booter.store.ready:
        raise AssetNotReadyError(f"{name}: is gone since the directory was read; put it there again")
    if found := find(name, booter.coming()):
        raise web.HTTPServiceUnavailable(
            text=words(name, found[1]), headers={hdrs.RETRY_AFTER: RETRY_SECONDS}
        )
    raise web.HTTPNotFound(text=f"no asset {name[:200]}")


async def _send(request: web.Request, name: str, source: Source) -> web.StreamResponse:
    """Send a file, and record it as a stage of the machine's boot."""
    booter = booter_of(request)
    with booter.journal.sending(booter.machine_at(client_of(request)), stage_of_asset(name)):
        return await _send_and_record(request, name, source)


async def _send_and_record(request: web.Request, name: str, source: Source) -> web.StreamResponse:
    started = time.perf_counter()
    sender = request.app[SENDER]
    response = _BootFile(name, source, sender) if isinstance(source, FileSource) else PassedOn(source)
    sender.meter.running += 1
    try:
        await response.send(request)
    except ConnectionError as error:
        sender.meter.transfers["aborted"] += 1
        complain("http.aborted", logging.INFO, client=request.remote, asset=name, why=str(error))
        return response
    finally:
        sender.meter.running -= 1
        await source.close()
    if request.method == "GET" and response.status in {200, 206}:
        sender.meter.transfers["done"] += 1
    booter = booter_of(request)
    machine, stage = booter.machine_at(client_of(request)), stage_of_asset(name)
    if machine and stage and request.method == "GET" and response.status == 200:
        milliseconds = (time.perf_counter() - started) * 1000
        size = response.content_length or 0
        booter.journal.fetched(machine, stage, name, size=size, milliseconds=milliseconds)
    return response
