"""Attacks on trust, one test each: real cards in a network of our own, the kernel's neighbour table, the real daemon.

All tests have one daemon, and each has machines of its own.
"""

import os
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from itertools import count

import pytest
from support.fleets import ARDA
from support.proxy import boot_request, discover
from support.stations import Site, Station, site
from support.waiting import wait_until

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.daemon import reload
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.network import SERVER_ADDRESS
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import Option

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

SECRET = "secret: of-the-victim\n"
VICTIMS = range(1, 41)
"""Numbers of the machines that the fleet lists."""
FILES = {
    "fleet.yaml": (
        "enrolment: {mode: join, countdown: 3}\n"
        "rules: [{match: {product: Newcomer}, layer: arda, role: worker, config: configs/worker.yaml}]\n"
    ),
    "layers/arda.yaml": ARDA,
    **{
        f"machines/victim-{number}.yaml": f'match: {{macs: ["52:54:00:77:01:{number:02x}"]}}\nrole: worker\n'
        "config: configs/victim.yaml\n"
        for number in VICTIMS
    },
    "configs/victim.yaml": SECRET,
    "configs/worker.yaml": "worker: true\n",
}
HARDWARE = {"uuid": "6f3b8a52-55b0-4d0e-9c58-0d6a1c1d7e10", "serial": "LAB-1", "product": "Lab"}


@pytest.fixture(scope="module")
def lan() -> Iterator[Site]:
    with site() as built:
        built.start(FILES)
        yield built


_victims, _others = iter(VICTIMS), count(VICTIMS.stop)


@pytest.fixture
def victim(lan: Site) -> Station:
    number = next(_victims)
    return lan.add(f"victim-{number}", number)


@pytest.fixture
def attacker(lan: Site) -> Station:
    number = next(_others)
    return lan.add(f"attacker-{number}", number)


@pytest.fixture
def newcomer(lan: Site) -> Station:
    number = next(_others)
    return lan.add(f"newcomer-{number}", number)


def untrusted(lan: Site, attacker: Station, least: int) -> list[tuple[str, str]]:
    """Return what is on record as asked by an attacker for somebody else, as soon as there are so many rows."""
    query = (
        "SELECT detail, cause FROM boot_events WHERE stage = 'untrusted' "
        f"AND detail LIKE '% from {attacker.address}' ORDER BY id"
    )
    return wait_until(lambda: rows if len(rows := lan.rows(query)) >= least else [], "the event on record")


def of(station: Station) -> str:
    """Return the condition of a query by which it is about one machine; ``id`` is the machine's."""
    return f"(SELECT machine_id FROM interfaces WHERE mac = '{station.mac}')"


def record_of(lan: Site, station: Station) -> list[tuple[int, str]]:
    """Return a machine's number of boots, and its address."""
    return lan.rows(f"SELECT DISTINCT boots, address FROM machine_overview WHERE macs = '{station.mac}'")


def is_told(lan: Site, victim: Station, lie: Callable[[], int]) -> None:
    """Wait until a lie about a machine is in the log, which has one line of a kind in a second."""
    wait_until(
        lambda: [line for line in lan.logged("dhcp.not_recorded") if line["mac"] == victim.mac] or lie() < 0,
        "the lie in the log",
    )


def test_the_machine_itself_gets_its_configuration(victim: Station) -> None:
    script = victim.boots()
    assert victim.get(script.ticket).text == SECRET


def test_who_names_anothers_mac_gets_no_ticket_and_is_on_record(
    lan: Site, victim: Station, attacker: Station
) -> None:
    assert victim.boots().ticket
    for path in ("/ipxe", "/ipxe/confirm"):
        answer = attacker.get(f"{path}?mac={victim.mac}")
        assert (answer.status, answer.ticket) == (200, "")
        assert SECRET not in answer.text
    (detail, cause), (confirmed, _) = untrusted(lan, attacker, 2)
    assert detail == f"/ipxe from {attacker.address}"
    assert confirmed == f"/ipxe/confirm from {attacker.address}"
    assert attacker.mac in cause
    assert victim.asks_what_to_boot().ticket, "the victim does not notice"


def test_who_took_a_ticket_cannot_redeem_it(lan: Site, victim: Station, attacker: Station) -> None:
    ticket = victim.boots().ticket
    assert attacker.boots().status == 200
    answer = attacker.get(ticket)
    assert answer.status == 403
    assert SECRET not in answer.text
    assert untrusted(lan, attacker, 1)[0][0] == f"config.yaml from {attacker.address}"
    assert ticket.split("/")[2] not in (lan.daemon.output if lan.daemon else "")
    assert victim.get(ticket).text == SECRET


