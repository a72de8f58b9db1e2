"""Asks one resolver for a host's addresses, as another machine would: this host's own resolver has no part in it."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.udp import Peer, UdpSocket
from iluvatar_pxe.wire.dns.message import addresses_in, is_answer, rcode_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import TELLING, Type

ATTEMPTS = 2
ANSWER_SECONDS = 1.0
"""For each attempt."""


async def addresses_at(resolver: Peer, name: str) -> frozenset[IPv4Address] | None:
    """Return a name's IPv4 addresses by a resolver, none where it knows no such name; None where it does not tell.

    Raises ServerError where nothing can be sent.
    """
    query = secrets.token_bytes(2) + make_query(name_of(name), Type.A)[2:]
    with _asking(resolver, query) as (udp, answered):
        for _ in range(ATTEMPTS):
            udp.send(query, resolver)
            done, _ = await asyncio.wait([answered], timeout=ANSWER_SECONDS)
            if done:
                return _read(answered.result())
    return None


@contextmanager
def _asking(resolver: Peer, query: bytes) -> Iterator[tuple[UdpSocket, "asyncio.Future[bytes]"]]:
    answered = asyncio.get_running_loop().create_future()

    def take(data: bytes, peer: Peer) -> None:
        if peer == resolver and is_answer(query, data) and not answered.done():
            answered.set_result(data)

    udp = UdpSocket.open("0.0.0.0", 0)  # noqa: S104 - the kernel chooses the address that leads there
    try:
        udp.start(take)
        yield udp, answered
    finally:
        udp.close()


def _read(answer: bytes) -> frozenset[IPv4Address] | None:
    try:
        if rcode_of(answer) not in TELLING:
            return None
        return frozenset(one for one in addresses_in(answer) if isinstance(one, IPv4Address))
    except WireError:
        return None
