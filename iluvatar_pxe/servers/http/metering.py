"""Counts what HTTP requests come to, whatever answers them."""

import time
from http import HTTPStatus

from aiohttp import hdrs, web

from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.servers.library_internals import Handler, octets_written

STREAM = "text/event-stream"
"""Answers that last for hours; they say nothing of how fast requests are answered."""


def metered(handler: Handler, meter: ProtocolMeter) -> Handler:
    """Return a handler that counts; the octets are those of bodies, but for files, which ``sending`` counts."""

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        meter.requests += 1
        started = time.perf_counter()
        response = await handler(request)
        if is_fault(request, response.status):
            meter.faults[str(response.status)] += 1
        if response.content_type != STREAM:
            meter.seconds.observe(time.perf_counter() - started)
        meter.received += request.content.total_bytes
        meter.sent += _sent(request, response)
        return response

    return serve


def is_fault(request: web.BaseRequest, status: int) -> bool:
    """Say whether a request was refused; that a token is asked for, with which each of Git's begins, is no refusal."""
    is_question = status == HTTPStatus.UNAUTHORIZED and hdrs.AUTHORIZATION not in request.headers
    return status >= 400 and not is_question


def _sent(request: web.BaseRequest, response: web.StreamResponse) -> int:
    """Return the octets that a handler has sent, or leaves to be sent."""
    if response.prepared:
        return octets_written(response)
    return 0 if request.method == hdrs.METH_HEAD else response.content_length or 0
