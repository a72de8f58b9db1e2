"""A real client fetches windows of the daemon over cables that lose frames, and where a route refuses bursts."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from support.bad_link import worsen

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS, Network

pytestmark = pytest.mark.interop

STATION, ADDRESS = "client", "10.77.0.3"
PROGRAM = "ipxe/snponly.efi"
CONTENT = Random(19).randbytes(200_000)
PATIENCE = 60


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """A daemon, and a client's station on the same switch."""
    with Namespace() as namespace:
        network = Network(namespace)
        server = Server(network)
        program = namespace.outside(server.assets) / PROGRAM
        program.parent.mkdir()
        program.write_bytes(CONTENT)
        server.write_fleet({})
        network.add_station(STATION, ADDRESS)
        server.start()
        yield namespace


def fetched(namespace: Namespace, to: Path) -> bytes:
    options = ("--option", "blksize 1428", "--option", "windowsize 16")
    names = ("--remote-file", PROGRAM, "--local-file", str(to))
    client = namespace.start(
        "atftp", ["atftp", *options, "--get", *names, str(SERVER_ADDRESS)], network=STATION
    )
    assert client.wait(PATIENCE) == 0
    return namespace.outside(to).read_bytes()


def test_bursts_over_veth_arrive_as_datagrams(namespace: Namespace, tmp_path: Path) -> None:
    assert fetched(namespace, tmp_path / "got") == CONTENT


def test_a_route_whose_mtu_is_too_small_for_a_segment_gets_fragments(
    namespace: Namespace, tmp_path: Path
) -> None:
    route = [f"{ADDRESS}/32", "dev", INTERFACE, "mtu", "1000"]
    namespace.run(["ip", "route", "add", *route], network="server")
    assert fetched(namespace, tmp_path / "got") == CONTENT
    namespace.run(["ip", "route", "del", *route], network="server")


def test_what_a_bad_cable_loses_of_bursts_is_sent_again(namespace: Namespace, tmp_path: Path) -> None:
    worsen(namespace, STATION, loss=0.02, delay=0.001, duplicates=0.01, seed=19)
    assert fetched(namespace, tmp_path / "got") == CONTENT
