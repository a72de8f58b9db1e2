"""The daemon follows its interfaces without a restart: real links, and real clients on each of them."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fleets import ARDA, INITRAMFS, KERNEL
from support.proxy import discover
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.wire.dhcp import encode

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
PROGRAM = "ipxe/snponly.efi"
MACS = {"a": "02:00:00:00:01:50", "b": "02:00:00:00:02:50"}
FILES = {
    "fleet/fleet.yaml": "maxAttempts: 100\n",
    "fleet/layers/arda.yaml": ARDA,
    "fleet/one.yaml": "machine: {}\n",
    "assets/large": "x" * (4 << 20),
    **{f"assets/{name}": name * 1000 for name in (PROGRAM, KERNEL, INITRAMFS)},
    **{
        f"fleet/machines/{name}.yaml": f'match: {{macs: ["{mac}"]}}\nchain: talos\nconfig: one.yaml\n'
        for name, mac in MACS.items()
    },
}
"""A fleet of the clients' machines, which get a configuration when the daemon knows their cards."""
GO = DIRECTORY / "go"
SLOW_TRANSFER = f"""
import sys, time
from pathlib import Path
from support.tftp_client import TftpClient
with TftpClient(69, "{PROGRAM}", sys.argv[1]) as client:
    first = client.receive()
    print("STARTED", flush=True)
    while not Path("{GO}").exists():
        time.sleep(0.01)
    print("BYTES", len(client.finish(first)))
"""
TAKE_PORT = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], 8080))
print("TAKEN", flush=True)
time.sleep(600)
"""
WRITE_OUT = "BYTES %{size_download}\\n"


class Host:
    """A server, and clients ``a`` and ``b`` on segments of their own: its eth0 (10.77.1.2) and eth1 (10.77.2.2)."""

    def __init__(self, namespace: Namespace, interfaces: list[str]) -> None:
        self.namespace = namespace
        for name in ("server", *MACS):
            self.sh(f"ip netns add {name}; ip -n {name} link set lo up", network=None)
        state = DIRECTORY / "state"
        for name, text in FILES.items():
            file = namespace.outside(state / name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        namespace.outside(DIRECTORY / "config.toml").write_text(
            f'[network]\ninterfaces = {json.dumps(interfaces)}\n[state]\ndirectory = "{state}"\n'
            f'[fleet]\nsource = "{state}/fleet"\n'
            f'[control]\nsocket = "{DIRECTORY}/control.sock"\n[assets]\nfetch = false\n[log]\nformat = "json"\n'
        )
        command = [sys.executable, "-W", "error", "-m", "iluvatar_pxe", "serve"]
        command += ["--config", str(DIRECTORY / "config.toml")]
        self.daemon = self.start("daemon", *command)
        self._log_from = 0

    def start(self, name: str, *command: str, network: str = "server") -> Process:
        return self.namespace.start(name, command, network=network, environment=ENVIRONMENT)

    def sh(self, script: str, *, network: str | None = "server") -> str:
        return self.namespace.run(["sh", "-ec", script], network=network)

    def connect(self, client: str) -> None:
        """Make the server's interface to a client, anew if there is one; the client's end is new, too."""
        number = list(MACS).index(client)
        address, peer = f"10.77.{number + 1}.2/24", f"10.77.{number + 1}.50/24"
        self.sh(
            f"ip -n server link del eth{number} || :;"
            f"ip -n server link add eth{number} type veth peer name eth0 address {MACS[client]} netns {client};"
            f"ip -n {client} address add {peer} dev eth0; ip -n {client} link set eth0 up;"
            f"ip -n server address add {address} dev eth{number}; ip -n server link set eth{number} up",
            network=None,
        )

    def readyz(self) -> dict[str, Any]:
        """Return the report, as seen from loopback."""
        report: dict[str, Any] = json.loads(self.sh("curl -s http://127.0.0.1:8080/readyz"))
        return report

    def network(self) -> str:
        """Return what ``/readyz`` says of the network."""
        return str(self.readyz()["parts"]["network"])

    def forget_log(self) -> None:
        """Let ``logged`` tell only of what is logged from now on."""
        self._log_from = len(self.daemon.output)

    def logged(self, event: str) -> list[str]:
        """Return the interface and address of each log line of an event."""
        lines = [
            json.loads(line)
            for line in self.daemon.output[self._log_from :].splitlines()
            if line.startswith("{")
        ]
        return [
            f"{line['interface']} {line.get('address') or line['http'].partition(':')[0]}"
            for line in lines
            if line["event"] == event
        ]

    def await_log(self, event: str, expected: list[str]) -> None:
        wait_until(lambda: len(self.logged(event)) >= len(expected), f"{event} {expected}")
        assert self.logged(event) == expected

    def sockets(self) -> list[str]:
        """Return the local address of every socket that listens, with the interface that it is bound to."""
        listing = self.sh('ss -H -n -a -t -u -w | awk \'$2 == "LISTEN" || $2 == "UNCONN" {print $1, $5}\'')
        return sorted(listing.splitlines())

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.daemon.pid}/fd").iterdir()))

    def begin_transfer(self, client: str, address: str) -> Process:
        """Return a TFTP transfer that has its first block, and goes on when there is a file ``GO``."""
        self.namespace.outside(GO).unlink(missing_ok=True)
        transfer = self.start("tftp", sys.executable, "-c", SLOW_TRANSFER, address, network=client)
        transfer.wait_for("STARTED", PATIENCE)
        return transfer

    def boots(self, client: str, address: str) -> bool:
        """Let a client's firmware ask for a boot, fetch its program, and ask for its script as iPXE does.

        The script names its configuration only where the daemon knows the card that has the client's address.
        """
        mac, base = MACS[client], f"http://{address}:8080"
        request = encode(discover(7, mac=mac)).hex()
        reply = self.sh(
            f"{sys.executable} {SUPPORT}/firmware_dhcp.py {request} eth0 {PATIENCE}", network=client
        )
        program = self.sh(f"curl -sS tftp://{address}/{PROGRAM}", network=client)
        url = f"{base}/ipxe?mac={mac}&arch=x86_64&platform=efi&net0={mac}"
        script = self.sh(f"curl -sS '{url}'", network=client)
        return (
            bytes.fromhex(reply)[20:24] == bytes(map(int, address.split(".")))
            and program == FILES[f"assets/{PROGRAM}"]
            and f"talos.config={base}/talos/" in script
        )


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A daemon that was started before there was any of its interfaces."""
    with Namespace() as namespace:
        made = Host(namespace, ["eth0", "eth1"])
        made.daemon.wait_for('"event": "network"', PATIENCE)
        nothing = made.readyz()
        assert not nothing["ready"]
        assert all(
            f"interface {name} does not exist yet; " in nothing["parts"]["network"]
            for name in ("eth0", "eth1")
        )
        made.connect("a")
        made.await_log("listening", ["eth0 10.77.1.2"])
        assert made.network().startswith("interface eth1 does not exist yet; ")
        made.connect("b")
        made.await_log("listening", ["eth0 10.77.1.2", "eth1 10.77.2.2"])
        assert made.boots("a", "10.77.1.2"), "and what is opened when it is first needed is open"
        yield made
        assert made.daemon.stop() == 0
        assert "Traceback" not in made.daemon.output


