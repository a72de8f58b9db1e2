"""The fields of a form that a page sends."""

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

LARGEST = 16 << 10
"""Octets of a form."""
_MOST_FIELDS = 50
_SECONDS = 10.0
"""Until all of it has come."""
_KIND = "application/x-www-form-urlencoded"


async def form_of(request: web.Request) -> dict[str, str]:
    """Return a form's fields, none of what is no form; raises HTTPException for one that is too large, or does not end."""
    if request.content_type != _KIND:
        return {}
    if (request.content_length or 0) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(LARGEST, request.content_length or 0)
    try:
        async with asyncio.timeout(_SECONDS):
            body = await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text="the form did not come; send it again") from error
    try:
        return dict(
            parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        )
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"a form has at most {_MOST_FIELDS} fields") from error
