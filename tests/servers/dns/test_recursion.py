"""Names elsewhere: a running daemon with the real unbound as its upstream, asked by dig."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import Host
from support.daemon import Daemon
from support.dig import Dug, dig
from support.unbound import ADDRESS, TTL, Unbound
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

RECORDS = """
records: {media: {cname: www.outside.example.}, dead: {cname: x.gone.example.}, short: {cname: a.brief.example.}}
"""
WARM = make_query(name_of("warm.outside.example"), 1)


def daemon_of(directory: Path, upstream: Unbound, fleet: str = "", **dns: Any) -> Daemon:
    host = Host(directory)
    host.write("fleet.yaml", fleet)
    return Daemon(directory, {"dns": {"upstream": [f"127.0.0.1:{upstream.port}"], **dns}})


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbound]:
    with Unbound(tmp_path_factory.mktemp("unbound")) as running:
        yield running


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, upstream: Unbound) -> Iterator[Daemon]:
    with daemon_of(tmp_path_factory.mktemp("pi"), upstream, RECORDS) as daemon:
        wait_until(lambda: ask(daemon, "ready.outside.example").values, "names elsewhere")
        yield daemon


def ask(daemon: Daemon, *words: str, **how: str) -> Dug:
    return dig(daemon.settings["dns"]["port"], *words, **how)


def statistics(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.ready()[1]["dns"]
    return found


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_name_elsewhere_is_asked_for(pi: Daemon, program: str, transport: str) -> None:
    answer = ask(pi, "www.outside.example", transport, program=program)
    assert (answer.status, answer.values, answer.flags) == ("NOERROR", [ADDRESS], {"qr", "rd", "ra"})


def test_what_was_asked_for_is_remembered_in_every_spelling_and_with_every_cookie(
    pi: Daemon, upstream: Unbound
) -> None:
    for name in ("once.outside.example", "ONCE.outside.example", "oNcE.OuTsIdE.eXaMpLe"):
        for options in (["+cookie"], ["+nocookie"], ["+noedns"], ["+bufsize=4096"]):
            answer = ask(pi, name, *options)
            assert (answer.values, answer.answers[0].split()[0]) == ([ADDRESS], f"{name}.")
            assert 0 < answer.ttls[0] <= TTL
    assert upstream.asked("once.outside.example") == 1


def test_a_no_is_remembered_too(pi: Daemon, upstream: Unbound) -> None:
    for _ in range(3):
        answer = ask(pi, "no.gone.example")
        assert (answer.status, answer.authorities[0].split()[0]) == ("NXDOMAIN", "gone.example.")
    assert upstream.asked("no.gone.example") == 1


def test_what_is_cut_off_is_asked_for_by_tcp(pi: Daemon) -> None:
    assert len(ask(pi, "outside.example", "TXT", "+tcp").values) == 9
    assert "tc" in ask(pi, "outside.example", "TXT", "+ignore").flags


def test_an_alias_that_leads_elsewhere_is_as_old_as_what_it_leads_to(pi: Daemon) -> None:
    message = make_query(name_of("short.lab.home.arpa"), 1)
    assert wait_until(lambda: ask(pi, "short.lab.home.arpa").ttls[1:], "its answer") == [1]
    asked = statistics(pi)["answers"]["forwarded"]

    def again() -> bool:
        assert rcode_by_udp(pi, "127.0.0.1", message) == 0
        return bool(statistics(pi)["answers"]["forwarded"] > asked)

    wait_until(again, "the upstream to be asked again, once its second is over")


def test_an_alias_of_the_fleet_comes_with_what_it_leads_to_elsewhere(pi: Daemon) -> None:
    assert ask(pi, "media.lab.home.arpa").values == ["www.outside.example.", ADDRESS]
    assert ask(pi, "media.lab.home.arpa").values == ["www.outside.example.", ADDRESS]
    assert (ask(pi, "dead.lab.home.arpa").status, ask(pi, "media.lab.home.arpa", "CNAME").values) == (
        "NXDOMAIN",
        ["www.outside.example."],
    )


@pytest.mark.parametrize(
    "name",
    [
        "1.1.168.192.in-addr.arpa",
        "nas.local",
        "x.home.arpa",
        "localhost",
        "plain",
        "_dns.resolver.arpa",
        "x.alt",
    ],
)
def test_what_is_nobodys_is_not_asked_for(pi: Daemon, upstream: Unbound, name: str) -> None:
    for kind in ("A", "AAAA", "TYPE65"):
        assert ask(pi, name, kind).status in {"NXDOMAIN", "NOERROR"}
    assert upstream.asked(name) == 0


def test_a_refusal_of_the_upstream_is_passed_on(pi: Daemon) -> None:
    assert ask(pi, "x.broken.example").status in {"REFUSED", "SERVFAIL"}


def test_who_does_not_want_others_asked_gets_what_is_remembered(pi: Daemon, upstream: Unbound) -> None:
    assert ask(pi, "never.outside.example", "+norecurse").status == "REFUSED"
    assert upstream.asked("never.outside.example") == 0
    ask(pi, "known.outside.example")
    assert ask(pi, "known.outside.example", "+norecurse").values == [ADDRESS]


def test_who_is_in_no_network_that_is_allowed_gets_the_fleets_names_alone(
    tmp_path: Path, upstream: Unbound
) -> None:
    with daemon_of(tmp_path, upstream, RECORDS, allow=["127.0.0.1/32"]) as daemon:
        wait_until(lambda: ask(daemon, "warm.outside.example").values, "names elsewhere")
        refused = ask(daemon, "warm.outside.example", source="127.0.0.9")
        assert (refused.status, refused.ede, "ra" in refused.flags) == ("REFUSED", "18 (Prohibited)", False)
        assert [rcode_by_udp(daemon, client) for client in ("127.0.0.1", "127.0.0.1", "127.0.0.9")] == [
            0,
            0,
            5,
        ]
        assert ask(daemon, "git.lab.home.arpa", source="127.0.0.9").values == ["127.0.0.1"]
        assert ask(daemon, "media.lab.home.arpa", source="127.0.0.9").values == ["www.outside.example."]
        assert ask(daemon, "media.lab.home.arpa").values == ["www.outside.example.", ADDRESS]


def test_the_command_tells_where_an_answer_comes_from(pi: Daemon, upstream: Unbound) -> None:
    host = f"127.0.0.1:{upstream.port}"
    assert command(pi, "query", "new.outside.example") == (
        0,
        f"new.outside.example. {TTL} IN A {ADDRESS}\nfrom {host}\n",
    )
    status, text = command(pi, "query", "new.outside.example", "--json")
    assert status == 0
    assert all(part in text for part in (f'"origin": "{host}"', '"remembered": true', '"rcode": "NOERROR"'))
    assert f"from {host}, cached for" in command(pi, "query", "new.outside.example")[1]
    assert command(pi, "query", "git.lab.home.arpa") == (
        0,
        "git.lab.home.arpa. 60 IN A 127.0.0.1\nfrom this daemon\n",
    )
    assert command(pi, "query", "x.gone.example", "--type", "txt") == (
        1,
        f"x.gone.example: there is no such name (NXDOMAIN)\nfrom {host}\n",
    )
    assert command(pi, "query", "lab.home.arpa", "--type", "axfr") == (
        1,
        "lab.home.arpa: no AXFR record (REFUSED)\nwhy: zones are not transferred\n",
    )
    assert f"why: {host} cannot tell" in command(pi, "query", "x.broken.example")[1]
    assert "cached answers flushed" in command(pi, "flush")[1]
    assert command(pi, "query", "new.outside.example")[1].endswith(f"\nfrom {host}\n")
    assert upstream.asked("new.outside.example") == 2


@pytest.mark.parametrize("words", [("query", "a..b"), ("query", "x.example", "--type", "NOPE")])
def test_the_command_refuses_what_cannot_be_asked(pi: Daemon, words: tuple[str, ...]) -> None:
    status, text = command(pi, *words)
    assert (status, len(text.splitlines())) == (2, 1)
    assert text.startswith("iluvatar-pxe: ")


def test_random_names_below_one_domain_leave_room_for_others(tmp_path: Path) -> None:
    with Unbound(tmp_path) as upstream, daemon_of(tmp_path / "pi", upstream) as daemon:
        wait_until(lambda: ask(daemon, "warm.outside.example").values, "names elsewhere")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", daemon.settings["dns"]["port"]))
            for number in range(20_000):
                client.send(make_query(name_of(f"r{number}.gone.example"), 1))
                if number % 4000 == 0:
                    assert ask(daemon, "git.lab.home.arpa", "+tries=5", "+time=2").values
        assert ask(daemon, "fresh.outside.example", "+tries=5", "+time=2").values == [ADDRESS]
        assert statistics(daemon)["remembered"]["entries"] <= 15_000
        assert daemon.get("/healthz")[0] == 200


def test_what_is_remembered_outlives_the_upstream(tmp_path: Path) -> None:
    with Unbound(tmp_path) as upstream, daemon_of(tmp_path / "pi", upstream) as daemon:
        assert wait_until(lambda: ask(daemon, "a.brief.example").values, "names elsewhere") == [ADDRESS]
        upstream.stop()
        stale = wait_until(lambda: _if_stale(ask(daemon, "a.brief.example")), "its time to be over")
        assert stale
        assert (stale.values, stale.ttls, stale.ede) == ([ADDRESS], [30], "3 (Stale Answer)")
        asked = statistics(daemon)["upstreams"]
        assert ask(daemon, "a.brief.example").ede == "3 (Stale Answer)"
        assert statistics(daemon)["upstreams"] == asked, "nobody was asked again"
        assert "no upstream responds" in command(daemon, "query", "a.brief.example")[1]
        failed = ask(daemon, "unknown.outside.example")
        assert (failed.status, failed.ede) == ("SERVFAIL", "22 (No Reachable Authority)")
        assert daemon.logged("dns.unanswered")
        with upstream:
            wait_until(
                lambda: ask(daemon, "unknown.outside.example").values, "the upstream to be asked again"
            )


def rcode_by_udp(daemon: Daemon, source: str, message: bytes = WARM) -> int:
    """Ask at once, without a program's start."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(8)
        client.bind((source, 0))
        client.sendto(message, ("127.0.0.1", daemon.settings["dns"]["port"]))
        return client.recv(4096)[3] & 0xF


def _if_stale(answer: Dug) -> Dug | None:
    return answer if answer.ede else None


def command(daemon: Daemon, *words: str) -> tuple[int, str]:
    ended = run_warm("dns", *words, "--config", str(daemon._file))
    return ended.status, ended.output + ended.error
