"""Which other DHCP servers there are, by messages as clients and servers send them."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest

from iluvatar_pxe.machines.dhcp_servers import (
    FORGOTTEN,
    MOST_SERVERS,
    DhcpServers,
    Heard,
    chosen_by,
    offered_by,
)
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BOOTREPLY, BOOTREQUEST, DhcpMessage, MessageType, Option
from iluvatar_pxe.wire.pxe import PXE_CLIENT

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ROUTER, OTHER, OWN = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.9"), IPv4Address("10.0.0.2")
ADDRESSES = Heard(address=ROUTER, gives_addresses=True)
BOOTS = Heard(address=OTHER, boots=True, boot_file="pxelinux.0", boot_server=OTHER)


def message(
    kind: MessageType, server: IPv4Address | None = ROUTER, *options: tuple[int, bytes]
) -> DhcpMessage:
    is_reply = kind in {MessageType.OFFER, MessageType.ACK}
    named = ((int(Option.SERVER_ID), server.packed),) if server else ()
    return DhcpMessage(
        op=BOOTREPLY if is_reply else BOOTREQUEST,
        xid=1,
        chaddr=bytes(6),
        yiaddr=IPv4Address("10.0.0.77") if is_reply else IPv4Address(0),
        options=((Option.MESSAGE_TYPE, bytes((kind,))), *named, *options),
    )


def taken(*heard: Heard, servers: DhcpServers | None = None, now: datetime = NOW) -> DhcpServers:
    servers = servers or DhcpServers()
    for one in heard:
        servers.take("eth0", one, OWN, now)
    return servers


def test_a_request_names_the_server_that_its_sender_chose() -> None:
    request = message(MessageType.REQUEST)
    assert chosen_by(request) == ADDRESSES
    assert chosen_by(message(MessageType.DISCOVER)) is None
    assert chosen_by(message(MessageType.REQUEST, None)) is None
    assert chosen_by(message(MessageType.REQUEST, IPv4Address("255.255.255.255"))) is None
    assert chosen_by(replace(request, giaddr=OTHER)) is None


def test_a_reply_tells_what_its_server_does() -> None:
    offer = message(MessageType.OFFER, None)
    assert offered_by(offer, ROUTER) == ADDRESSES
    assert offered_by(message(MessageType.OFFER, OTHER), ROUTER) == replace(ADDRESSES, address=OTHER)
    assert offered_by(message(MessageType.NAK), ROUTER) is None
    assert offered_by(message(MessageType.REQUEST), ROUTER) is None
    booting = replace(offer, yiaddr=IPv4Address(0), siaddr=OTHER, file=b"pxelinux.0")
    assert offered_by(booting, OTHER) == BOOTS
    vendor = replace(booting, file=b"", options=(*offer.options, (Option.VENDOR_CLASS, PXE_CLIENT)))
    assert offered_by(vendor, OTHER) == replace(BOOTS, boot_file="")
    by_options = (*offer.options, (Option.BOOT_FILE, b"a\x1b[2J\0"), (Option.SERVER_NAME, b"10.0.0.2\0"))
    found = offered_by(replace(offer, options=by_options), ROUTER)
    assert found == replace(ADDRESSES, boots=True, boot_file="a?[2J", boot_server=OWN)


def test_one_server_of_addresses_is_as_it_should_be() -> None:
    servers = taken(ADDRESSES, ADDRESSES)
    assert (servers.lines, servers.news()) == ([], [])
    assert [one.heard for one in servers.all] == [ADDRESSES]


def test_a_second_one_is_told_once_and_names_the_first() -> None:
    servers = taken(ADDRESSES, replace(ADDRESSES, address=OTHER))
    (line,) = servers.lines
    assert line.startswith("10.0.0.9 on eth0 gives addresses, and so does 10.0.0.1; ")
    assert [one.why for one in servers.news()] == [line]
    assert servers.news() == []
    servers.take("eth1", replace(ADDRESSES, address=IPv4Address("10.1.0.1")), OWN, NOW)
    assert servers.lines == [line]  # each network has one


def test_who_offers_something_to_boot_is_told() -> None:
    (line,) = taken(BOOTS).lines
    assert line.startswith("10.0.0.9 on eth0 offers pxelinux.0 to boot; ")
    (line,) = taken(replace(BOOTS, boot_file="")).lines
    assert line.startswith("10.0.0.9 on eth0 answers boot requests, too; ")


def test_a_router_that_sends_machines_here_is_none_too_many() -> None:
    assert taken(replace(BOOTS, boot_server=OWN)).lines == []


def test_the_fleets_other_daemons_are_none_too_many() -> None:
    servers = taken(BOOTS)
    servers.know_ours(frozenset({OTHER}))
    assert servers.news() == []
    servers.know_ours(frozenset())  # its name is not known for a while
    assert [one.is_ours for one in servers.all] == [True]


def test_what_is_known_of_a_server_grows() -> None:
    servers = DhcpServers()
    assert servers.take("eth0", ADDRESSES, OWN, NOW)
    assert not servers.take("eth0", ADDRESSES, OWN, NOW)
    assert servers.take("eth0", replace(BOOTS, address=ROUTER), OWN, NOW)
    assert not servers.take("eth0", ADDRESSES, OWN, NOW + timedelta(hours=1))
    (one,) = servers.all
    assert one.heard == replace(BOOTS, address=ROUTER, gives_addresses=True)
    assert (one.first, one.last) == (NOW, NOW + timedelta(hours=1))


def test_a_silent_server_is_forgotten_after_a_day() -> None:
    servers = taken(BOOTS)
    assert servers.news()
    later = NOW + FORGOTTEN + timedelta(seconds=1)
    servers.take("eth0", ADDRESSES, OWN, later)
    assert [one.heard for one in servers.all] == [ADDRESSES]
    servers.take("eth0", BOOTS, OWN, later)
    assert len(servers.news()) == 1


@pytest.mark.parametrize("heard", [ADDRESSES, BOOTS], ids=["addresses", "boots"])
def test_invented_servers_find_no_place_after_so_many(heard: Heard) -> None:
    many = [replace(heard, address=IPv4Address(number)) for number in range(1, 1000)]
    servers = taken(*many)
    assert len(servers.all) == MOST_SERVERS
    assert len(servers.news()) <= MOST_SERVERS
    taken(*many, servers=servers)
    assert servers.news() == []
