"""A machine that asks ``/ipxe`` again gets what holds now, whatever was remembered of the last time."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from support.fleets import INITRAMFS, KERNEL, fleet_of, talos
from support.interfaces import read_interface
from support.waiting import wait_until
from support.web import CLIENT, Web, response_of, web

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.resources import read_templates
from iluvatar_pxe.servers.http.routes.scripts import _LONGEST_REMEMBERED
from iluvatar_pxe.values import replace

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
ASKED = f"/ipxe?mac={MAC}&serial=S-1&manufacturer=QEMU&product=Q35&arch=x86_64&platform=efi&version=1.21.1"
FLEET = fleet_of(talos("one", MAC))
STRANGER = IPv4Address("127.0.0.2")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    """Serve one machine that has asked twice, and got the same."""
    with web(tmp_path, FLEET) as running:
        running.put(KERNEL, b"kernel")
        running.put(INITRAMFS, b"initramfs")
        running.boots(MAC)
        first = script(running)
        assert ticket_of(first) != "none"
        assert script(running) == first
        yield running


def script(served: Web, target: str = ASKED) -> str:
    """Return what is answered on a connection that stays open, three times, and what on one that does not: the same."""
    with served.connect() as sock:
        texts = [asked_again(sock, target) for _ in range(3)]
    response = served.get(target)
    assert response.status == 200
    assert texts == [response.text] * 3
    return response.text


def asked_again(sock: socket.socket, target: str) -> str:
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    with sock.makefile("rb", buffering=0) as file:
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += file.read(1 << 16)
        head, _, body = octets.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split()[0])
        while len(body) < size:
            body += file.read(1 << 16)
    assert head.startswith(b"HTTP/1.1 200 ")
    return body.decode()


def the_rest(sock: socket.socket) -> bytes:
    with sock.makefile("rb") as file:
        return file.read()


def ticket_of(text: str) -> str:
    found = re.search(r"talos\.config=http://[0-9.:]+/talos/([\w-]{48})/", text)
    return found[1] if found else "none"


def wanting(intent: Intent) -> Callable[[Web], object]:
    def change(served: Web) -> object:
        directive = Directive(intent=intent, by="test")
        machine = served.inventory.snapshot.machine(MAC)
        assert machine
        return served.call(
            served.inventory.change(
                machine.id, lambda one: replace(one, directive=directive), Happening.CHANGED, "", "test"
            )
        )

    return change


def pushing(fleet: Fleet) -> Callable[[Web], None]:
    def change(served: Web) -> None:
        served.booter.applied.fleet = fleet

    return change


def without_kernel(served: Web) -> None:
    (served.assets / KERNEL).unlink()
    served.call(served.store.refresh())


def with_kernel(served: Web) -> None:
    served.put(KERNEL, b"kernel")


def at_address_of(mac: str | None) -> Callable[[Web], None]:
    def change(served: Web) -> None:
        served.neighbours.pop(CLIENT, None)
        served.neighbours |= {CLIENT: mac} if mac else {}

    return change


@pytest.mark.parametrize(
    ("change", "told", "back"),
    [
        pytest.param(wanting(Intent.HOLD), "It is held", wanting(Intent.BOOT), id="held and released"),
        pytest.param(wanting(Intent.LOCAL), "exit", wanting(Intent.BOOT), id="sent to its disk"),
        pytest.param(
            pushing(fleet_of(("one", MAC, "intent: hold\n"))), "It is held", pushing(FLEET), id="a push"
        ),
        pytest.param(without_kernel, "is missing", with_kernel, id="without its kernel"),
        pytest.param(
            at_address_of(OTHER), "is not verified", at_address_of(MAC), id="another machine's address"
        ),
        pytest.param(at_address_of(None), "is not verified", at_address_of(MAC), id="nobody's address"),
    ],
)
def test_what_changes_between_two_requests_counts(
    served: Web, change: Callable[[Web], object], told: str, back: Callable[[Web], object]
) -> None:
    before = script(served)
    change(served)
    meanwhile = script(served)
    assert told in meanwhile
    assert ticket_of(before) not in meanwhile
    back(served)
    assert script(served) == before


def test_a_machine_whose_firmware_asked_too_long_ago_gets_no_ticket(served: Web) -> None:
    before = script(served)
    served.inventory._memory._asked.clear()
    assert "is not verified" in script(served)
    assert ticket_of(before) not in script(served)


def test_each_boot_has_a_ticket_of_its_own(served: Web) -> None:
    first = script(served)
    served.boots(MAC)
    second = script(served)
    assert ticket_of(second) != ticket_of(first)
    assert second.replace(ticket_of(second), ticket_of(first)) == first


def test_no_ticket_is_remembered_with_the_script(served: Web) -> None:
    ticket = ticket_of(script(served))
    remembered = served.booter.handout.scripts._made.get(MAC)
    assert remembered
    assert len(remembered.pieces) == 2
    assert ticket not in repr(remembered)
    standing = standings_of(served)._known.values()
    assert standing
    assert ticket not in repr(list(standing))


def test_that_it_was_seen_is_recorded_again_though_its_script_stands(served: Web) -> None:
    first = seen(served)
    with served.connect() as sock:
        wait_until(lambda: asked_again(sock, ASKED) and seen(served) > first, "a later time")


def test_nothing_stands_under_another_fleet(served: Web) -> None:
    before = script(served)
    served.booter.applied.fleet = fleet_of(talos("one", MAC), talos("two", OTHER))
    assert script(served) == before
    assert [one.state.fleet for one in standings_of(served)._known.values()] == [served.booter.applied.fleet]


def seen(served: Web) -> datetime:
    machine = served.inventory.snapshot.machine(MAC)
    assert machine
    return machine.last_seen


def standings_of(served: Web) -> Any:
    runner: Any = served.server._runner
    return runner._connect.keywords["quick"].__self__._standings


def test_a_stranger_who_asks_the_same_gets_no_ticket_and_nothing_of_it_stays(served: Web) -> None:
    before = script(served)
    assert ticket_of(before) not in served.get_from(STRANGER, ASKED).text
    served.neighbours[STRANGER] = OTHER
    assert ticket_of(before) not in served.get_from(STRANGER, ASKED).text
    assert script(served) == before


def test_nothing_stands_once_other_interfaces_are_served(served: Web) -> None:
    """An address may be one behind a router then."""
    before = script(served)
    assert len(standings_of(served)._known)
    served.call(served.server.serve([read_interface("lo")]))
    assert not len(standings_of(served)._known)
    assert script(served) == before


def test_a_simulated_machine_that_asks_the_same_gets_no_right_and_takes_none(served: Web) -> None:
    before = script(served)
    simulated = served.get(ASKED, User_Agent="iPXE/1.21.1 iluvatar-simulate")
    assert simulated.status == 200
    assert ticket_of(before) not in simulated.text
    assert script(served) == before


def test_sixty_requests_at_once_are_of_one_boot(served: Web) -> None:
    with ExitStack() as stack:
        request = f"GET {ASKED} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        clients = [stack.enter_context(served.connect()) for _ in range(60)]
        for client in clients:
            client.sendall(request)
        answers = [response_of(the_rest(client)) for client in clients]
    assert {answer.text for answer in answers} == {script(served)}
    machine = served.inventory.snapshot.machine(MAC)
    assert machine
    assert machine.generation == 1


def test_with_tls_it_is_the_same_script(served: Web) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(served.connect(tls=True)) as sock:
        sock.sendall(f"GET {ASKED} HTTP/1.1\r\nHost: any.name\r\nConnection: close\r\n\r\n".encode())
        answer = response_of(the_rest(sock))
    assert answer.text == script(served)


def test_a_question_too_long_to_be_remembered_is_answered_alike(served: Web) -> None:
    long = f"{ASKED}&asset={'x' * _LONGEST_REMEMBERED}"
    assert script(served, long) == script(served, long) == script(served)


def test_first_scripts_are_of_the_address_that_is_asked() -> None:
    scripts = Scripts(read_templates("ipxe"))
    links = [Links(IPv4Address(address), 8080) for address in ("10.77.0.2", "10.78.0.2")]
    for network in (True, False):
        first, second = (scripts.first_script(one, network=network) for one in links)
        assert first.replace("10.77.0.2", "10.78.0.2") == second != first
        assert scripts.first_script(links[0], network=network) == first
    assert scripts.first_script(links[0], network=True) != scripts.first_script(links[0], network=False)
