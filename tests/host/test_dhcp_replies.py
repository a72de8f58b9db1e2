"""Which frames are heard as replies of DHCP servers: real ones, on loopback."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from support.waiting import until

from iluvatar_pxe.host.dhcp_replies import MOST_AT_ONCE, DhcpReplies

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: packet sockets")

REPLY, REQUEST = b"\2" + bytes(300), b"\1" + bytes(300)


class Wire:
    """A client's port on loopback, and what was heard of replies to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.heard: list[tuple[bytes, str]] = []
        self.in_a_row: list[int] = []
        """How many were heard when the event loop got its next turn."""

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.socket.getsockname())

    def on_reply(self, data: bytes, source: str) -> None:
        self.heard.append((data, source))
        if len(self.heard) % MOST_AT_ONCE == 1:
            asyncio.get_running_loop().call_soon(lambda: self.in_a_row.append(len(self.heard)))


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        found = Wire(sock)
        with closing(DhcpReplies("lo", sock.getsockname()[1], found.on_reply)):
            yield found


async def test_replies_are_heard_and_nothing_else() -> None:
    async with wire() as one:
        one.send(REQUEST)
        one.send(b"")
        one.send(REPLY)
        await until(lambda: one.heard)
        assert one.heard == [(REPLY, "127.0.0.1")]


async def test_of_many_only_some_are_read_in_a_row() -> None:
    async with wire() as one:
        for _ in range(5 * MOST_AT_ONCE):
            one.send(REPLY)
        await until(lambda: len(one.in_a_row) >= 2)
        assert one.in_a_row[:2] == [MOST_AT_ONCE, 2 * MOST_AT_ONCE]