@pytest.fixture
def as_at_first(host: Host) -> Iterator[None]:
    """What a test changes and changes back leaves the same sockets and descriptors."""
    sockets, descriptors = host.sockets(), host.descriptors()
    host.forget_log()
    yield
    assert host.sockets() == sockets
    assert host.descriptors() == descriptors
    assert host.network() == "ok"


def test_an_interface_that_comes_after_the_start_is_served(host: Host) -> None:
    assert host.network() == "ok"
    assert host.boots("a", "10.77.1.2")
    assert host.boots("b", "10.77.2.2")


@pytest.mark.usefixtures("as_at_first")
def test_another_address(host: Host) -> None:
    host.sh("ip address del 10.77.1.2/24 dev eth0; ip address add 10.77.1.9/24 dev eth0")
    host.await_log("listening", ["eth0 10.77.1.9"])
    assert host.logged("listening.ended") == ["eth0 10.77.1.2"]
    assert host.boots("a", "10.77.1.9")
    host.sh("ip address del 10.77.1.9/24 dev eth0")
    host.await_log("listening.ended", ["eth0 10.77.1.2", "eth0 10.77.1.9"])
    assert host.network() == "interface eth0 has no IPv4 address yet; it is served once it has"
    host.sh("ip address add 10.77.1.2/24 dev eth0")
    host.await_log("listening", ["eth0 10.77.1.9", "eth0 10.77.1.2"])


