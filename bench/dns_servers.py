"""The servers that bench/dns.py compares, all of which know the same names: ours, dnsmasq and unbound."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from getpass import getuser
from ipaddress import IPv4Address
from pathlib import Path

from bench.servers import HERE, OURS, Server, Settings, free_ports, ours, running
from iluvatar_pxe.wire.dns.message import rcode_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import Rcode, Type

DOMAIN, ELSEWHERE, NOWHERE = "lab.home.arpa", "bench.example", "nowhere.example"
"""Whose names the servers know by themselves; whose names an upstream knows, every one; and whose names nobody has."""
MACHINES = {f"m{number}": IPv4Address("10.1.0.0") + number for number in range(1000)}
DNSMASQ, UNBOUND = "dnsmasq", "unbound"
_TTL = 3600
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


@contextmanager
def servers(directory: Path, core: int, upstream_core: int) -> Iterator[list[Server]]:
    """Run the three on ``core``, and what they forward to on another one, until the end of the block."""
    up, *ports = free_ports(7, socket.SOCK_DGRAM)
    prepared = {
        DNSMASQ: (ports[0], _dnsmasq(directory, ports[0], up)),
        UNBOUND: (ports[1], _unbound(directory, ports[1], up)),
        OURS: (ports[2], _ours(directory, ports[2:], up)),
    }
    upstream = running("upstream", up, _upstream(directory, up), upstream_core, directory, _is_upstream)
    with ExitStack() as stack:
        stack.enter_context(upstream)
        yield [
            stack.enter_context(running(name, port, argv, core, directory, _knows_all))
            for name, (port, argv) in prepared.items()
        ]


def _knows_all(server: Server) -> bool:
    return all(_answers(server, name) for name in (f"m1.{DOMAIN}", f"one.{ELSEWHERE}"))


def _is_upstream(server: Server) -> bool:
    return _answers(server, f"one.{ELSEWHERE}")


def _answers(server: Server, name: str) -> bool:
    """Ask once, and say whether there is an address."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect((HERE, server.port))
        client.settimeout(0.2)
        try:
            client.send(make_query(name_of(name), Type.A))
            reply = client.recv(4096)
        except OSError:  # nobody there yet
            return False
    return rcode_of(reply) == Rcode.NOERROR and int.from_bytes(reply[6:8]) == 1


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
    _write_fleet(directory / "fleet")
    settings: Settings = {
        "tftp": {"port": tftp},
        "http": {"port": http, "tls_port": tls},
        "dns": {"port": dns, "upstream": [f"{HERE}:{up}"]},
    }
    return ours(directory, settings)


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
