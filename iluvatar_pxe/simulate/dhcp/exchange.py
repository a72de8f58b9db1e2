"""DHCP as firmware speaks it: a message, waits of known length, the same message again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

from iluvatar_pxe.errors import LeaseRefusedError, NoAnswerError, SimulateError, WireError
from iluvatar_pxe.simulate.dhcp.messages import Lease
from iluvatar_pxe.simulate.dhcp.offers import Heard, Offers, answers
from iluvatar_pxe.simulate.link.attachment import Attachment
from iluvatar_pxe.simulate.link.channel import Channel, Peer
from iluvatar_pxe.wire.dhcp import DhcpMessage, MessageType, Option, decode, encode

T = TypeVar("T")

MOST_NAKS = 10
_FINAL = {MessageType.ACK, MessageType.NAK}
"""What answers a REQUEST; an offer that comes now is late, and passed over."""
_DEFAULT_PREFIX = 24


async def converse(
    channel: Channel,
    message: Callable[[], DhcpMessage],
    waits: Sequence[float],
    hear: Callable[[Heard], None],
    enough: Callable[[float, bool], bool],
    to: Peer | None = None,
) -> bool:
    """Send a message after each of ``waits`` anew, until ``enough(seconds, wait_is_over)`` of the answers was heard.

    Returns whether it was; what does not decode is passed over.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for wait in waits:
        channel.send(encode(message()), to)
        until = loop.time() + wait
        while (left := until - loop.time()) > 0:
            if await _listen(channel, left, hear) and enough(loop.time() - began, False):  # noqa: FBT003
                return True
        if enough(loop.time() - began, True):  # noqa: FBT003
            return True
    return False


async def _listen(channel: Channel, seconds: float, hear: Callable[[Heard], None]) -> bool:
    received = await channel.receive(seconds)
    if received is None:
        return False
    try:
        hear(Heard(decode(received[0]), received[1]))
    except WireError:
        return False
    return True


async def ask(
    channel: Channel,
    message: Callable[[], DhcpMessage],
    waits: Sequence[float],
    why_not: Callable[[Heard], str | None],
    to: Peer | None = None,
) -> Heard:
    """Return the first answer that is taken; raises SimulateError with what is wrong with those that are not."""
    taken: list[Heard] = []
    refused: list[str] = []

    def hear(heard: Heard) -> None:
        if answers(heard.message, message()) and heard.message.message_type in _FINAL:
            reason = why_not(heard)
            refused.append(
                f"the answer from {heard.source[0]} was rejected: {reason}"
            ) if reason else taken.append(heard)

    if await converse(channel, message, waits, hear, lambda _seconds, _over: bool(taken), to):
        return taken[0]
    if refused:
        raise SimulateError(refused[-1])
    raise NoAnswerError(f"no answer{f' from {to[0]}:{to[1]}' if to else ''}")


async def collect(
    channel: Channel,
    offers: Offers,
    waits: Sequence[float],
    enough: Callable[[float, bool], bool],
    message: Callable[[], DhcpMessage] | None = None,
) -> None:
    """Send DISCOVERs until there is enough; raises SimulateError that says what is missing."""
    if not await converse(channel, message or (lambda: offers.asked), waits, offers.take, enough):
        raise (SimulateError if offers.refused else NoAnswerError)(offers.missing)


async def despite_naks(attempt: Callable[[], Awaitable[T]]) -> T:
    """Begin anew after a NAK, as RFC 2131 section 3.1 says; after ``MOST_NAKS`` raises LeaseRefusedError."""
    for _ in range(MOST_NAKS):
        try:
            return await attempt()
        except LeaseRefusedError:
            continue
    return await attempt()


async def take_lease(
    attachment: Attachment,
    channel: Channel,
    request: Callable[[], DhcpMessage],
    lease: Lease,
    waits: Sequence[float],
) -> None:
    """Ask the router for what it offered, and use it; raises LeaseRefusedError or another SimulateError."""

    def why_not(heard: Heard) -> str | None:
        if heard.message.message_type is MessageType.NAK:
            return None
        if heard.source[1] != attachment.ports.dhcp:
            return f"it comes from port {heard.source[1]}"
        return None if heard.message.yiaddr == lease.address else "its address is not the offered one"

    heard = await ask(channel, request, waits, why_not)
    if heard.message.message_type is MessageType.NAK:
        raise LeaseRefusedError("the router withdrew its offer (NAK)")
    await attachment.take(lease.address, prefix_length(heard.message))


def prefix_length(message: DhcpMessage) -> int:
    """Return the length of the network's prefix, from option 1."""
    mask = message.address(Option.SUBNET_MASK)
    return int(mask).bit_count() if mask else _DEFAULT_PREFIX


async def ask_boot_server(
    attachment: Attachment,
    message: DhcpMessage,
    server: IPv4Address,
    port: int,
    waits: Sequence[float],
    fault: Callable[[DhcpMessage], str | None],
) -> Heard:
    """Ask port 4011 of ``server`` from ``port``; raises SimulateError."""
    pxe_port = attachment.ports.pxe

    def why_not(heard: Heard) -> str | None:
        if heard.source[1] != pxe_port:
            return f"it comes from port {heard.source[1]}, not {pxe_port}"
        return fault(heard.message)

    channel = attachment.udp(port)
    try:
        return await ask(channel, lambda: message, waits, why_not, (str(server), pxe_port))
    finally:
        channel.close()