@pytest.mark.usefixtures("as_at_first")
def test_of_several_addresses_the_first_is_served(host: Host) -> None:
    """The kernel gives the first one's place to the second when it goes, if it is told to, as systemd does."""
    host.sh("sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1")
    host.sh("ip address add 10.77.1.9/24 dev eth0; ip address del 10.77.1.2/24 dev eth0")
    host.await_log("listening", ["eth0 10.77.1.9"])
    assert host.boots("a", "10.77.1.9")
    host.sh(
        "ip address flush dev eth0; ip address add 10.77.1.2/24 dev eth0; ip address add 10.77.1.9/24 dev eth0"
    )
    host.await_log("listening", ["eth0 10.77.1.9", "eth0 10.77.1.2"])
    assert host.boots("a", "10.77.1.2")


def test_an_interface_made_anew_under_its_name_is_bound_anew(host: Host) -> None:
    host.forget_log()
    sockets, descriptors = host.sockets(), host.descriptors()
    host.connect("a")
    host.await_log("listening", ["eth0 10.77.1.2"])
    assert host.boots("a", "10.77.1.2")
    assert host.sockets() == sockets
    assert host.descriptors() == descriptors


@pytest.mark.usefixtures("as_at_first")
def test_transfers_go_on_while_another_interface_flaps_and_goes(host: Host) -> None:
    tftp = host.begin_transfer("b", "10.77.2.2")
    url = "http://10.77.2.2:8080/assets/large"
    http = host.start(
        "http", "curl", "-sS", "--limit-rate", "2M", "-o", "/dev/null", "-w", WRITE_OUT, url, network="b"
    )
    host.sh("for n in $(seq 100); do ip link set eth0 down; ip link set eth0 up; done; ip link del eth0")
    host.await_log("listening.ended", ["eth0 10.77.1.2"])
    assert host.network().startswith("interface eth0 does not exist yet; ")
    host.namespace.outside(GO).touch()
    for transfer, size in ((tftp, len(FILES[f"assets/{PROGRAM}"])), (http, len(FILES["assets/large"]))):
        assert transfer.wait(PATIENCE) == 0
        assert f"BYTES {size}\n" in transfer.output
    host.connect("a")
    host.await_log("listening", ["eth0 10.77.1.2"])


@pytest.mark.usefixtures("as_at_first")
def test_a_link_that_flaps_keeps_its_sockets(host: Host) -> None:
    tftp = host.begin_transfer("a", "10.77.1.2")
    host.sh("ip link set eth0 down; ip link set eth0 up")
    host.sh("ip -n a link set eth0 down; ip -n a link set eth0 up", network=None)
    host.namespace.outside(GO).touch()
    assert tftp.wait(PATIENCE) == 0
    assert host.boots("a", "10.77.1.2")
    assert host.logged("listening") == []


@pytest.mark.usefixtures("as_at_first")
def test_a_hundred_flaps_leave_nothing_behind(host: Host) -> None:
    flap = "ip address del 10.77.1.2/24 dev eth0; sleep 0.00$((n % 10)); ip address add 10.77.1.2/24 dev eth0"
    host.sh(f"for n in $(seq 100); do {flap}; done; ip address del 10.77.1.2/24 dev eth0")
    wait_until(lambda: host.network().startswith("interface eth0 has no"), "the address to be missed")
    host.sh("ip address add 10.77.1.2/24 dev eth0")
    wait_until(lambda: host.network() == "ok", "the address to be served")
    assert host.boots("a", "10.77.1.2")


@pytest.mark.usefixtures("as_at_first")
def test_a_port_that_is_taken_later_is_told_and_tried_again(host: Host) -> None:
    host.sh("sysctl -qw net.ipv4.ip_nonlocal_bind=1")
    other = host.start("other", sys.executable, "-c", TAKE_PORT, "10.77.1.9")
    other.wait_for("TAKEN", PATIENCE)
    host.sh("ip address del 10.77.1.2/24 dev eth0; ip address add 10.77.1.9/24 dev eth0")
    wait_until(lambda: "cannot listen on TCP 10.77.1.9:8080" in host.network(), "what is wrong to be told")
    assert host.boots("b", "10.77.2.2")
    other.stop()
    host.await_log("listening", ["eth0 10.77.1.9"])
    host.sh("ip address del 10.77.1.9/24 dev eth0; ip address add 10.77.1.2/24 dev eth0")
    host.await_log("listening", ["eth0 10.77.1.9", "eth0 10.77.1.2"])


