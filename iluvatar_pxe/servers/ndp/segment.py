"""Answers iPXE's Router Solicitations where no IPv6 router does, so that it does not wait for one.

Symptom: without an IPv6 router on the network, iPXE says "Configuring" for 16 s (2019: the ROMs of QEMU,
Debian 12) or 4 s (2025), after IPv4 has long been configured, before it fetches its first script.
Client: every iPXE with IPv6 that configures itself (``dhcp`` or ``autoboot``), as ROMs do.
Evidence: QEMU 7.2's BIOS ROM asked for its script 18.5 s after switching on, and 2.6 s when one unicast
advertisement answered it; ``ipv6conf_rx_router_advertisement`` in iPXE's ``src/net/ndp.c``.

What is sent cannot harm others: it goes by unicast to the link-local address that asked, only when the MAC
that asks is one whose iPXE was just offered a boot here, and it says nothing: router lifetime 0, no prefix,
no DHCPv6. A system that gets it all the same installs no route and no address by it. A solicitation from
``::`` is not answered: it names no MAC (RFC 4861 section 4.1), and no address for a unicast. iPXE always
asks from its link-local address.

Where there is an IPv6 router, nothing is sent, for iPXE takes its whole IPv6 configuration from the first
advertisement that it gets, and an empty one would leave it without. Two rules see to that. A router that
was heard on this interface silences us for as long as RFC 4861 lets it be quiet. And one that was not heard
yet goes first: we answer no solicitation within ``PATIENCE`` of the offer. Within that time a router answers
by unicast (dnsmasq: 2 ms), which ends iPXE's asking, or by multicast, which we hear; or it did so in the last
3 s, which we heard. iPXE asks again and again, after 0.2, 0.8, 1.8, 3.9 s (2019) or 0.1, 0.4, 0.9, 1.9 s
(2025), so this costs it less than a second. It also settles the race between a DISCOVER and the first
solicitation, which come within 4 ms.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.wire.mac import format_mac
from iluvatar_pxe.wire.ndp import (
    HOP_LIMIT,
    ROUTER_ADVERTISEMENT,
    decode_solicitation,
    encode_empty_advertisement,
)

PATIENCE = 0.5
"""Seconds after the offer that are left to a real router: MAX_RA_DELAY_TIME (RFC 4861 section 10)."""
WAIT = 16.0
"""Seconds after the offer in which iPXE may wait; who asks later is the system that it has booted."""
REPEAT = 2.0
"""Seconds in which a machine that was answered is answered again, should the first answer be lost."""
ROUTER_SILENCE = 1800.0
"""Seconds between two multicasts of a router, at most (MaxRtrAdvInterval, RFC 4861 section 6.2.1)."""
MACHINES = 1024
"""Machines remembered at once; the one offered longest ago is forgotten first."""


@dataclass(slots=True)
class _Window:
    opens: float
    closes: float


class Expected:
    """Whose solicitations are to be answered at which moments; ``now`` is of a clock that does not go back."""

    def __init__(self) -> None:
        self._windows: Recent[str, _Window] = Recent(MACHINES)

    def offered(self, mac: str, now: float) -> None:
        """Expect solicitations of a machine whose iPXE was just offered a boot."""
        self._windows.put(mac, _Window(now + PATIENCE, now + WAIT))

    def take(self, mac: str, now: float) -> bool:
        """Tell whether a solicitation of ``mac`` is to be answered now; it is then held for answered."""
        window = self._windows.get(mac)
        if window is None or not window.opens <= now < window.closes:
            return False
        window.closes = min(window.closes, now + REPEAT)
        return True


class Segment:
    """What is known of one interface's segment, and the decision about each message from there."""

    def __init__(self, link_address: bytes, expected: Expected) -> None:
        self._advertisement = encode_empty_advertisement(link_address)
        self._expected = expected
        self._router_heard: float | None = None

    def answer(self, data: bytes, source: str, hop_limit: int, now: float) -> bytes | None:
        """Return what to send to ``source``, or None; raises WireError for a malformed solicitation."""
        if hop_limit != HOP_LIMIT:
            return None
        if data[:1] == bytes((ROUTER_ADVERTISEMENT,)):
            self._router_heard = now
            return None
        mac = format_mac(decode_solicitation(data).link_address)
        if not IPv6Address(source).is_link_local or self._has_router(now):
            return None
        return self._advertisement if self._expected.take(mac, now) else None

    def _has_router(self, now: float) -> bool:
        return self._router_heard is not None and now - self._router_heard < ROUTER_SILENCE
