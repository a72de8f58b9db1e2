"""A connection on which plain requests are answered at once where their answer is at hand, and all others by aiohttp.

aiohttp's way from octets to octets, with its parser, its objects and its tasks, costs more than what is asked here most.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from iluvatar_pxe.provisioning.tickets import mask
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.connections import GuardedConnection
from iluvatar_pxe.servers.library_internals import count_answer, is_ready
from iluvatar_pxe.wire.http_head import LONGEST_HEAD, Head, read_head

QuickAnswer = Callable[[Head, str, str], bytes | None]
"""Returns the answer, octet for octet aiohttp's, to a request that comes from an address to one of this host, both as text.

Returns None where aiohttp is to answer, and then has done nothing that is not done again.
"""
_MOST_HEADS = 1024
_OF_SCRIPTS = (b"GET /ipxe?", b"GET /boot.ipxe ")
_read_once = lru_cache(_MOST_HEADS)(read_head)


def none_at_hand(_head: Head, _client: str, _here: str) -> None:
    """Have no answer."""


class QuickConnection(GuardedConnection):
    """Asks for an answer when nothing else is under way: no request, no part of one, and nothing left to be sent."""

    def __init__(self, *args: Any, quick: QuickAnswer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._quick = quick
        self._is_plain = True
        """Every request until now was whole when it came, and of the plainest; TLS is not plain."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection."""
        super().connection_made(transport)
        self._is_plain = transport.get_extra_info("sslcontext") is None
        self._here: str = transport.get_extra_info("sockname")[0]
        self._address: str = transport.get_extra_info("peername")[0]

    def data_received(self, data: bytes) -> None:
        """Answer a plain request at once, if its answer is at hand."""
        head = _head_of(data) if self._is_plain and len(data) <= LONGEST_HEAD else None
        if head is None:
            self._is_plain = False
        elif is_ready(self) and not self._transport.get_write_buffer_size():
            answer = self._answer(head)
            if answer is not None:
                self._cancel_header_timer()
                self._transport.write(answer)
                self._pool.heard(self)
                count_answer(self)
                return
        super().data_received(data)

    def _answer(self, head: Head) -> bytes | None:
        try:
            return self._quick(head, self._address, self._here)
        except Exception as error:  # noqa: BLE001 - the last resort: aiohttp answers, if only that this server failed
            path = mask(head.target.partition("?")[0])
            complain("http.failed", logging.ERROR, path=path, error=mask(repr(error)))
            return None


def _head_of(data: bytes) -> Head | None:
    """Read a request. Only those for scripts are remembered: a target may hold a ticket."""
    return _read_once(data) if data.startswith(_OF_SCRIPTS) else read_head(data)
