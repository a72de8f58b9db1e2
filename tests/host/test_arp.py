"""Who has an address, asked of a real neighbour by real frames."""

import os

import pytest
from support.segment import HERE, NEIGHBOUR, segment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ASK = """
import asyncio, sys
from ipaddress import IPv4Address
from support.interfaces import read_interface
from iluvatar_pxe.host.arp import holder_of
for address in {addresses}:
    print(asyncio.run(holder_of(IPv4Address(address), read_interface("eth0"))))
"""


def test_a_neighbour_answers_for_its_address_and_nobody_for_a_free_one_or_this_hosts() -> None:
    with segment() as here:
        said = here.said_by(ASK.format(addresses=[NEIGHBOUR, "10.77.0.8", HERE]))
        assert said == [here.mac, "None", "None"]
        assert HERE not in here.run("ip", "neighbour")  # a probe tells nobody an address


def test_who_only_asks_for_the_address_does_not_have_it() -> None:
    with segment() as here:
        here.run("ip", "address", "del", f"{NEIGHBOUR}/24", "dev", "eth0")
        here.run("ip", "address", "add", "10.77.0.7/24", "dev", "eth0")
        here.namespace.start("asks", ["ping", "-c", "20", "-i", "0.2", NEIGHBOUR], network="neighbour")
        assert here.said_by(ASK.format(addresses=[NEIGHBOUR, "10.77.0.7"])) == ["None", here.mac]
