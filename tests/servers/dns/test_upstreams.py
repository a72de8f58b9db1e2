"""What ``auto`` stands for: files as systemd, NetworkManager and the kernel write them, and what is left without them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from sys import byteorder
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.waiting import until

from iluvatar_pxe.dns.forwarding import Forward
from iluvatar_pxe.servers.dns import upstreams
from iluvatar_pxe.servers.dns.upstreams import (
    HostFiles,
    Upstreams,
    behind_stubs,
    choose,
    parse_memory,
    parse_nameservers,
)
from iluvatar_pxe.settings.upstream import Upstream, parse_upstream
from iluvatar_pxe.wire.dns.name import ROOT, name_of

PI, ROUTER, ELSEWHERE = "192.168.1.2", "192.168.1.1", "9.9.9.9"
HEADING = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
NOBODY: frozenset[IPv4Address] = frozenset()
OWN = frozenset({IPv4Address(PI)})


def addresses(text: str) -> list[Any]:
    return [ip_address(word) for word in text.split()]


def route(gateway: str, metric: int = 100, flags: str = "0003", destination: str = "00000000") -> str:
    """Return a line as the kernel writes it: addresses are numbers of this machine's byte order."""
    number = int.from_bytes(IPv4Address(gateway).packed, byteorder)
    return f"eth0\t{destination}\t{number:08X}\t{flags}\t0\t0\t{metric}\t{destination}\t0\t0\t0{' ' * 20}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("nameserver 192.168.1.1\nnameserver 2606:4700::1111\n", "192.168.1.1 2606:4700::1111"),
        ("# by hand\nsearch lan\nnameserver\t 1.1.1.1 # one\noptions edns0", "1.1.1.1"),
        ("nameserver 1.1.1.1;one\r\nnameserver 8.8.8.8\r\n", "1.1.1.1 8.8.8.8"),
        ("#nameserver 1.1.1.1\n;nameserver 1.1.1.1\n nameserver 1.1.1.1\nnameservers 1.1.1.1\n", ""),
        ("nameserver\nnameserver one.one.one.one\nnameserver 1.1.1\nnameserver 1.1.1.1:53\n", ""),
        ("nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver ::1\n", "::1"),
        ("nameserver 0.0.0.0\nnameserver ::ffff:1.1.1.1\n", "1.1.1.1"),
    ],
)
def test_resolv_conf(text: str, expected: str) -> None:
    assert parse_nameservers(text) == addresses(expected)


@given(st.text("nameserv \t\n#;.:0123456789abcdef%") | st.text())
def test_any_text_is_read(text: str) -> None:
    for parse in (parse_nameservers, parse_memory):
        parse(f"nameserver {text}\n{text}")


@pytest.mark.parametrize(
    ("named", "resolved", "network_manager", "expected"),
    [
        ("192.168.1.1 1.1.1.1", "8.8.8.8", "9.9.9.9", "192.168.1.1 1.1.1.1"),
        ("127.0.0.53", "8.8.8.8 8.8.4.4", "9.9.9.9", "8.8.8.8 8.8.4.4"),
        ("127.0.0.54 1.1.1.1", "8.8.8.8", "", "8.8.8.8 1.1.1.1"),
        ("127.0.0.53", "", "9.9.9.9", ""),
        ("127.0.0.53", "127.0.0.1", "9.9.9.9", "127.0.0.1"),
        ("127.0.0.1", "8.8.8.8", "9.9.9.9", "9.9.9.9"),
        ("127.0.1.1 ::1", "8.8.8.8", "", "127.0.1.1 ::1"),
    ],
)
def test_what_local_stubs_ask(named: str, resolved: str, network_manager: str, expected: str) -> None:
    assert behind_stubs(*map(addresses, (named, resolved, network_manager))) == addresses(expected)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((), ""),
        (("1.1.1.1", "8.8.8.8"), "1.1.1.1"),
        (("", "8.8.8.8"), "8.8.8.8"),
        ((PI, f"{PI} 8.8.8.8"), "8.8.8.8"),
        ((f"{PI} 1.1.1.1 1.1.1.1 ::1",), "1.1.1.1 ::1"),
        ((PI, PI), ""),
        ((f"4.4.4.4 {PI} 3.3.3.3 2.2.2.2 1.1.1.1",), "4.4.4.4 3.3.3.3 2.2.2.2"),
    ],
)
def test_the_first_source_that_names_another(sources: Iterable[str], expected: str) -> None:
    own = {Upstream(IPv4Address(PI))}
    assert choose(own, *map(addresses, sources)) == addresses(expected)


