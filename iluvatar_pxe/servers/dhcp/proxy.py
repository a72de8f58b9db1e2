"""One DHCP datagram to what is done about it, without sockets or clocks."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Self

from msgspec import Struct

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import Ignore
from iluvatar_pxe.machines.dhcp_servers import Heard, chosen_by
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.quirks import RASPBERRY_PI_ITEM, quirks_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.replies.dhcp import BROADCAST, destination, not_for_us, reply_to
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, DhcpMessage, MessageType, decode, encode


class Arrival(Struct, frozen=True, kw_only=True):
    """Where a datagram came in: on this server as ``links`` names it, from ``source``, on 67 or on 4011.

    ``own_frame``: the Ethernet frame came from the very MAC that the message names.
    """

    links: Links
    source: tuple[str, int]
    pxe_port: bool
    own_frame: bool
    server_port: int
    client_port: int


class Reply(Struct, frozen=True):
    """A datagram to send; ``boot_file`` is what it names, ``delay`` how many seconds it waits.

    ``one_at_a_time``: other firmware of its kind hears it too, and would take it for its own.
    """

    data: bytes
    to: tuple[str, int]
    decision: Decision
    boot_file: str
    delay: float
    one_at_a_time: bool

    def with_data(self, data: bytes) -> Self:
        """Return the same reply in other octets; quicker than ``replace``, for it happens with most messages."""
        return type(self)(data, self.to, self.decision, self.boot_file, self.delay, self.one_at_a_time)


class Silence(Struct, frozen=True):
    """Nothing to send. ``sighting`` is of a machine that asked for a boot and gets none."""

    why: str
    sighting: Sighting | None = None
    chosen: Heard | None = None
    """The DHCP server whose address the sender takes, if it says so."""


class Lease(Struct, frozen=True):
    """Nothing to send, but a machine that boots has told which address the router gives it."""

    sighting: Sighting
    chosen: Heard | None = None
    """As ``Silence`` has it."""


def respond(
    data: bytes,
    arrival: Arrival,
    decide: Callable[[Sighting], Decision],
    permits: Callable[[str], bool],
) -> Reply | Silence | Lease:
    """Decide about one datagram; raises WireError when it is no DHCP message, and nothing else.

    ``permits`` says whether an address may ask by HTTP: who may not could fetch nothing of what it is offered.
    """
    request = decode(data)
    refusal = not_for_us(request, pxe_port=arrival.pxe_port)
    if refusal:
        return _overheard(request, arrival) or Silence(refusal, chosen=_chosen(request, arrival))
    sighting = _seen(request, arrival)
    decision = decide(sighting)
    plan = decision.plan
    if isinstance(plan, Ignore):
        return Silence(plan.why, sighting if plan.notable else None)
    if trouble := _unreachable(request, arrival, permits):
        return Silence(trouble, sighting)
    kind = MessageType.ACK if arrival.pxe_port else MessageType.OFFER
    quirks = quirks_of(request)
    reply = reply_to(request, sighting, plan, arrival.links, kind, quirks)
    if arrival.pxe_port:
        to = arrival.source  # clients ask from 4011 or from 68, and listen where they asked from
    else:
        to = destination(request, arrival.source, arrival.server_port, arrival.client_port)
    return Reply(
        data=encode(reply),
        to=to,
        decision=decision,
        boot_file=reply.file.decode() or RASPBERRY_PI_ITEM,
        delay=max((quirk.delay for quirk in quirks), default=0.0),
        one_at_a_time=to[0] == str(BROADCAST) and any(quirk.one_at_a_time for quirk in quirks),
    )


def _unreachable(request: DhcpMessage, arrival: Arrival, permits: Callable[[str], bool]) -> str:
    """Say why a client that is behind a relay or a router could not fetch its files; empty where it can."""
    is_relayed = request.giaddr != ANY
    address = str(request.giaddr) if is_relayed else arrival.source[0]
    if address == str(ANY) or permits(address):
        return ""
    who = f"its relay {address}" if is_relayed else address
    return f"{who} is not in [http] allow; if its network may boot, add that network there"


def _seen(request: DhcpMessage, arrival: Arrival) -> Sighting:
    nowhere = arrival.source == (str(ANY), arrival.client_port)
    seen = replace(from_dhcp(request), from_nowhere=nowhere and arrival.own_frame)
    if seen.from_nowhere:
        return seen
    if seen.simulated and not nowhere:  # it asks from its own address, and takes no other
        return replace(seen, address=IPv4Address(arrival.source[0]))
    return replace(seen, address=None)  # anybody may have written it


def _overheard(request: DhcpMessage, arrival: Arrival) -> Lease | None:
    """Read the address out of a booting client's REQUEST to the router; it is not answered."""
    is_request = not_for_us(request, pxe_port=True) is None
    if arrival.pxe_port or not is_request:
        return None
    sighting = _seen(request, arrival)
    if sighting.firmware is Firmware.NOT_BOOTING or sighting.address is None or not sighting.from_nowhere:
        return None
    return Lease(sighting, _chosen(request, arrival))


def _chosen(request: DhcpMessage, arrival: Arrival) -> Heard | None:
    return None if arrival.pxe_port else chosen_by(request)
