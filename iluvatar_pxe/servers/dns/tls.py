"""Upstreams that are asked by TLS (RFC 7858): one connection each, for as long as there are questions."""

import asyncio
import ssl
from functools import cached_property

from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns.exchange import framed, read_frame, with_id
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.message import is_answer

IDLE_SECONDS = 10.0
"""Without an answer. Whoever waits then is helped by a new connection: a router may have forgotten this one."""


class _Channel:
    """A connection, and who waits for what on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[bytes, tuple[bytes, asyncio.Future[bytes]]] = {}
        self.is_open = True

    async def ask(self, query: bytes) -> bytes:
        """Return the answer; raises ConnectionError when the connection ends before it."""
        while (asked := with_id(query))[:2] in self._waiting:
            pass
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[asked[:2]] = asked, answer
        try:
            self._writer.write(framed(asked))
            return query[:2] + (await answer)[2:]
        finally:
            self._waiting.pop(asked[:2], None)

    async def run(self) -> None:
        """Hand out answers until the connection ends, or none has come for a while."""
        try:
            while True:
                await self._next()
        except (OSError, EOFError):  # TimeoutError is an OSError
            pass
        finally:
            self.is_open = False
            self._writer.transport.abort()
            for _, answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection ended"))

    async def _next(self) -> None:
        async with asyncio.timeout(IDLE_SECONDS):
            reply = await read_frame(self._reader)
        asked, answer = self._waiting.get(reply[:2], (b"", None))
        if answer and not answer.done() and is_answer(asked, reply):
            answer.set_result(reply)


class TlsUpstreams:
    """All such connections; ``ask`` needs ``run`` to be running."""

    def __init__(self) -> None:
        self._channels: dict[Upstream, _Channel] = {}
        self._turns: dict[Upstream, asyncio.Lock] = {}
        self._group: asyncio.TaskGroup | None = None

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Trusts the system's authorities; read when first needed, in a thread, for there are 140 of them."""
        return ssl.create_default_context()

    async def run(self) -> None:
        """Keep connections until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            await asyncio.Event().wait()

    async def ask(self, upstream: Upstream, query: bytes, seconds: float) -> bytes:
        """Return the answer, under the question's own id; raises ResolveError, also where the certificate is not its own.

        A connection that ended is made anew, once.
        """
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await (await self._channel(upstream)).ask(query)
                except ConnectionError:
                    return await (await self._channel(upstream)).ask(query)
        except TimeoutError as error:
            raise ResolveError(f"{upstream}: no answer") from error
        except ssl.SSLCertVerificationError as error:
            raise ResolveError(f"{upstream}: its certificate: {error.verify_message}") from error
        except OSError as error:
            raise ResolveError(f"{upstream}: {error.strerror or error}") from error

    async def _channel(self, upstream: Upstream) -> _Channel:
        async with self._turns.setdefault(upstream, asyncio.Lock()):
            known = self._channels.get(upstream)
            if known and known.is_open:
                return known
            if self._group is None:
                raise ResolveError(f"{upstream}: the daemon is only starting")
            host, context = str(upstream.address), await asyncio.to_thread(lambda: self._trusted)
            reader, writer = await asyncio.open_connection(
                host, upstream.port, ssl=context, server_hostname=upstream.name or host
            )
            channel = self._channels[upstream] = _Channel(reader, writer)
            self._group.create_task(channel.run())
            return channel
