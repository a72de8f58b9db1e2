"""Has the templates of a page know who looks at it, and what that one's last change came to."""

from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from iluvatar_pxe.values import replace
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.said import FIELD, Said
from iluvatar_pxe.web.visitor import look_as


class Greeter:
    """Wraps the handlers of pages."""

    def __init__(self, access: Access, said: Said) -> None:
        self._access = access
        self._said = said

    def route(self, of_page: web.RouteDef) -> web.RouteDef:
        """Return the same route, with the handler wrapped."""
        return web.route(of_page.method, of_page.path, self._handler(of_page.handler), **of_page.kwargs)

    def _handler(self, handler: Handler) -> Handler:
        @wraps(handler)
        async def greeted(request: web.Request) -> web.StreamResponse:
            visitor = await self._access.visitor(request)
            if key := request.query.get(FIELD, ""):
                visitor = replace(visitor, said=self._said.take(key))
            look_as(visitor)
            return await handler(request)

        return greeted
