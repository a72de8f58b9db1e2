"""Finds out whose token a request has, and has clients wait that guess."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import hdrs, web

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.secrets.tokens import Token, Tokens
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.failure_limit import FailureLimit


class TokenCheck:
    """The tokens that one part of the server accepts; ``part`` is in the names of its log lines."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float], part: str) -> None:
        self._tokens = tokens
        self._part = part
        self._failures = FailureLimit(clock)

    async def holder(self, request: web.Request, secret: str) -> Token | None:
        """Return the token that ``secret`` is, None if it is none; raises HTTPException for who has guessed too often."""
        client = str(client_of(request))
        self._make_wait(client)
        token = await self._known(secret)
        self._make_wait(client)  # others of this client's requests may have failed meanwhile
        if token is None:
            self._failures.fail(client)
            complain(f"{self._part}.refused", client=client, why="unknown token")
        return token

    async def _known(self, secret: str) -> Token | None:
        try:
            return await asyncio.to_thread(self._tokens.holder, secret)
        except RepositoryError as error:
            complain(f"{self._part}.tokens", logging.ERROR, why=str(error))
            raise web.HTTPServiceUnavailable(
                text="this server cannot read its tokens; see its log"
            ) from error

    def _make_wait(self, client: str) -> None:
        if seconds := self._failures.wait(client):
            complain(f"{self._part}.refused", client=client, why="too many wrong tokens")
            wait = {hdrs.RETRY_AFTER: str(int(seconds) + 1)}
            raise web.HTTPTooManyRequests(text="too many wrong tokens; wait a minute", headers=wait)
