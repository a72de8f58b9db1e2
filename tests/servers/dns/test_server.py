"""The running daemon's DNS, asked by dig and kdig."""

import random
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.daemon import Daemon
from support.dig import Dug, dig
from support.waiting import wait_until

from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

RECORDS = "".join(f"  m{n:03}: {{a: 192.0.2.{n % 250}}}\n" for n in range(100))
FLEET = f"""
domain: lab.home.arpa
records:
  nas: {{a: 192.168.1.5, aaaa: "fd00::5"}}
  wiki: {{cname: nas}}
  many: {{a: {[f"198.51.100.{n}" for n in range(1, 91)]}}}
  "*.dev": {{a: 192.168.1.6}}
  note: {{txt: a note}}
{RECORDS}"""
MACHINE = 'match: {macs: ["52:54:00:00:00:01"]}\nintent: local\naddress: 127.0.0.77\n'


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that forwards nothing."""
    daemon = Daemon(tmp_path_factory.mktemp("pi"), {"dns": {"upstream": []}})
    write(daemon, "fleet.yaml", FLEET)
    write(daemon, "machines/tower.yaml", MACHINE)
    with daemon:
        wait_until(lambda: ask(daemon, "pxe.lab.home.arpa").answers, "DNS to answer")
        yield daemon


def write(daemon: Daemon, path: str, text: str) -> None:
    file = daemon.fleet / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def ask(daemon: Daemon, *words: str, **how: str) -> Dug:
    return dig(daemon.settings["dns"]["port"], *words, **how)


def counts(daemon: Daemon) -> dict[str, int]:
    found: dict[str, int] = daemon.ready()[1]["dns"]["answers"]
    return found


def by_udp(daemon: Daemon, message: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(8)
        client.connect(("127.0.0.1", daemon.settings["dns"]["port"]))
        client.send(message)
        return client.recv(4096)


def framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2) + message for message in messages)


@pytest.mark.parametrize("program", ["dig", "kdig"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("pxe.lab.home.arpa",), ["127.0.0.1"]),
        (("git.lab.home.arpa", "A"), ["127.0.0.1"]),
        (("tower.lab.home.arpa",), ["127.0.0.77"]),
        (("nas.lab.home.arpa", "AAAA"), ["fd00::5"]),
        (("x.dev.lab.home.arpa",), ["192.168.1.6"]),
        (("wiki.lab.home.arpa",), ["nas.lab.home.arpa.", "192.168.1.5"]),
        (("note.lab.home.arpa", "TXT"), ['"a note"']),
        (("-x", "127.0.0.77"), ["tower.lab.home.arpa."]),
        (("lab.home.arpa", "NS"), ["pxe.lab.home.arpa."]),
    ],
)
def test_names_of_the_fleet(
    pi: Daemon, program: str, transport: str, words: tuple[str, ...], values: list[str]
) -> None:
    answer = ask(pi, *words, transport, program=program)
    assert (answer.status, answer.values) == ("NOERROR", values)
    assert {"aa", "qr"} <= answer.flags


def test_other_addresses_of_the_host_stay_free(pi: Daemon) -> None:
    """As 127.0.0.53, which is systemd-resolved's."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(type=kind) as other:
            other.bind(("127.0.0.9", pi.settings["dns"]["port"]))


def test_the_clients_spelling_comes_back(pi: Daemon) -> None:
    for name in ("NaS.LaB.home.ARPA", "nas.lab.HOME.arpa"):
        assert ask(pi, name).answers == [f"{name}. 60 IN A 192.168.1.5"]


def test_a_no_comes_with_a_start_of_authority_that_is_good_for_five_seconds(pi: Daemon) -> None:
    nobody, other_type = ask(pi, "nobody.lab.home.arpa"), ask(pi, "tower.lab.home.arpa", "AAAA")
    assert (nobody.status, other_type.status, nobody.answers) == ("NXDOMAIN", "NOERROR", [])
    for answer in (nobody, other_type):
        (start,) = answer.authorities
        assert start.startswith("lab.home.arpa. 5 IN SOA pxe.lab.home.arpa. ")
        assert start.endswith(" 5")


@pytest.mark.parametrize("words", [("lab.home.arpa", "AXFR"), ("lab.home.arpa", "IXFR=1")])
def test_a_zone_is_not_transferred(pi: Daemon, words: tuple[str, ...]) -> None:
    answer = ask(pi, *words)
    assert "Transfer failed" in answer.text
    assert "nas" not in answer.text
    asked = framed(make_query(name_of("lab.home.arpa"), 252))
    with socket.create_connection(("127.0.0.1", pi.settings["dns"]["port"]), 8) as client:
        client.sendall(asked)
        assert client.recv(4096)[5] & 0xF == 5  # REFUSED


@pytest.mark.parametrize(
    "words",
    [
        ("version.bind", "TXT", "CH"),
        ("www.example.com",),
        (".", "NS"),
    ],  # Talos asks the last to see who is alive
)
def test_what_is_not_for_this_server_is_refused_with_a_reason_or_fails(
    pi: Daemon, words: tuple[str, ...]
) -> None:
    answer = ask(pi, *words)
    assert (answer.status, answer.ede) in {
        ("REFUSED", "18 (Prohibited)"),
        ("SERVFAIL", "22 (No Reachable Authority)"),
    }


def test_any_is_answered_in_short(pi: Daemon) -> None:
    assert ask(pi, "nas.lab.home.arpa", "ANY", "+notcp").values == ["192.168.1.5"]