class Host:
    """A host's files, and the daemon on it."""

    def __init__(self, directory: Path) -> None:
        self.files = HostFiles(*(directory / name for name in ("conf", "resolved", "manager", "routes")))
        self.state = directory / "state"
        self.state.mkdir()
        self.memory = self.state / "dns-upstreams"
        self.is_told(ROUTER)
        self.files.routes.write_text(HEADING + route("192.168.1.254"))

    def is_told(self, *resolvers: str) -> None:
        """Write what the router hands out."""
        self.files.resolv_conf.write_text("".join(f"nameserver {one}\n" for one in resolvers))

    def damage(self, name: str, make: Callable[[Path], None]) -> Path:
        """Put something else in the place of a file."""
        path: Path = getattr(self.files, name)
        path.unlink(missing_ok=True)
        make(path)
        return path

    def daemon(self, *wanted: str, port: int = 53, forward: Forward = MappingProxyType({})) -> Upstreams:
        words: list[Upstream | Literal["auto"]] = [
            "auto" if one == "auto" else parse_upstream(one) for one in wanted or ("auto",)
        ]
        return Upstreams(words, self.state, port=port, files=self.files, forward=forward)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


async def spelled(upstreams: Upstreams, own: frozenset[IPv4Address] = OWN) -> list[str]:
    await upstreams.refresh(own)
    return [str(one) for one in upstreams.now]


async def test_what_was_before_stays_when_the_router_hands_out_this_host(host: Host, log: list[Any]) -> None:
    daemon = host.daemon()
    assert daemon.now == ()
    assert await spelled(daemon) == [ROUTER]
    host.is_told(PI)
    assert await spelled(daemon) == [ROUTER]
    assert await spelled(host.daemon()) == [ROUTER], "after a restart, too"
    host.is_told(PI, ELSEWHERE)
    assert await spelled(daemon) == [ELSEWHERE]
    assert host.memory.read_text() == f"{ELSEWHERE}\n"
    told = [line["upstreams"] for line in log if line["event"] == "dns.upstreams"]
    assert told == [[ROUTER], [ROUTER], [ELSEWHERE]], "changes alone"


async def test_this_host_is_not_remembered_while_it_serves_no_address(host: Host) -> None:
    daemon = host.daemon()
    await daemon.refresh(OWN)
    host.is_told(PI)
    await daemon.refresh(NOBODY)
    assert await spelled(daemon) == await spelled(host.daemon()) == [ROUTER]


async def test_what_did_not_change_is_not_written_again(host: Host) -> None:
    daemon = host.daemon()
    await daemon.refresh(OWN)
    before = host.memory.stat()
    await daemon.refresh(OWN)
    assert host.memory.stat() == before


async def test_the_gateway_is_asked_where_nothing_else_is_known(host: Host) -> None:
    host.files.resolv_conf.unlink()
    assert await spelled(host.daemon()) == ["192.168.1.254"]
    assert not host.memory.exists(), "a guess is not remembered"


async def test_two_daemons_that_the_router_hands_out_do_not_ask_each_other_in_a_circle(host: Host) -> None:
    host.is_told(PI, ELSEWHERE)
    daemon = host.daemon()
    assert await spelled(daemon) == [ELSEWHERE], "the other one"
    asked = {
        client: [str(one) for one in daemon.for_question(client, ROOT)]
        for client in ("192.168.1.50", ELSEWHERE)
    }
    assert asked == {"192.168.1.50": [ELSEWHERE], ELSEWHERE: ["192.168.1.254"]}
    assert daemon.for_question("192.168.1.254", ROOT) == daemon.now


