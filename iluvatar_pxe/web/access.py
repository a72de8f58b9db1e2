"""Who may change something."""

from aiohttp import web


class Access:
    """Knows who asks, and what they may do. Reading is for whoever the HTTP server lets in."""

    async def writer(self, request: web.Request) -> str:
        """Return who asks, for the record; raises HTTPException, with the reason, for who may not change anything."""
        raise web.HTTPForbidden(text=f"{request.method} {request.path}: nobody may change anything here yet")
