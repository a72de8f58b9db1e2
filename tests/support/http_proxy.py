"""A proxy on loopback that takes every name for the publisher's, and writes down what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from support.ports import free_port


@dataclass
class HttpProxy:
    """Passes requests and tunnels on to the ports that they name, always on loopback."""

    port: int = field(default_factory=free_port)
    asked: list[str] = field(default_factory=list)
    """The first lines of requests."""
    headers: list[bytes] = field(default_factory=list)
    refusal: str = ""
    """A status and a reason, if it refuses everything."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["HttpProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            self.asked.append(line.decode())
            self.headers.append(rest)
            if self.refusal:
                writer.write(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                await self._pass_on(line.decode(), rest, reader, writer)

    async def _pass_on(
        self, line: str, rest: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, target, version = line.split()
        address, _, path = target.removeprefix("http://").partition("/")
        there, to = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(f"{version} 200 OK\r\n\r\n".encode())
        else:
            to.write(f"{method} /{path} {version}\r\n".encode() + rest)
        with closing(to):
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, to))
                group.create_task(_copy(there, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