@pytest.mark.parametrize(
    ("wanted", "client", "asked"),
    [
        ((ROUTER,), ROUTER, []),  # it forwards to this daemon
        ((ROUTER, ELSEWHERE), ROUTER, [ELSEWHERE]),
        (("127.0.0.1:5335",), "127.0.0.1", ["127.0.0.1:5335"]),  # programs on this host are not told apart
        (("auto",), "192.168.1.254", [ROUTER]),
    ],
)
async def test_an_upstream_is_not_asked_for_what_it_asks(
    host: Host, wanted: tuple[str, ...], client: str, asked: list[str]
) -> None:
    daemon = host.daemon(*wanted)
    await daemon.refresh(OWN)
    assert [str(one) for one in daemon.for_question(client, ROOT)] == asked


FORWARD = {name_of("lan"): (Upstream(IPv4Address(ROUTER)), Upstream(IPv4Address(PI)))}


@pytest.mark.parametrize(
    ("wanted", "client", "name", "inside", "asked"),
    [
        ((ELSEWHERE,), "192.168.1.50", "nas.lan", False, [ROUTER]),
        ((ELSEWHERE,), ROUTER, "nas.lan", False, []),  # it is the one that asks
        ((ELSEWHERE,), "192.168.1.50", "www.example.com", False, [ELSEWHERE]),
        ((ELSEWHERE,), "192.168.1.50", "77.1.168.192.in-addr.arpa", True, []),  # nothing leaks
        ((ELSEWHERE, ROUTER), "192.168.1.50", "77.1.168.192.in-addr.arpa", True, [ROUTER]),
        ((ELSEWHERE, "fd00::1", ROUTER), ROUTER, "77.1.168.192.in-addr.arpa", True, ["fd00::1"]),
        ((f"tls://{ROUTER}",), "192.168.1.50", "77.1.168.192.in-addr.arpa", True, [f"tls://{ROUTER}"]),
        (("auto",), ROUTER, "77.1.168.192.in-addr.arpa", True, ["192.168.1.254"]),
        (("auto", ELSEWHERE), "192.168.1.50", "77.1.168.192.in-addr.arpa", True, [ROUTER]),
    ],
)
async def test_who_is_asked_depends_on_the_name(
    host: Host, wanted: tuple[str, ...], client: str, name: str, *, inside: bool, asked: list[str]
) -> None:
    daemon = host.daemon(*wanted, forward=FORWARD)
    await daemon.refresh(OWN)
    assert [str(one) for one in daemon.for_question(client, name_of(name), inside=inside)] == asked


async def test_the_gateway_is_not_asked_inside_in_place_of_public_resolvers(host: Host) -> None:
    host.is_told(ELSEWHERE)
    daemon = host.daemon()
    await daemon.refresh(OWN)
    assert [str(one) for one in daemon.spare] == ["192.168.1.254"]
    assert daemon.for_question("192.168.1.50", name_of("77.1.168.192.in-addr.arpa"), inside=True) == ()


async def test_a_domain_is_not_forwarded_to_this_daemon_itself(host: Host, log: list[Any]) -> None:
    daemon = host.daemon(forward=FORWARD)
    await daemon.refresh(OWN)
    await daemon.refresh(OWN)
    told = [line["problem"] for line in log if "problem" in line]
    assert told == [f"{PI} is this daemon itself; remove it from [dns] forward"], "once"
    assert daemon.problem == told[0]
    await daemon.refresh(frozenset())
    assert daemon.problem is None


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("", []),
        ("nameserver 1.1.1.1\nsearch fritz.box Lan.\n", ["fritz.box", "lan"]),
        ("domain lan\nsearch a b\n", ["a", "b"]),
        ("search .\n", []),  # systemd-resolved writes this where there is none
        ("#search a\nsearch a..b c # d\n", ["c"]),
        ("searching a\ndomain\n", []),
    ],
)
async def test_domains_that_the_network_calls_its_own_are_inside(
    host: Host, text: str, domains: list[str]
) -> None:
    host.files.resolv_conf.write_text(text)
    daemon = host.daemon(forward=FORWARD)
    await daemon.refresh(OWN)
    assert daemon.inner_domains == {name_of("lan"), *map(name_of, domains)}


