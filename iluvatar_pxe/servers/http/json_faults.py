"""Refusals of the control socket: each is ``{"error": "one line"}``."""

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from iluvatar_pxe.errors import IluvatarError, InvalidDraftError, OperationError, UnknownMachineError
from iluvatar_pxe.servers.control_protocol import REQUEST_SECONDS


@web.middleware
async def json_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal with one line of JSON."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            return await handler(request)
    except web.HTTPException as error:
        return _fault(error.status, error.text or error.reason)
    except UnknownMachineError as error:
        return _fault(HTTPStatus.NOT_FOUND, str(error))
    except (OperationError, InvalidDraftError) as error:
        return _fault(HTTPStatus.CONFLICT, str(error))
    except IluvatarError as error:
        return _fault(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    except TimeoutError:
        return _fault(
            HTTPStatus.GATEWAY_TIMEOUT, f"not done within {REQUEST_SECONDS:g} s; see the daemon's log"
        )


def _fault(status: int, text: str) -> web.Response:
    return web.json_response({"error": " ".join(text.split())}, status=status)
