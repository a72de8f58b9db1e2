"""Boot files that are still being downloaded, passed on as they come."""

import logging
from typing import cast

from aiohttp import hdrs, web

from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.connections import GuardedConnection

_PIECE = 128 << 10
"""Bytes that are read and sent at once: what each client costs in memory."""


async def pass_on(request: web.Request, name: str, source: Source) -> web.StreamResponse:
    """Send a file as it comes; where it turns out to be faulty, the connection ends before its last bytes."""
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/octet-stream"})
    response.content_length = source.size
    try:
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await _send(response, source)
    except AssetError as error:
        complain("http.asset", path=request.path, client=request.remote, why=str(error))
        cast("GuardedConnection", request.protocol).abort()
    except ConnectionError as error:
        complain("http.aborted", logging.INFO, client=request.remote, asset=name, why=str(error))
    finally:
        await source.close()
    return response


async def _send(response: web.StreamResponse, source: Source) -> None:
    offset = 0
    while offset < source.size:
        piece = await source.read(offset, _PIECE)
        await response.write(piece)
        offset += len(piece)
    await response.write_eof()
