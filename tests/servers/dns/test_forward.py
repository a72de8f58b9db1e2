"""Names of the home's router, and private addresses from elsewhere: a running daemon, the real unbound, and dig."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import Host
from support.daemon import Daemon
from support.dig import Dug, dig
from support.unbound import ADDRESS, Unbound
from support.waiting import wait_until

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.servers.dns.service import NameService
from iluvatar_pxe.settings.model import Settings

ROUTER = [
    'local-zone: "home.arpa." static',
    'local-data: "nas.home.arpa. 60 IN A 192.168.1.5"',
    'local-zone: "lan." static',
    'local-data: "lan. 60 IN A 192.168.1.1"',
    'local-data: "nas.lan. 60 IN A 192.168.1.5"',
    'local-zone: "127.in-addr.arpa." static',
    'local-data-ptr: "127.0.0.88 60 printer.lan"',
]
ELSEWHERE = [
    'local-zone: "rebind.example." redirect',
    'local-data: "rebind.example. 60 IN A 192.168.1.66"',
]
KEPT = ("git.lab.home.arpa", "sub.lab.home.arpa", "localhost")


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbound]:
    with Unbound(tmp_path_factory.mktemp("router"), ROUTER) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbound]:
    with Unbound(tmp_path_factory.mktemp("elsewhere"), ELSEWHERE) as running:
        yield running


def address_of(unbound: Unbound) -> str:
    return f"127.0.0.1:{unbound.port}"


def daemon_of(directory: Path, upstream: Unbound, **dns: Any) -> Daemon:
    Host(directory).write("fleet.yaml", "")
    return Daemon(directory, {"dns": {"upstream": [address_of(upstream)], **dns}})


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, router: Unbound, elsewhere: Unbound) -> Iterator[Daemon]:
    forward = dict.fromkeys(("home.arpa", "lan", *KEPT), address_of(router))
    with daemon_of(tmp_path_factory.mktemp("pi"), elsewhere, forward=forward) as daemon:
        wait_until(lambda: ask(daemon, "ready.outside.example").values, "names elsewhere")
        yield daemon


def ask(daemon: Daemon, *words: str) -> Dug:
    return dig(daemon.settings["dns"]["port"], *words)


def test_the_routers_names_are_asked_of_the_router(pi: Daemon, elsewhere: Unbound) -> None:
    for name, address in (
        ("nas.home.arpa", "192.168.1.5"),
        ("nas.lan", "192.168.1.5"),
        ("lan", "192.168.1.1"),
    ):
        assert ask(pi, name).values == [address]
        assert elsewhere.asked(name) == 0
    assert ask(pi, "nobody.lan").status == "NXDOMAIN"


def test_all_other_names_are_not(pi: Daemon, router: Unbound) -> None:
    assert ask(pi, "www.outside.example").values == [ADDRESS]
    assert ask(pi, "git.lab.home.arpa").values == ["127.0.0.1"]
    assert ask(pi, "x.sub.lab.home.arpa").status == "NXDOMAIN"
    assert ask(pi, "x.localhost").values == ["127.0.0.1"]
    for name in ("www.outside.example", "git.lab.home.arpa", "x.sub.lab.home.arpa", "x.localhost"):
        assert router.asked(name) == 0


def test_a_private_address_for_a_public_name_is_dropped_until_the_fleet_allows_it(pi: Daemon) -> None:
    dropped = ask(pi, "x.rebind.example")
    assert (dropped.status, dropped.values, dropped.ede) == ("NOERROR", [], "15 (Blocked)")
    assert "privateDomains in fleet.yaml" in pi.wait_for_log("dns.rebinding")["why"]
    (pi.fleet / "fleet.yaml").write_text("privateDomains: [rebind.example]\n", encoding="utf-8")
    pi.process.send_signal(signal.SIGHUP)
    allowed = wait_until(lambda: ask(pi, "x.rebind.example").values, "the fleet's permission to be in force")
    assert allowed == ["192.168.1.66"]


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        *(
            (domain, f"[dns] forward has {domain}: ")
            for domain in (
                "lab.home.arpa",
                "git.lab.home.arpa",
                "x.sub.lab.home.arpa",
                "localhost",
                "x.localhost",
                "resolver.arpa",
            )
        ),
        ("home.arpa", "None"),
        ("collab.home.arpa", "None"),
    ],
)
def test_the_fleets_own_and_special_names_stay_here(tmp_path: Path, domain: str, problem: str) -> None:
    dns = {"forward": {domain: "192.168.1.1"}}
    settings = Settings.model_validate({"dns": dns, "state": {"directory": str(tmp_path)}})
    assert str(NameService(settings, Snapshot, Fleet, ()).problem).startswith(problem)


def test_addresses_that_only_the_router_knows_have_its_names(tmp_path: Path) -> None:
    with Unbound(tmp_path, ROUTER) as router, daemon_of(tmp_path / "pi", router) as daemon:
        wait_until(lambda: ask(daemon, "ready.outside.example").values, "names elsewhere")
        assert ask(daemon, "-x", "127.0.0.88").values == ["printer.lan."]
        assert ask(daemon, "-x", "127.0.0.1").values == ["pxe.lab.home.arpa."], "its own it knows itself"
        assert ask(daemon, "-x", "127.0.0.99").status == "NXDOMAIN"
        assert ask(daemon, "-x", "192.168.7.7").status == "NXDOMAIN", "a network that is not served"
        assert router.asked("7.7.168.192.in-addr.arpa") == 0
        router.stop()
        for _ in range(2):
            assert ask(daemon, "-x", "127.0.0.98").status == "NXDOMAIN", "nobody else knows it now"
