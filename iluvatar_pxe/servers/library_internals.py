"""All that is used of aiohttp and asyncio and is not in their documentation. Look again when one of them is updated.

Each use says what goes wrong without it, and what shows that. ``CHECKED`` says with which versions that was done.
"""

import asyncio
import ssl
from abc import abstractmethod
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable
from typing import IO, Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

CHECKED = {"aiohttp": ("3.14",), "Python": ("3.11", "3.12", "3.13")}
_BUFFER = 64 << 10
"""Bytes that a TLS connection reads at once."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class CustomRunner(web.AppRunner):
    """An ``AppRunner`` with connections of another class, and something around the application.

    Symptom: a request that aiohttp cannot parse never reaches the application or its middlewares. The connection itself
    answers it, over several lines that repeat the request's bytes, and it cannot be told to close a connection that
    stalls. aiohttp has no public way to have connections of another class.
    Evidence: ``tests/servers/http/test_faults.py`` and ``test_http_connections.py``.
    Uses ``AppRunner._make_server``, ``Server._loop`` and ``Server._kwargs``.
    """

    def __init__(
        self,
        app: web.Application,
        connect: Callable[..., web.RequestHandler],
        wrap: Callable[[Handler], Handler],
        **kwargs: Any,
    ) -> None:
        """``connect`` gets what ``RequestHandler`` does; ``kwargs`` are those of ``AppRunner``."""
        super().__init__(app, **kwargs)
        self._connect = connect
        self._wrap = wrap

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _CustomServer(made, self._connect, self._wrap(made.request_handler))


class _CustomServer(web.Server):
    def __init__(
        self, made: web.Server, connect: Callable[..., web.RequestHandler], handler: Handler
    ) -> None:
        super().__init__(handler, request_factory=made.request_factory, **made._kwargs)  # noqa: SLF001
        self._connect = connect

    def __call__(self) -> web.RequestHandler:
        return self._connect(self, loop=self._loop, **self._kwargs)


def is_idle(connection: web.RequestHandler) -> bool:
    """Say whether a connection waits for a request, or for the rest of its header.

    Symptom: aiohttp closes a connection whose client sends no more, also before it has begun to answer the last request.
    ``close`` has it answer, but does not end a connection that has nothing to answer.
    Evidence: ``tests/servers/http/test_connections.py``.
    Uses ``RequestHandler._waiter``.
    """
    return connection._waiter is not None and not connection._waiter.done()  # noqa: SLF001


def is_ready(connection: web.RequestHandler) -> bool:
    """Say whether a connection waits for a request, and would take one.

    Symptom: aiohttp ignores requests to a server that is being stopped, or after ``close``.
    Evidence: ``tests/servers/http/test_quick.py``.
    Uses ``RequestHandler._waiter``, ``_close`` and ``_force_close``.
    """
    return is_idle(connection) and not (connection._close or connection._force_close)  # noqa: SLF001


def count_answer(connection: web.RequestHandler) -> None:
    """Take note that a request was answered of which aiohttp does not know.

    Symptom: aiohttp ends a connection some time after the last request that it has answered itself, and says nothing in
    the log of a first one that is none.
    Evidence: ``tests/servers/http/test_quick.py``.
    Uses ``RequestHandler._next_keepalive_close_time``, ``_loop`` and ``_request_count``.
    """
    connection._request_count += 1  # noqa: SLF001
    connection._next_keepalive_close_time = connection._loop.time() + connection.keepalive_timeout  # noqa: SLF001


def has_queued(connection: web.RequestHandler) -> bool:
    """Say whether a client has sent another request before it was answered, which nobody has begun to answer.

    Symptom: after ``close``, aiohttp drops such requests.
    Evidence: ``tests/servers/http/test_connections.py``.
    Uses ``RequestHandler._messages``.
    """
    return bool(connection._messages)  # noqa: SLF001


def octets_written(response: web.StreamResponse) -> int:
    """Return how many octets of a response were given to its connection, its header too.

    Symptom: ``body_length`` is known only when a response has ended, which is after its handler has returned.
    Evidence: ``tests/servers/http/test_metering.py``.
    Uses ``StreamResponse._payload_writer`` and ``StreamWriter.output_size``.
    """
    writer = response._payload_writer  # noqa: SLF001
    return response.body_length if writer is None else writer.output_size


class CustomFileResponse(web.FileResponse):
    """A ``FileResponse`` whose bytes are sent by a method of its own.

    Symptom: aiohttp has the event loop send a file, by calls of sendfile(2) that do not return before the client takes no
    more: nobody else is answered meanwhile, for half a second where the file comes from a disk and the clients are fast.
    A file that became shorter is sent as if it were whole.
    Evidence: ``tests/servers/http/test_sending.py``.
    Uses ``FileResponse._sendfile``, which is called when all headers are known.
    """

    @abstractmethod
    async def transmit(
        self, request: web.BaseRequest, writer: AbstractStreamWriter, offset: int, count: int
    ) -> None:
        """Send ``count`` bytes of the file; the headers have been given to ``writer``."""

    async def _sendfile(
        self, request: web.BaseRequest, _file: IO[Any], offset: int, count: int
    ) -> AbstractStreamWriter:
        begun = await web.StreamResponse.prepare(self, request)
        writer = cast("AbstractStreamWriter", begun)  # there is none only after the end
        await self.transmit(request, writer, offset, count)
        await self.write_eof()
        return writer


class TlsProtocol(SSLProtocol):
    """What asyncio puts around a connection with TLS, as a server.

    Symptom: ``create_server(ssl=...)`` tells nobody of a connection before its handshake is done, so one client could hold
    every descriptor of the process by connections on which it says nothing; ``start_tls`` may deliver data before it
    returns. Both reserve 256 KiB for each connection, where a TLS record has 16 (RFC 8446, 5.1).
    Evidence: ``tests/servers/http/test_tls.py``.
    Uses ``asyncio.sslproto.SSLProtocol``, its arguments and its ``max_size``.
    """

    max_size = _BUFFER

    def __init__(
        self,
        inside: asyncio.BaseProtocol,
        context: ssl.SSLContext,
        through: asyncio.Future[None],
        *,
        handshake: int,
        shutdown: float,
    ) -> None:
        """``through`` is done when the handshake is, or has failed; ``handshake`` and ``shutdown`` are timeouts in seconds."""
        super().__init__(
            through.get_loop(),
            inside,
            context,
            through,
            server_side=True,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown,
        )


def close_pipes(process: asyncio.subprocess.Process) -> None:
    """Close this end of all pipes of a process that has ended.

    Symptom: a child that the process left behind holds the other ends, so reading from them never comes to an end.
    ``Process`` can close its standard input only.
    Evidence: ``test_git_hangs.py``, with a hook that leaves a child behind.
    Uses ``Process._transport``.
    """
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