VPN = "ip address add 10.8.0.6 peer 10.8.0.5 dev tun0; ip link set tun0 up"


def test_a_vpn_that_takes_the_default_route_moves_nothing() -> None:
    with Namespace() as namespace:
        host = Host(namespace, ["auto"])
        host.connect("a")
        host.sh("ip route add default via 10.77.1.50 metric 100")
        host.await_log("listening", ["eth0 10.77.1.2"])
        assert host.boots("a", "10.77.1.2"), "and what is opened when it is first needed is open"
        sockets = host.sockets()
        client = host.start("tunnel", sys.executable, str(SUPPORT / "tunnel.py"), "tun")
        client.wait_for("OPEN", PATIENCE)
        host.sh(f"{VPN}; ip route add default via 10.8.0.5 metric 50; ip route del default via 10.77.1.50")
        assert host.boots("a", "10.77.1.2")
        host.connect("b")
        host.sh("ip route add default via 10.77.2.50 metric 1; ip route add default via 10.77.1.50")
        assert host.boots("a", "10.77.1.2")
        client.stop()
        assert host.boots("a", "10.77.1.2")
        assert host.sockets() == sockets
        assert host.logged("listening.ended") == []
        assert host.network() == "ok"
        assert host.daemon.stop() == 0


def test_machines_that_auto_leaves_are_named_until_it_comes_back() -> None:
    with Namespace() as namespace:
        host = Host(namespace, ["auto"])
        host.connect("a")
        host.connect("b")
        host.sh("ip route add default via 10.77.1.50")
        host.await_log("listening", ["eth0 10.77.1.2"])
        assert host.boots("a", "10.77.1.2")
        host.sh("ip route replace default via 10.77.2.50")
        host.await_log("listening", ["eth0 10.77.1.2", "eth1 10.77.2.2"])
        moved = (
            "auto moved from eth0 (10.77.1.0/24; machines there: 1) to eth1; "
            "name the right one in [network] interfaces"
        )
        wait_until(lambda: host.network() == moved, "the machine to be missed")
        assert moved in host.daemon.output
        assert host.boots("b", "10.77.2.2"), "what it has moved to is served nonetheless"
        host.sh("ip route add default via 10.77.1.50 metric 200")
        host.await_log("listening", ["eth0 10.77.1.2", "eth1 10.77.2.2", "eth0 10.77.1.2"])
        assert host.boots("a", "10.77.1.2")
        assert host.network() == "ok"
        assert host.daemon.stop() == 0


def test_auto_follows_the_default_route() -> None:
    with Namespace() as namespace:
        host = Host(namespace, ["auto"])
        host.connect("a")
        host.connect("b")
        host.daemon.wait_for('"event": "network"', PATIENCE)
        assert host.network().startswith("no interface has a default route yet; ")
        host.sh("ip route add default via 10.77.1.50")
        host.await_log("listening", ["eth0 10.77.1.2"])
        host.sh("ip route replace default via 10.77.2.50")
        host.await_log("listening", ["eth0 10.77.1.2", "eth1 10.77.2.2"])
        assert host.logged("listening.ended") == ["eth0 10.77.1.2"]
        host.sh("ip link set eth1 down; ip link set eth1 up")
        assert "default" not in host.sh("ip route"), "the flap has taken the route away"
        host.sh("ip address del 10.77.2.2/24 dev eth1; ip address add 10.77.2.9/24 dev eth1")
        host.await_log("listening", ["eth0 10.77.1.2", "eth1 10.77.2.2", "eth1 10.77.2.9"])
        assert host.boots("b", "10.77.2.9")
        told = [json.loads(line) for line in host.daemon.output.splitlines() if line.startswith("{")]
        order = [line for line in told if line["event"] in {"intentions", "listening"}]
        assert [line["event"] for line in order] == ["intentions", *["intentions", "listening"] * 3]
        says = [line["says"].partition(",")[0] for line in order if line["event"] == "intentions"]
        served = ["eth0 (10.77.1.2)", "eth1 (10.77.2.2)", "eth1 (10.77.2.9)"]
        assert says == [f"On {where}" for where in ("no interface yet", *served)]
        assert host.daemon.stop() == 0
