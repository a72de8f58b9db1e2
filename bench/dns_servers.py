"""The servers that bench/dns.py compares, all of which know the same names: ours, dnsmasq and unbound."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from getpass import getuser
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from iluvatar_pxe.wire.dns.message import rcode_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import Rcode, Type

HERE = "127.0.0.1"
DOMAIN, ELSEWHERE, NOWHERE = "lab.home.arpa", "bench.example", "nowhere.example"
"""Whose names the servers know by themselves; whose names an upstream knows, every one; and whose names nobody has."""
MACHINES = {f"m{number}": IPv4Address("10.1.0.0") + number for number in range(1000)}
OURS, DNSMASQ, UNBOUND = "iluvatar-pxe", "dnsmasq", "unbound"
_TTL = 3600
_PATIENCE = 60.0
_UNBOUND = f"""server:
    interface: {HERE}@PORT
    num-threads: 1
    do-daemonize: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    module-config: "iterator"
    do-not-query-localhost: no
    msg-cache-size: 16m
    rrset-cache-size: 32m
"""
_NO_CONTROL = "remote-control:\n    control-enable: no\n"


@dataclass(frozen=True)
class Server:
    """A DNS server that runs."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def resident(self) -> float:
        """The memory that it takes, in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    @property
    def worked(self) -> float:
        """Seconds for which it has had a processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def servers(directory: Path, core: int, upstream_core: int) -> Iterator[list[Server]]:
    """Run the three on ``core``, and what they forward to on another one, until the end of the block."""
    up, *ports = _free_ports(7)
    prepared = {
        DNSMASQ: (ports[0], _dnsmasq(directory, ports[0], up)),
        UNBOUND: (ports[1], _unbound(directory, ports[1], up)),
        OURS: (ports[2], _ours(directory, ports[2:], up)),
    }
    with ExitStack() as running:
        running.enter_context(_running("upstream", up, _upstream(directory, up), upstream_core, directory))
        yield [
            running.enter_context(_running(name, port, argv, core, directory))
            for name, (port, argv) in prepared.items()
        ]


@contextmanager
def _running(name: str, port: int, argv: Sequence[str], core: int, directory: Path) -> Iterator[Server]:
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        pinned = ["taskset", "--cpu-list", str(core), *argv]
        process = subprocess.Popen(
            pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
        )
    try:
        server = Server(name, port, process)
        asked = [f"one.{ELSEWHERE}"] if name == "upstream" else [f"m1.{DOMAIN}", f"one.{ELSEWHERE}"]
        if not all(_answers(server, one) for one in asked):
            sys.exit(f"{name} does not answer: {log.read_text()[-2000:]}")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Return this process's, without settings of ours, which would go before the file's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ILUVATAR_PXE_")}


def _answers(server: Server, name: str) -> bool:
    """Ask until there is an address."""
    deadline = time.monotonic() + _PATIENCE
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect((HERE, server.port))
        client.settimeout(0.2)
        while server.process.poll() is None and time.monotonic() < deadline:
            try:
                client.send(make_query(name_of(name), Type.A))
                reply = client.recv(4096)
            except OSError:  # nobody there yet
                time.sleep(0.05)
                continue
            if rcode_of(reply) == Rcode.NOERROR and int.from_bytes(reply[6:8]) == 1:
                return True
    return False


def _upstream(directory: Path, port: int) -> list[str]:
    zones = (
        _zone(ELSEWHERE, "redirect")
        + _data(f"{ELSEWHERE}. {_TTL} IN A 192.0.2.1")
        + _zone(NOWHERE, "static")
        + _data(f"{NOWHERE}. {_TTL} IN SOA ns.{NOWHERE}. root.{NOWHERE}. 1 3600 600 86400 {_TTL}")
    )
    return _unbound_with(directory / "upstream.conf", port, zones + _NO_CONTROL)


def _unbound(directory: Path, port: int, up: int) -> list[str]:
    known = "".join(_data(f"{name}.{DOMAIN}. {_TTL} IN A {address}") for name, address in MACHINES.items())
    forward = f'forward-zone:\n    name: "."\n    forward-addr: {HERE}@{up}\n'
    text = _zone(DOMAIN, "static") + known + _NO_CONTROL + forward
    return _unbound_with(directory / "unbound.conf", port, text)


def _unbound_with(file: Path, port: int, text: str) -> list[str]:
    file.write_text(_UNBOUND.replace("PORT", str(port)) + text)
    return ["unbound", "-c", str(file)]


def _zone(name: str, kind: str) -> str:
    return f'    local-zone: "{name}." {kind}\n'


def _data(record: str) -> str:
    return f'    local-data: "{record}"\n'


def _dnsmasq(directory: Path, port: int, up: int) -> list[str]:
    file = directory / "dnsmasq.conf"
    settings = (
        f"port={port}\nlisten-address={HERE}\nbind-interfaces\nno-resolv\nno-hosts\nuser={getuser()}\npid-file=\n"
        f"server={HERE}#{up}\nlocal=/{DOMAIN}/\ncache-size=10000\n"
    )
    known = "".join(f"host-record={name}.{DOMAIN},{address}\n" for name, address in MACHINES.items())
    file.write_text(settings + known)
    return ["dnsmasq", "--keep-in-foreground", f"--conf-file={file}"]


def _ours(directory: Path, ports: Sequence[int], up: int) -> list[str]:
    dns, tftp, http, tls = ports
    settings: Mapping[str, Mapping[str, Any]] = {
        "network": {"interfaces": ["lo"], "dhcp": "off"},
        "tftp": {"port": tftp},
        "http": {"port": http, "tls_port": tls},
        "dns": {"port": dns, "upstream": [f"{HERE}:{up}"]},
        "state": {"directory": str(directory / "state")},
        "fleet": {"source": str(directory / "fleet")},
        "control": {"socket": str(directory / "control.sock")},
    }
    file = directory / "config.toml"
    file.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
            for section, keys in settings.items()
        )
    )
    _write_fleet(directory / "fleet")
    return [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(file)]


def _write_fleet(fleet: Path) -> None:
    (fleet / "machines").mkdir(parents=True)
    (fleet / "layers").mkdir()
    (fleet / "fleet.yaml").write_text(f"domain: {DOMAIN}\n")
    (fleet / "layers" / "arda.yaml").write_text("kind: talos\ntalos: {version: v1.13.9, schematic: none}\n")
    for number, (name, address) in enumerate(MACHINES.items()):
        mac = (b"RT\0\0" + number.to_bytes(2)).hex(":")
        (fleet / "machines" / f"{name}.yaml").write_text(
            f'match: {{macs: ["{mac}"]}}\naddress: {address}\nintent: local\n'
        )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        clients = [held.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(count)]
        for client in clients:
            client.bind((HERE, 0))
        return [client.getsockname()[1] for client in clients]