def test_an_answer_that_is_too_long_for_a_datagram_is_asked_for_again_by_tcp(pi: Daemon) -> None:
    cut = ask(pi, "many.lab.home.arpa", "+ignore")
    assert ("tc" in cut.flags, cut.answers) == (True, [])
    assert "tc" in ask(pi, "many.lab.home.arpa", "+ignore", "+bufsize=4096").flags
    whole = ask(pi, "many.lab.home.arpa")
    assert (len(whole.values), "Truncated, retrying in TCP mode" in whole.text) == (90, True)


def test_without_edns_a_datagram_has_512_octets(pi: Daemon) -> None:
    assert "OPT" not in ask(pi, "nas.lab.home.arpa", "+noedns").text
    assert ask(pi, "nas.lab.home.arpa", "+edns=1").status in {"BADVERS", "NOERROR"}


def test_a_question_that_is_asked_again_is_not_read_again(pi: Daemon) -> None:
    before = counts(pi)
    asked = make_query(name_of("nas.lab.home.arpa"), 1)
    replies = {by_udp(pi, bytes([0, number]) + asked[2:])[2:] for number in range(50)}
    after = counts(pi)
    assert len(replies) == 1
    assert after["hot"] - before["hot"] >= 49
    assert after["own"] - before["own"] <= 1


def test_two_questions_in_one_segment_are_both_answered(pi: Daemon) -> None:
    asked = [struct.pack("!H", n) + make_query(name_of(f"m{n:03}.lab.home.arpa"), 1)[2:] for n in range(40)]
    with socket.create_connection(("127.0.0.1", pi.settings["dns"]["port"]), 8) as client:
        client.sendall(framed(*asked))
        stream = client.makefile("rb")
        replies = [stream.read(int.from_bytes(stream.read(2))) for _ in asked]
    assert {int.from_bytes(reply[:2]) for reply in replies} == set(range(40))


def test_a_question_may_come_octet_by_octet(pi: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", pi.settings["dns"]["port"]), 8) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(make_query(name_of("nas.lab.home.arpa"), 1)):
            client.sendall(bytes([octet]))
        assert client.recv(2)


def test_what_changes_in_the_fleet_changes_in_dns(pi: Daemon) -> None:
    assert ask(pi, "late.lab.home.arpa").status == "NXDOMAIN"
    write(pi, "machines/late.yaml", MACHINE.replace("00:01", "00:02").replace("77", "78"))
    pi.process.send_signal(signal.SIGHUP)
    answer = wait_until(lambda: ask(pi, "late.lab.home.arpa").values, "the new machine's name")
    assert answer == ["127.0.0.78"]
    (pi.fleet / "machines/late.yaml").unlink()
    pi.process.send_signal(signal.SIGHUP)
    wait_until(lambda: ask(pi, "late.lab.home.arpa").status == "NXDOMAIN", "the name to go")


def test_a_crowd_ends_the_connection_that_is_quiet_and_not_the_one_in_use(pi: Daemon) -> None:
    where = ("127.0.0.1", pi.settings["dns"]["port"])
    asked = framed(make_query(name_of("nas.lab.home.arpa"), 1))
    with (
        socket.create_connection(where, 8) as quiet,
        socket.create_connection(where, 8) as used,
        ExitStack() as stack,
    ):
        for _ in range(60):
            stack.enter_context(socket.create_connection(where, 8))
            used.sendall(asked)
            assert used.recv(4096)
        assert quiet.recv(1) == b"", "it has ended"


def test_a_thousand_connections_that_say_nothing_leave_room_for_others(pi: Daemon) -> None:
    # Last of those by TCP: what found no room in the backlog is accepted up to seconds later, when its FIN comes again.
    with ExitStack() as stack:
        for _ in range(1000):
            client = socket.socket()
            stack.callback(client.close)
            client.setblocking(False)  # noqa: FBT003 - its own word
            client.connect_ex(("127.0.0.1", pi.settings["dns"]["port"]))
        assert ask(pi, "nas.lab.home.arpa", "+tcp").values == ["192.168.1.5"]
        assert ask(pi, "nas.lab.home.arpa").values == ["192.168.1.5"]
        assert pi.ready()[1]["dns"]["connections"] <= 51
        assert pi.get("/healthz")[0] == 200


@pytest.mark.parametrize("datagrams", [20_000, pytest.param(200_000, marks=pytest.mark.long)])
def test_nonsense_is_answered_or_not_and_does_no_harm(pi: Daemon, datagrams: int) -> None:
    chance = random.Random(53)
    base = make_query(name_of("nas.lab.home.arpa"), 1)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", pi.settings["dns"]["port"]))
        for _ in range(datagrams):
            message = bytearray(base)
            for _ in range(chance.randint(1, 5)):
                message[chance.randrange(len(message))] = chance.randrange(256)
            client.send(message[: chance.randint(1, len(base))])
    answer = ask(
        pi, "nas.lab.home.arpa", "+tries=5", "+time=2"
    )  # one of them finds room in the kernel's buffer
    assert answer.values == ["192.168.1.5"]
    assert not pi.logged("dns.failed")
    assert pi.get("/healthz")[0] == 200


def test_random_names_of_the_domain_leave_room_for_its_own(pi: Daemon) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", pi.settings["dns"]["port"]))
        for number in range(10_000):
            client.send(make_query(name_of(f"r{number}.lab.home.arpa"), 1))
    answer = ask(
        pi, "nas.lab.home.arpa", "+tries=5", "+time=2"
    )  # one of them finds room in the kernel's buffer
    assert answer.values == ["192.168.1.5"]
