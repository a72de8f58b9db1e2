"""Firmware of a stand-in that asks the network before its disk, at each start: by DHCP, and then as iPXE.

The stand-in has its address already: it tells it as firmware does that takes a router's offer. It runs no boot file.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from support.firmware_dhcp import answer_to, listening, send_from_nowhere
from support.proxy import discover
from support.talos.machine import Machine
from support.talos.netboot import Netboot

from iluvatar_pxe.wire.dhcp import MessageType, Option, decode, encode

UEFI = 7
OFFER_SECONDS = 2.0
"""Of real time, as the daemon's own delays are."""


@dataclass(frozen=True)
class NetworkFirst:
    """Boots as that daemon says whose offer comes first; its own disk, if no daemon offers anything."""

    cards: Mapping[str, str]
    """The network interface of each machine, by its MAC."""
    port: int = 8080
    again_seconds: float = 5.0

    async def __call__(self, machine: Machine) -> str | None:
        while True:
            if server := await asyncio.to_thread(self._offered, machine):
                return await Netboot(f"http://{server}:{self.port}")(machine)
            if machine.hardware.system_disk is not None:
                return None
            await machine.clock.sleep(self.again_seconds)

    def _offered(self, machine: Machine) -> IPv4Address | None:
        """Return the daemon that offers a boot; blocks."""
        mac, card = machine.hardware.mac, self.cards[machine.hardware.mac]
        request = encode(discover(UEFI, mac=mac))
        with listening(card) as sock:
            send_from_nowhere(card, request)
            offer = answer_to(request, sock, OFFER_SECONDS)
        if offer is None:
            return None
        router = ".".join([*machine.address.split(".")[:3], "1"])
        taken = {
            Option.MESSAGE_TYPE: bytes((MessageType.REQUEST,)),
            Option.SERVER_ID: IPv4Address(router).packed,
            Option.REQUESTED_ADDRESS: IPv4Address(machine.address).packed,
        }
        send_from_nowhere(card, encode(discover(UEFI, *taken.items(), mac=mac)))
        return decode(offer).siaddr
