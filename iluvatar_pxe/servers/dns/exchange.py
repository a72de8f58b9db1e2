"""One question to one upstream, by UDP or TCP, that nobody else can answer (RFC 5452)."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog

from iluvatar_pxe.dns.inquiry import RETRY_SECONDS, Abilities, Inquiry
from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.message import is_answer, is_truncated

RESEND = (0.8, 1.2)
"""Seconds until a datagram is sent again, and once more."""
SIDE_BY_SIDE = 0.2
"""Seconds between the answers to two forms of a question that were sent together, at most."""
_LONGEST = 65535

_log = structlog.get_logger()


def with_id(query: bytes) -> bytes:
    """Return a question under an id that cannot be guessed."""
    return secrets.token_bytes(2) + query[2:]


async def ask_udp(upstream: Upstream, query: bytes, seconds: float, abilities: Abilities) -> bytes:
    """Return the answer, under the question's own id; what is cut off is asked for again by TCP. Raises ResolveError.

    The socket is a fresh one, from a port that the kernel chooses at random, and connected: the kernel drops what
    others send. What does not answer this very question is ignored.
    """
    inquiry = Inquiry(query, abilities, time.monotonic(), secrets.token_bytes)
    with _reported(upstream):
        async with asyncio.timeout(seconds):
            with _socket(upstream) as sock:
                reply = await _by_datagrams(sock, inquiry)
            for ability in inquiry.learn(time.monotonic()):
                minutes = int(RETRY_SECONDS / 60)
                why = f"it answers only without {ability}, and is asked without for {minutes} minutes"
                _log.info("dns.upstream", upstream=str(upstream), why=why)
            if is_truncated(reply):
                reply = await _by_stream(upstream, inquiry.answered)
    return query[:2] + reply[2:]


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return a message that its length precedes (RFC 7766, 8)."""
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))


def framed(message: bytes) -> bytes:
    """Return a message behind its length."""
    return len(message).to_bytes(2) + message


async def _by_datagrams(sock: socket.socket, inquiry: Inquiry) -> bytes:
    """Ask until there is an answer, and a moment longer where a fuller form was sent with the answered one."""
    loop = asyncio.get_running_loop()
    for patience in (*RESEND, None):
        for form in inquiry.again():
            await loop.sock_sendall(sock, form)
        try:
            async with asyncio.timeout(patience):
                while not inquiry.reply:
                    await _take(sock, inquiry)
        except TimeoutError:
            if patience is None:
                raise
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(SIDE_BY_SIDE):
                    while inquiry.is_open:
                        await _take(sock, inquiry)
            return inquiry.reply
    raise TimeoutError


async def _take(sock: socket.socket, inquiry: Inquiry) -> None:
    loop = asyncio.get_running_loop()
    if more := inquiry.take(await loop.sock_recv(sock, _LONGEST)):
        await loop.sock_sendall(sock, more)


async def _by_stream(upstream: Upstream, asked: bytes) -> bytes:
    async with _connection(upstream) as (reader, writer):
        writer.write(framed(asked))
        while not is_answer(asked, reply := await read_frame(reader)):
            pass
        return reply


@contextmanager
def _socket(upstream: Upstream) -> Iterator[socket.socket]:
    family = socket.AF_INET if upstream.address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect((str(upstream.address), upstream.port))  # UDP: it does not wait
        yield sock


@asynccontextmanager
async def _connection(
    upstream: Upstream,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(str(upstream.address), upstream.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@contextmanager
def _reported(upstream: Upstream) -> Iterator[None]:
    """Turn what went wrong into one line."""
    try:
        yield
    except TimeoutError as error:
        raise ResolveError(f"{upstream}: no answer") from error
    except asyncio.IncompleteReadError as error:
        raise ResolveError(f"{upstream}: it hung up") from error
    except OSError as error:
        raise ResolveError(f"{upstream}: {error.strerror or error}") from error