def test_who_lists_the_victims_card_as_its_own_gets_nothing_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    assert victim.boots(**HARDWARE).ticket
    own = HARDWARE | {"uuid": "11c4f0ee-5b1f-4b64-a4a6-2b2f4b2f0002", "serial": "LAB-2"}
    assert not attacker.boots(net1=victim.mac, **own).ticket
    assert lan.rows(f"SELECT macs FROM machine_overview WHERE macs LIKE '%{victim.mac}%'") == [(victim.mac,)]


def test_who_has_not_asked_by_dhcp_gets_no_ticket_until_it_does(victim: Station) -> None:
    """A program on a machine that was booted long ago, say in a container, has the right card, too."""
    answer = victim.asks_what_to_boot()
    assert not answer.ticket
    assert "no DHCP boot request from it within 15 minutes" in answer.text.replace("\necho ", " ")
    assert victim.boots().ticket


def test_who_takes_over_the_victims_address_is_not_the_victim(
    lan: Site, victim: Station, attacker: Station
) -> None:
    ticket = victim.boots().ticket
    for station, change in (
        (victim, ["link", "set", "eth0", "down"]),
        (attacker, ["address", "del", f"{attacker.address}/24", "dev", "eth0"]),
        (attacker, ["address", "add", f"{victim.address}/24", "dev", "eth0"]),
    ):
        lan.namespace.run(["ip", *change], network=station.name)
    lan.namespace.run(["ip", "neighbour", "flush", "dev", "eth0"], network="server")
    assert attacker.get(ticket).status == 403
    assert not attacker.get(f"/ipxe?mac={victim.mac}").ticket


def test_nobody_confirms_refuses_or_counts_down_in_anothers_name(
    lan: Site, newcomer: Station, attacker: Station
) -> None:
    assert "Press any key within 3 seconds" in newcomer.boots(product="Newcomer").text
    assert attacker.get(f"/ipxe/refuse?mac={newcomer.mac}").status == 403
    assert not attacker.get(f"/ipxe/confirm?mac={newcomer.mac}").ticket
    assert lan.rows(f"SELECT name FROM assignments WHERE machine_id = {of(newcomer)}") == []
    assert "Press any key" in newcomer.asks_what_to_boot(product="Newcomer").text, "it was not refused either"


def test_what_is_confirmed_before_the_countdown_has_run_out_counts_down(lan: Site, newcomer: Station) -> None:
    assert newcomer.boots(product="Newcomer").status == 200
    assert "Press any key" in newcomer.get(f"/ipxe/confirm?mac={newcomer.mac}").text
    ticket = wait_until(
        lambda: newcomer.get(f"/ipxe/confirm?mac={newcomer.mac}").ticket, "the countdown to run out"
    )
    assert newcomer.get(ticket).text == "worker: true\n"
    query = f"SELECT name, layer, role FROM assignments WHERE machine_id = {of(newcomer)}"
    assert lan.rows(query) == [("arda-01", "arda", "worker")]


def test_a_key_pressed_is_a_refusal_that_stays(lan: Site, newcomer: Station) -> None:
    assert newcomer.boots(product="Newcomer").status == 200
    assert "booting from its own disk" in newcomer.get(f"/ipxe/refuse?mac={newcomer.mac}").text
    assert "booting from its own disk" in newcomer.boots(product="Newcomer").text
    query = f"SELECT intent, intent_by, intent_why FROM machines WHERE id = {of(newcomer)}"
    assert lan.rows(query) == [("local", "somebody at its screen", "a key was pressed during its countdown")]
    assert lan.rows(f"SELECT name FROM assignments WHERE machine_id = {of(newcomer)}") == []


def test_unknown_macs_in_requests_make_no_machines(lan: Site, attacker: Station) -> None:
    for number in range(20):
        assert attacker.get(f"/ipxe?mac=52:54:00:99:00:{number:02x}").status == 200
    assert attacker.boots().status == 200
    wait_until(lambda: lan.rows(f"SELECT {of(attacker)}")[0][0], "the attacker on record")
    assert lan.rows("SELECT mac FROM interfaces WHERE mac LIKE '52:54:00:99:%'") == []


def test_a_ticket_appears_in_no_log() -> None:
    with site() as lan:
        check_log(lan, lan.add("victim", VICTIMS[0]), lan.start(FILES))


