"""What is told of other DHCP servers, and what is not looked at twice."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

from structlog.testing import capture_logs
from support.waiting import until

from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.machines.dhcp_servers import MOST_SERVERS, DhcpServers, Heard
from iluvatar_pxe.servers.dhcp.others import OtherServers
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BOOTREPLY, DhcpMessage, MessageType, Option, encode

OWN, RIVAL = IPv4Address("10.0.0.2"), "10.0.0.9"
OFFER = DhcpMessage(
    op=BOOTREPLY,
    xid=1,
    chaddr=bytes(6),
    file=b"pxelinux.0",
    options=((Option.MESSAGE_TYPE, bytes((MessageType.OFFER,))),),
)


class Ears:
    """Where messages come in, and what has come of them."""

    def __init__(self, daemons: Iterable[str]) -> None:
        self.events = EventLog()
        self.servers = DhcpServers()
        self.others = OtherServers(self.servers, self.events, lambda: daemons, lambda: "lab.home.arpa")

    def reply(self, message: DhcpMessage, source: str = RIVAL) -> None:
        self.others.reply("eth0", OWN, encode(message), source)

    @property
    def told(self) -> list[str]:
        return [one.subject for one in self.events.after(0) if one.kind is EventKind.DHCP_SERVER]


@asynccontextmanager
async def listening(*daemons: str) -> AsyncIterator[Ears]:
    ears = Ears(daemons)
    task = asyncio.create_task(ears.others.run())
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_netboot_server_is_told_once_with_what_it_offers() -> None:
    with capture_logs() as logs:
        async with listening() as ears:
            for _ in range(3):
                ears.reply(OFFER)
            await until(lambda: ears.told)
            ears.reply(replace(OFFER, file=b"other.0"))
            (event,) = ears.events.after(0)
    assert (event.subject, dict(event.facts)) == (
        RIVAL,
        {"interface": "eth0", "boots": True, "gives_addresses": False, "boot_file": "pxelinux.0"},
    )
    assert event.words.startswith("10.0.0.9 on eth0 offers pxelinux.0 to boot; ")
    assert [one["event"] for one in logs] == ["dhcp.other_server"]


async def test_another_daemon_of_the_fleet_is_not_told() -> None:
    async with listening("10.0.0.7:8080") as ears:
        ears.reply(OFFER, "10.0.0.7")
        ears.reply(OFFER)
        await until(lambda: ears.told)
        assert ears.told == [RIVAL]
        assert [one.is_ours for one in ears.servers.all] == [True, False]


async def test_what_is_no_reply_is_passed_over() -> None:
    async with listening() as ears:
        ears.others.reply("eth0", OWN, b"", "10.0.0.3")
        ears.others.reply("eth0", OWN, b"\2" * 300, "10.0.0.4")
        ears.reply(replace(OFFER, options=()), "10.0.0.5")
        assert not ears.servers.all


async def test_many_invented_servers_are_no_flood_of_events() -> None:
    async with listening() as ears:
        for number in range(1000):
            ears.others.chosen(
                "eth0", Heard(address=IPv4Address(0x0A000100 + number), gives_addresses=True), OWN
            )
        await until(lambda: ears.told)
        assert len(ears.told) == MOST_SERVERS - 1
