"""One line for every request that is refused, also for what aiohttp refuses before any of our code sees it."""

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from iluvatar_pxe.errors import AssetError, AssetNotReadyError
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.tickets import mask
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, nic_at
from iluvatar_pxe.servers.http.connections import Limits, noting_service
from iluvatar_pxe.servers.http.metering import is_fault, metered
from iluvatar_pxe.servers.http.quick import QuickAnswer, QuickConnection, none_at_hand
from iluvatar_pxe.servers.library_internals import CustomRunner, Handler

LONGEST_LINE = 300
"""Characters of a refusal; what a request says of itself may be repeated in it."""
LONGEST_DETAIL = 2000
"""Characters of a refusal of the API, which may list what is wrong with a file."""
PROBLEM = "application/problem+json"
_API = "/api/"
WEBHOOK = "/api/v1/fleet/refresh"
"""What a forge posts to: not of the API for programs, and refused in one line, as forges show it to their users."""
_NO_SUCH = {
    404: "there is no such request; /api/ shows all",
    405: "that is no method of this request; /api/ shows all",
}
RETRY_SECONDS = "10"
"""After that whoever asked for what is not here yet may ask again."""
_KEPT_HEADERS = (hdrs.ALLOW, hdrs.CONTENT_RANGE, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE)


async def _answer(
    admit: Callable[[web.BaseRequest], None], handler: Handler, request: web.BaseRequest
) -> web.StreamResponse:
    """Answer a request that cannot be served with one line; log what is this server's own failure."""
    try:
        admit(request)
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        _note(request, error)
        kept = {str(name): error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
        return _refusal(request, error.status, error.text or error.reason, kept)
    except AssetNotReadyError as error:
        complain("http.asset", path=mask(request.path), why=str(error))
        text = "that file cannot be sent now; ask again later, and see this server's log"
        return _refusal(request, 503, text, {hdrs.RETRY_AFTER: RETRY_SECONDS})
    except AssetError as error:
        complain("http.asset", path=mask(request.path), why=str(error))
        return _refusal(request, 404, "that file cannot be read; see this server's log")
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: one request must not stop the server
        complain("http.failed", logging.ERROR, path=mask(request.path), error=mask(repr(error)))
        return _refusal(request, 500, "this server failed on that request; see its log")


def _note(request: web.BaseRequest, error: web.HTTPException) -> None:
    """Log a refusal, but not the question for a token, with which each of Git's requests begins."""
    if not is_fault(request, error.status):
        return
    forbidden = error.status == HTTPStatus.FORBIDDEN
    event, level = ("http.refused", logging.WARNING) if forbidden else ("http.unserved", logging.INFO)
    path, why = mask(request.path)[:200], mask(error.text or error.reason)[:LONGEST_LINE]
    complain(event, level, client=request.remote, path=path, status=error.status, why=why)


def one_line(status: int, text: str) -> str:
    """Return a line of printable ASCII that begins with the status."""
    line = " ".join("".join(char if " " <= char <= "~" else " " for char in text).split())
    if not line.startswith(str(status)):
        line = f"{status}: {line or HTTPStatus(status).phrase}"
    return line[:LONGEST_LINE] + "\n"


def _refusal(
    request: web.BaseRequest, status: int, text: str, headers: dict[str, str] | None = None
) -> web.Response:
    if request.path == WEBHOOK or not request.path.startswith(_API):
        return web.Response(status=status, text=one_line(status, text), headers=headers)
    if status in _NO_SUCH and text == f"{status}: {HTTPStatus(status).phrase}":  # aiohttp's own words
        text = _NO_SUCH[status]
    document = problem(status, " ".join(text.split())[:LONGEST_DETAIL])
    return web.json_response(document, status=status, headers=headers, content_type=PROBLEM)


def problem(status: int, detail: str) -> dict[str, Any]:
    """Return what the API says of a request that it does not serve, as RFC 9457 has it."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }


def one_line_runner(
    app: web.Application,
    limits: Limits,
    mac_of: MacOf,
    meter: ProtocolMeter,
    admit: Callable[[web.BaseRequest], None],
    quick: QuickAnswer = none_at_hand,
    **kwargs: Any,
) -> web.AppRunner:
    """Return a runner whose connections answer with one line whatever they do not serve, and keep to ``limits``.

    ``admit`` raises HTTPForbidden for requests that are not let in. ``quick`` answers plain ones without the application.
    """
    connect = partial(
        _Connection,
        limits=limits,
        pool=ConnectionPool("http.crowded", each=limits.each, total=limits.total),
        client_at=partial(nic_at, mac_of=mac_of),
        quick=quick,
    )
    return CustomRunner(
        app,
        connect,
        lambda handler: noting_service(metered(partial(_answer, admit, handler), meter)),
        **kwargs,
    )


class _Connection(QuickConnection):
    def handle_error(self, *args: Any, **kwargs: Any) -> web.StreamResponse:
        """Shorten what aiohttp answers a broken request, which points at its octets over several lines."""
        response = super().handle_error(*args, **kwargs)
        if isinstance(response, web.Response):
            response.text = one_line(response.status, response.text or "")
        return response


class _OneLineOfLog(logging.Filter):
    """What a library says becomes one line, and not one for each of a flood."""

    def __init__(self, event: str, level: int) -> None:
        super().__init__()
        self._event = event
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            complain(self._event, self._level, why=mask(" ".join(self._why(record).split()))[:200])
        return False

    def _why(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        return str(error or record.getMessage())


class _OneLineOfLoop(_OneLineOfLog):
    """asyncio says in its first line what failed, and how only in the exception."""

    def _why(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        what = record.getMessage().partition("\n")[0]
        return f"{what}: {error!r}" if error else what


def quiet_logger() -> logging.Logger:
    """Return the logger for aiohttp's server, which writes one line a second at most, as asyncio's then does."""
    logger, loop = logging.getLogger("iluvatar_pxe.http"), logging.getLogger("asyncio")
    if not logger.filters:
        logger.addFilter(_OneLineOfLog("http.malformed", logging.WARNING))
        loop.addFilter(_OneLineOfLoop("loop.failed", logging.ERROR))
    return logger