def check_log(lan: Site, victim: Station, daemon: Process) -> None:
    path = victim.boots().ticket
    ticket = path.split("/")[2]
    assert victim.get(path).text == SECRET
    for wrong in (f"/talos/{ticket}/none", f"/assets/{ticket}", f"/assets/ipxe{path}", f"/ipxe?mac={ticket}"):
        assert victim.get(wrong).status in {400, 404}
    tftp = ["curl", "--silent", "--max-time", "20", f"tftp://{SERVER_ADDRESS}{path}"]
    with pytest.raises(LabError):
        lan.namespace.run(tftp, network=victim.name)
    reload(lan.namespace, daemon.pid)
    assert daemon.stop() == 0
    assert lan.logged("boot")[-1]["served"] == "victim-1/config.yaml"
    assert lan.logged("tftp.missing")
    assert ticket not in daemon.output


@pytest.mark.parametrize("port", [50000, 68])
def test_dhcp_of_a_program_on_the_machine_is_not_its_firmware(victim: Station, port: int) -> None:
    assert victim.asks_as_a_program(victim.mac, port)
    assert not victim.asks_what_to_boot().ticket


def test_a_discover_in_the_victims_name_ends_no_boot_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    ticket = victim.boots().ticket
    for port in (50000, 68):
        assert attacker.asks_as_a_program(victim.mac, port)
    assert victim.get(ticket).text == SECRET
    is_told(lan, victim, lambda: attacker.asks_as_a_program(victim.mac))
    assert record_of(lan, victim) == [(1, victim.address)]


def test_a_discover_from_nowhere_in_the_victims_name_ends_no_boot_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """The frame tells whose NIC it came from, whatever the message says."""
    ticket = victim.boots().ticket
    assert attacker.asks_for_a_boot(victim.mac)
    assert victim.get(ticket).text == SECRET
    is_told(lan, victim, lambda: attacker.asks_for_a_boot(victim.mac))
    assert record_of(lan, victim) == [(1, victim.address)]


def test_what_a_program_writes_into_a_message_neither_begins_a_boot_nor_moves_a_name(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """Neither a program elsewhere that names the victim as its relay, nor one without rights on the victim itself."""
    ticket = victim.boots().ticket
    here, there = IPv4Address(victim.address), IPv4Address(attacker.address)
    lie = replace(discover(7, mac=victim.mac), ciaddr=there)
    as_ipxe = replace(discover(7, (Option.USER_CLASS, b"iPXE"), mac=victim.mac), ciaddr=there)
    as_request = replace(boot_request(7), chaddr=lie.chaddr, ciaddr=there)
    for relayed in (lie, as_ipxe):
        attacker.sends(replace(relayed, giaddr=here), 50000, 67, seconds=0.1)
    attacker.sends(replace(as_request, giaddr=here), 50000, 4011, seconds=0.1)
    victim.sends(lie, 50000, 67, seconds=0.1)
    victim.sends(as_request, 50000, 4011, seconds=0.1)
    assert attacker.asks_for_a_boot()
    wait_until(lambda: record_of(lan, attacker), "what came last on record")
    assert record_of(lan, victim) == [(1, victim.address)]
    assert victim.get(ticket).text == SECRET


def test_a_discover_from_nowhere_of_another_nic_proves_nothing(victim: Station, attacker: Station) -> None:
    """A program without rights on the victim waits for somebody to say that the victim boots."""
    assert attacker.asks_for_a_boot(victim.mac)
    answer = victim.asks_what_to_boot()
    assert not answer.ticket
    assert "no DHCP boot request from it within 15 minutes" in answer.text.replace("\necho ", " ")


def test_who_claims_a_card_that_a_file_lists_is_not_that_machine(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """Before its owner was ever heard."""
    script = attacker.boots(net1=victim.mac)
    assert not script.ticket
    assert f"its firmware lists a nic of machines/{victim.name}.yaml" in script.text.lower().replace(
        "\necho ", " "
    )
    assert victim.get(victim.boots().ticket).text == SECRET
    query = f"SELECT macs FROM machine_overview WHERE id IN ({of(victim)}, {of(attacker)}) ORDER BY macs"
    assert lan.rows(query) == [(victim.mac,), (attacker.mac,)]


def test_who_claims_the_card_of_a_machine_in_its_firmware_does_not_absorb_it(
    lan: Site, newcomer: Station, attacker: Station
) -> None:
    assert newcomer.asks_for_a_boot()
    assert attacker.boots(net1=newcomer.mac).status == 200
    assert "Press any key" in newcomer.asks_what_to_boot(product="Newcomer").text
    query = f"SELECT conflict FROM machines WHERE id IN ({of(newcomer)}, {of(attacker)})"
    wait_until(lambda: len(lan.rows(query)) == 2, "both on record")
    assert lan.rows(query) == [("",), ("",)]


def test_what_smbios_says_may_be_long(victim: Station) -> None:
    long = "\u00e9" * 2048  # 4 KB
    script = victim.boots(product=long, serial=long, manufacturer=long)
    assert victim.get(script.ticket).text == SECRET