async def test_without_any_it_says_what_to_do(host: Host, log: list[Any]) -> None:
    daemon = host.daemon()
    host.is_told(PI)
    host.files.routes.write_text(HEADING + route(PI))
    assert await spelled(daemon) == await spelled(daemon) == []
    assert daemon.problem
    assert daemon.problem.endswith("; name one in [dns] upstream")
    assert [line.get("problem") for line in log] == [daemon.problem], "once"
    host.is_told(ELSEWHERE)
    assert await spelled(daemon) == [ELSEWHERE]
    none_wanted = Upstreams((), host.state, files=host.files)
    assert await spelled(none_wanted) == []
    assert daemon.problem is none_wanted.problem is None


async def test_the_order_is_the_one_that_is_set(host: Host, log: list[Any]) -> None:
    daemon = host.daemon("tls://1.1.1.1#one.one.one.one", f"{PI}:53", "auto", f"{PI}:5353", ROUTER)
    expected = ["tls://1.1.1.1#one.one.one.one", ROUTER, f"{PI}:5353"]
    assert await spelled(daemon) == await spelled(daemon) == expected
    problem = f"{PI} is this daemon itself; remove it from [dns] upstream"
    assert [line["problem"] for line in log if "problem" in line] == [problem], "once"


async def test_only_what_has_this_daemons_port_is_this_daemon(host: Host) -> None:
    host.is_told(PI)
    assert await spelled(host.daemon("auto", f"{PI}:10053", port=10053)) == [PI]


async def test_stubs_are_followed_in_the_hosts_files(host: Host) -> None:
    host.files.resolved.write_text(f"# uplinks\nnameserver {ELSEWHERE}\n")
    host.files.network_manager.write_text("nameserver 8.8.8.8\n")
    daemon = host.daemon()
    host.is_told("127.0.0.53")
    assert await spelled(daemon) == [ELSEWHERE]
    host.is_told("127.0.0.1")
    assert await spelled(daemon) == ["8.8.8.8"]
    host.files.network_manager.unlink()
    assert await spelled(daemon) == ["127.0.0.1"]


def huge(path: Path) -> None:
    path.write_bytes(f"nameserver {ELSEWHERE}\n".encode() * (1 << 16))


@pytest.mark.parametrize("make", [Path.mkdir, huge])
@pytest.mark.parametrize("name", ["resolv_conf", "resolved", "network_manager", "routes"])
async def test_a_file_that_cannot_be_read_is_told_once(
    host: Host, log: list[Any], name: str, make: Callable[[Path], None]
) -> None:
    path = host.damage(name, make)
    if name == "routes":
        host.is_told(PI)
    daemon = host.daemon()
    await daemon.refresh(OWN)
    await daemon.refresh(OWN)
    (problem,) = [line["problem"] for line in log if str(path) in line.get("problem", "")]
    assert problem.startswith(f"{path} cannot be read: ")
    assert bool(daemon.problem) == (name == "routes")


async def test_octets_that_are_no_text_harm_no_line_but_their_own(host: Host, log: list[Any]) -> None:
    host.files.resolv_conf.write_bytes(b"# K\xfcche\nnameserver \xff\n\0\nnameserver 9.9.9.9\n")
    assert await spelled(host.daemon()) == [ELSEWHERE]
    host.is_told(PI)
    host.memory.write_bytes(b"\xff\n9.9.9.9\n" + PI.encode() + b"\n8.8.8.8\n1.1.")
    assert await spelled(host.daemon()) == [ELSEWHERE, "8.8.8.8"]
    assert [line for line in log if "problem" in line] == []


async def test_without_a_state_directory_it_is_remembered_until_the_end(host: Host, log: list[Any]) -> None:
    daemon = host.daemon()
    host.state.rmdir()
    assert await spelled(daemon) == await spelled(daemon) == [ROUTER]
    host.is_told(PI)
    assert await spelled(daemon) == [ROUTER]
    problem = f"{host.memory} cannot be written: No such file or directory; let the daemon's user do so"
    assert [line["problem"] for line in log if "problem" in line] == [problem]


async def test_it_follows_the_files(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams, "REFRESH_SECONDS", 0.001)
    daemon = host.daemon()
    own = NOBODY
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(daemon.run(lambda: own))
        await until(lambda: [str(one) for one in daemon.now] == [ROUTER])
        host.is_told(PI)
        await until(lambda: [str(one) for one in daemon.now] == [PI])
        own = OWN
        await until(lambda: [str(one) for one in daemon.now] == ["192.168.1.254"])
        following.cancel()
