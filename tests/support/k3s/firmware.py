"""A Raspberry Pi's firmware: it asks the network, and gets the arguments of its kernel by TFTP from the first daemon."""

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address

from support.firmware_dhcp import answer_to, listening, send_from_nowhere
from support.pi import eeprom_id, pi_discover

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.downloads import by_tftp
from iluvatar_pxe.simulate.link.attachment import CardAttachment, Ports
from iluvatar_pxe.simulate.timings import pi_manner
from iluvatar_pxe.wire.dhcp import DhcpMessage, MessageType, Option, decode, encode

REVISION = 0xC04170
"""Of a Pi 5."""
OFFER_SECONDS, AGAIN_SECONDS = 2.0, 0.5
"""The daemon's own delays are of real time; a Pi whose files are declined begins again after its timeouts."""
_FILES = ("config.txt", "vmlinuz", "initrd.img")


class PluggedIn(CardAttachment):
    """By a card that has its address already."""

    def __init__(self, mac: str, card: str, address: str) -> None:
        super().__init__(bytes.fromhex(mac.replace(":", "")), Ports())
        self.address = IPv4Address(address)
        self._card = card


@dataclass(frozen=True)
class PiFirmware:
    """The EEPROM of a Pi 5 with this serial number."""

    mac: str
    card: str
    address: str
    serial: str

    async def boot(self) -> list[str]:
        """Ask until some daemon gives everything, and return the kernel's arguments."""
        while True:
            server = await asyncio.to_thread(self.offered)
            if server is not None:
                try:
                    return await self._load(server)
                except SimulateError:  # declined, or the daemon is gone
                    pass
            await asyncio.sleep(AGAIN_SECONDS)

    def offered(self) -> IPv4Address | None:
        """Return the daemon that offers a boot, as no router does; blocks. The router's address is taken, as the daemon hears."""
        request = self._message()
        with listening(self.card) as sock:
            send_from_nowhere(self.card, encode(request))
            answers = iter(lambda: answer_to(encode(request), sock, OFFER_SECONDS), None)
            offer = next((one for one in map(decode, answers) if one.option(Option.VENDOR_CLASS)), None)
        if offer is None:
            return None
        router = ".".join([*self.address.split(".")[:3], "1"])
        taken = {
            Option.MESSAGE_TYPE: bytes((MessageType.REQUEST,)),
            Option.SERVER_ID: IPv4Address(router).packed,
            Option.REQUESTED_ADDRESS: IPv4Address(self.address).packed,
        }
        options = [(code, value) for code, value in request.options if code != Option.MESSAGE_TYPE]
        told = DhcpMessage(
            op=request.op,
            xid=request.xid,
            chaddr=request.chaddr,
            options=(*((int(code), value) for code, value in taken.items()), *options),
        )
        send_from_nowhere(self.card, encode(told))
        return offer.siaddr

    def _message(self) -> DhcpMessage:
        return pi_discover(self.mac, eeprom_id(self.mac, REVISION, self.serial, fourcc=b"5iPR"))

    async def _load(self, server: IPv4Address) -> list[str]:
        """Load all files; raises SimulateError where one is missing."""
        attachment = PluggedIn(self.mac, self.card, self.address)
        manner = pi_manner(("tsize", "0"), ("blksize", "1468"))
        for name in _FILES:
            await by_tftp(attachment, server, f"{self.serial}/{name}", manner)
        found = await by_tftp(attachment, server, f"{self.serial}/cmdline.txt", manner)
        return found.text.split()
