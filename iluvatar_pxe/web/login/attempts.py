"""Has those wait that guess passwords, and computes at most two hashes at a time: each costs memory and a processor."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from aiohttp import hdrs, web

from iluvatar_pxe.errors import LoginError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.failure_limit import FailureLimit

MOST_AT_ONCE = 2
MOST_OF_ALL = 60
"""Failures within a minute of all clients together, after which all wait: who guesses may have many addresses."""
_EVERYBODY = ""
T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run what reads or writes who is logged in; raises HTTPServiceUnavailable where that cannot be done."""
    try:
        return await asyncio.to_thread(call)
    except LoginError as error:
        complain("web.login", logging.ERROR, why=str(error))
        raise web.HTTPServiceUnavailable(
            text="this server cannot read or store who is logged in; see its log"
        ) from error


class Attempts:
    """Runs attempts to log in, or to set the first password."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._each = FailureLimit(clock)
        self._all = FailureLimit(clock, most=MOST_OF_ALL)
        self._running = 0

    async def run(self, request: web.Request, attempt: Callable[[], T | None]) -> T | None:
        """Run ``attempt`` in a thread; None is a failure, which counts.

        Raises HTTPTooManyRequests for who has failed too often, and HTTPServiceUnavailable while two others are
        served, and as ``in_thread``.
        """
        client = str(client_of(request))
        self._make_wait(client)
        if self._running >= MOST_AT_ONCE:
            complain("web.refused", client=client, why="too many logins at once")
            raise web.HTTPServiceUnavailable(
                text="too many logins at once; try again", headers={hdrs.RETRY_AFTER: "1"}
            )
        self._running += 1
        try:
            done = await in_thread(attempt)
        finally:
            self._running -= 1
        if done is None:
            self._each.fail(client)
            self._all.fail(_EVERYBODY)
            complain("web.refused", client=client, why="wrong password")
        return done

    def _make_wait(self, client: str) -> None:
        if seconds := max(self._each.wait(client), self._all.wait(_EVERYBODY)):
            complain("web.refused", client=client, why="too many wrong passwords")
            wait = {hdrs.RETRY_AFTER: str(int(seconds) + 1)}
            raise web.HTTPTooManyRequests(text="too many wrong passwords; wait a minute", headers=wait)
