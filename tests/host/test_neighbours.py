"""Whose card has an address, asked of the real kernel: private networks, real connections, real entries."""

import os
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, Network

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
MAC, OTHER = "02:00:00:00:00:02", "02:00:00:00:00:03"
PERMANENT = f"ip neigh replace 10.9.0.2 lladdr {MAC} dev eth0 nud permanent"
ETH0, ETH1 = (
    f"ip link add eth{number} type veth peer name peer{number} && "
    f"ip address add 10.9.{number}.1/24 dev eth{number} && "
    f"ip link set eth{number} up && ip link set peer{number} up"
    for number in (0, 1)
)
PRELUDE = """
import os, resource, socket, subprocess
from ipaddress import IPv4Address
from support.interfaces import read_interface
from iluvatar_pxe.host.neighbours import Neighbours
def sh(command):
    subprocess.run(command, shell=True, check=True)
def serving(*names):
    neighbours = Neighbours()
    neighbours.serve([read_interface(name) for name in names])
    return neighbours
def say(address):
    print("SAID", neighbours.mac_of(IPv4Address(address)))
"""


def said_by(script: str) -> list[str]:
    """Run ``script`` on a host with two segments, of which it serves eth0, and return what it said."""
    with Namespace() as namespace:
        namespace.run(["sh", "-c", f"{ETH0} && {ETH1}"])
        start = f'{PRELUDE}neighbours = serving("eth0")\n'
        command = [
            "env",
            f"PYTHONPATH={ROOT}:{ROOT}/tests",
            sys.executable,
            "-W",
            "error",
            "-c",
            f"{start}{script}\nneighbours.close()",
        ]
        output = namespace.run(command)
    assert "[warning" not in output
    return [line.removeprefix("SAID ") for line in output.splitlines() if line.startswith("SAID ")]


def said_after(*changes: str, address: str = "10.9.0.2") -> list[str]:
    return said_by("\n".join(f"sh({change!r})\nsay({address!r})" for change in changes))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param("true", "None", id="never heard of"),
        *(
            pytest.param(f"ip neigh add 10.9.0.2 lladdr {MAC} dev eth0 nud {state}", MAC, id=state)
            for state in ("permanent", "reachable", "stale", "delay", "probe")
        ),
        pytest.param(f"ip neigh add 10.9.0.2 lladdr {MAC} dev eth0 nud noarp", "None", id="noarp"),
        pytest.param("ip neigh add 10.9.0.2 dev eth0 nud failed", "None", id="failed"),
        pytest.param(
            f"{PERMANENT} && ip neigh change 10.9.0.2 dev eth0 nud failed", "None", id="failed, once known"
        ),
        pytest.param("ip neigh add 10.9.0.2 dev eth0 nud incomplete", "None", id="incomplete"),
        pytest.param("ip neigh add proxy 10.9.0.2 dev eth0", "None", id="proxy"),
        pytest.param(PERMANENT.replace(MAC, "01:00:5e:00:00:01"), "None", id="a group's MAC"),
        pytest.param(PERMANENT.replace(MAC, "00:00:00:00:00:00"), "None", id="no MAC"),
        pytest.param(PERMANENT.replace("eth0", "eth1"), "None", id="on an interface that is not served"),
    ],
)
def test_an_entry(entry: str, said: str) -> None:
    assert said_after(entry) == [said]


def test_what_is_no_other_machine_has_no_mac() -> None:
    addresses = ("10.9.0.1", "10.9.0.255", "127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255")
    assert said_by("\n".join(f"say({address!r})" for address in addresses)) == ["None"] * len(addresses)


@pytest.mark.parametrize("address", ["10.9.0.1", "127.0.0.1", "224.0.0.1"])
def test_not_even_where_somebody_made_an_entry(address: str) -> None:
    assert said_after(PERMANENT.replace("10.9.0.2", address), address=address) == ["None"]


def test_changes_are_seen_at_once() -> None:
    changed = PERMANENT.replace(MAC, OTHER)
    said = said_after(
        PERMANENT, changed, "ip neigh del 10.9.0.2 dev eth0", PERMANENT, "ip link del eth0", ETH0
    )
    assert said == [MAC, OTHER, "None", MAC, "None", "None"]


def test_the_interface_counts_in_whose_network_the_address_lies() -> None:
    elsewhere = PERMANENT.replace("eth0", "eth1").replace(MAC, OTHER)
    script = f"""
neighbours = serving("eth1", "eth0")
sh({elsewhere!r}); say("10.9.0.2")
sh({PERMANENT!r}); say("10.9.0.2")
"""
    assert said_by(script) == [OTHER, MAC]


def test_it_finds_its_way_back_after_it_was_closed() -> None:
    script = f"sh({PERMANENT!r})\nsay('10.9.0.2')\nneighbours.close()\nsay('10.9.0.2')\nsay('10.9.0.3')\n"
    assert said_by(script) == [MAC, MAC, "None"]


def test_other_interfaces_count_from_when_they_are_served() -> None:
    script = f"""
sh({PERMANENT!r}); say("10.9.0.2")
neighbours.serve([read_interface("eth1")]); say("10.9.0.2")
neighbours.serve([read_interface("eth0")]); say("10.9.0.2")
"""
    assert said_by(script) == [MAC, "None", MAC]


def test_another_interface_of_the_same_name_is_not_asked() -> None:
    assert said_after(PERMANENT, f"ip link del eth0 && {ETH0} && {PERMANENT}") == [MAC, "None"]


def test_without_a_socket_nobody_is_known_and_the_log_says_why() -> None:
    script = f"""
from structlog.testing import capture_logs
sh({PERMANENT!r})
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
with capture_logs() as log:
    say("10.9.0.2")
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
say("10.9.0.2")
print("SAID", [(line["event"], line["interface"], line["address"], line["why"]) for line in log])
"""
    why = "[Errno 24] Too many open files"
    assert said_by(script) == ["None", MAC, str([("neighbours.failed", "eth0", "10.9.0.2", why)])]


LISTEN = f"""
{PRELUDE}
neighbours = serving("{INTERFACE}")
listener = socket.create_server(("10.77.0.2", 8080))
say("10.77.0.3")
print("LISTENING", flush=True)
for _ in range(2):
    connection, (address, _port) = listener.accept()
    say(address)
    connection.close()
neighbours.close()
"""
CONNECT = "import socket; socket.create_connection(('10.77.0.2', 8080), 30).recv(1)"


def test_who_connects_is_known_by_the_card_that_it_uses_now() -> None:
    with Namespace() as namespace:
        network = Network(namespace)
        server, client = (network.add_station(f"one{host}", f"10.77.0.{host}") for host in (2, 3))
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
        listening = namespace.start(
            "server", [sys.executable, "-c", LISTEN], network=server, environment=environment
        )
        listening.wait_for("LISTENING", PATIENCE)
        expected = ["None"]
        for mac in (MAC, OTHER):
            namespace.run(["ip", "link", "set", INTERFACE, "address", mac], network=client)
            namespace.run([sys.executable, "-c", CONNECT], network=client)
            expected.append(mac)
        assert listening.wait(PATIENCE) == 0
    said = [line for line in listening.output.splitlines() if line.startswith("SAID")]
    assert said == [f"SAID {one}" for one in expected]
