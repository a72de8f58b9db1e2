"""Routes of a part that is loaded when a request asks for something that no other route has."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from aiohttp import web
from yarl import URL

Load = Callable[[], Awaitable[Iterable[web.RouteDef]]]
"""Returns the routes; called once."""


class LateRoutes(web.AbstractResource):
    """Takes what other resources of its application have not taken."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self._loading = asyncio.Lock()
        self._routes: web.UrlDispatcher | None = None

    @property
    def canonical(self) -> str:
        """Return what every path begins with, so that it is asked last."""
        return "/"

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Return the route of a request, or None and the methods that there are for its path."""
        found = await (await self._loaded()).resolve(request)
        error = found.http_exception
        if error is None:
            return found, set()
        return None, set(error.allowed_methods) if isinstance(error, web.HTTPMethodNotAllowed) else set()

    async def _loaded(self) -> web.UrlDispatcher:
        async with self._loading:
            if self._routes is None:
                routes = web.UrlDispatcher()
                routes.add_routes(await self._load())
                self._routes = routes
        return self._routes

    def raw_match(self, path: str) -> bool:  # noqa: ARG002 - aiohttp's signature
        """Share no path with a route that is added later."""
        return False

    def url_for(self, **kwargs: str) -> URL:
        """Have no one URL."""
        raise NotImplementedError

    def add_prefix(self, prefix: str) -> None:
        """Be no part of another application."""
        raise NotImplementedError

    def get_info(self) -> Any:
        """Return what aiohttp shows of it: nothing."""
        return {}

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        """Yield no routes: they are not known yet."""
        return iter(())

    def __len__(self) -> int:
        """Return how many these are."""
        return 0
