"""Attacks on trust, one test each: real cards in a network of our own, the kernel's neighbour table, the real daemon."""

import os
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.fleets import ARDA
from support.proxy import boot_request, discover
from support.stations import Site, Station, site
from support.waiting import wait_until

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.daemon import reload
from iluvatar_pxe.lab.room.network import SERVER_ADDRESS
from iluvatar_pxe.wire.dhcp import Option

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

SECRET = "secret: of-the-victim\n"
VICTIM_MAC = "52:54:00:77:01:01"
FILES = {
    "fleet.yaml": (
        "enrolment: {mode: join, countdown: 3}\n"
        "rules: [{match: {product: Newcomer}, layer: arda, role: worker, config: configs/worker.yaml}]\n"
    ),
    "layers/arda.yaml": ARDA,
    "machines/victim.yaml": f'match: {{macs: ["{VICTIM_MAC}"]}}\nrole: worker\nconfig: configs/victim.yaml\n',
    "configs/victim.yaml": SECRET,
    "configs/worker.yaml": "worker: true\n",
}
HARDWARE = {"uuid": "6f3b8a52-55b0-4d0e-9c58-0d6a1c1d7e10", "serial": "LAB-1", "product": "Lab"}


@pytest.fixture
def lan() -> Iterator[Site]:
    with site() as built:
        yield built


@pytest.fixture
def victim(lan: Site) -> Station:
    return lan.add("victim", 1)


@pytest.fixture
def attacker(lan: Site) -> Station:
    return lan.add("attacker", 2)


def untrusted(lan: Site, count: int) -> list[tuple[str, str]]:
    """Return what is on record as asked by somebody else, as soon as there are so many rows."""
    query = "SELECT detail, cause FROM boot_events WHERE stage = 'untrusted' ORDER BY id"
    return wait_until(lambda: rows if len(rows := lan.rows(query)) >= count else [], "the event on record")


def test_the_machine_itself_gets_its_configuration(lan: Site, victim: Station) -> None:
    lan.start(FILES)
    script = victim.boots()
    assert victim.get(script.ticket).text == SECRET


def test_who_names_anothers_mac_gets_no_ticket_and_is_on_record(
    lan: Site, victim: Station, attacker: Station
) -> None:
    lan.start(FILES)
    assert victim.boots().ticket
    for path in ("/ipxe", "/ipxe/confirm"):
        answer = attacker.get(f"{path}?mac={victim.mac}")
        assert (answer.status, answer.ticket) == (200, "")
        assert SECRET not in answer.text
    (detail, cause), (confirmed, _) = untrusted(lan, 2)
    assert detail == f"/ipxe from {attacker.address}"
    assert confirmed == f"/ipxe/confirm from {attacker.address}"
    assert attacker.mac in cause
    assert victim.asks_what_to_boot().ticket, "the victim does not notice"


def test_who_took_a_ticket_cannot_redeem_it(lan: Site, victim: Station, attacker: Station) -> None:
    lan.start(FILES)
    ticket = victim.boots().ticket
    assert attacker.boots().status == 200
    answer = attacker.get(ticket)
    assert answer.status == 403
    assert SECRET not in answer.text
    assert untrusted(lan, 1)[0][0] == f"config.yaml from {attacker.address}"
    assert ticket.split("/")[2] not in (lan.daemon.output if lan.daemon else "")
    assert victim.get(ticket).text == SECRET


def test_who_lists_the_victims_card_as_its_own_gets_nothing_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    lan.start(FILES)
    assert victim.boots(**HARDWARE).ticket
    own = HARDWARE | {"uuid": "11c4f0ee-5b1f-4b64-a4a6-2b2f4b2f0002", "serial": "LAB-2"}
    assert not attacker.boots(net1=victim.mac, **own).ticket
    assert lan.rows(f"SELECT macs FROM machine_overview WHERE macs LIKE '%{victim.mac}%'") == [(victim.mac,)]


def test_who_has_not_asked_by_dhcp_gets_no_ticket_until_it_does(lan: Site, victim: Station) -> None:
    """A program on a machine that was booted long ago, say in a container, has the right card, too."""
    lan.start(FILES)
    answer = victim.asks_what_to_boot()
    assert not answer.ticket
    assert "no DHCP boot request from it within 15 minutes" in answer.text.replace("\necho ", " ")
    assert victim.boots().ticket


def test_who_takes_over_the_victims_address_is_not_the_victim(
    lan: Site, victim: Station, attacker: Station
) -> None:
    lan.start(FILES)
    ticket = victim.boots().ticket
    lan.namespace.run(["ip", "link", "set", "eth0", "down"], network="victim")
    lan.namespace.run(["ip", "address", "del", f"{attacker.address}/24", "dev", "eth0"], network="attacker")
    lan.namespace.run(["ip", "address", "add", f"{victim.address}/24", "dev", "eth0"], network="attacker")
    lan.namespace.run(["ip", "neighbour", "flush", "dev", "eth0"], network="server")
    assert attacker.get(ticket).status == 403
    assert not attacker.get(f"/ipxe?mac={victim.mac}").ticket


def test_nobody_confirms_refuses_or_counts_down_in_anothers_name(lan: Site, attacker: Station) -> None:
    newcomer = lan.add("newcomer", 3)
    lan.start(FILES)
    assert "Press any key within 3 seconds" in newcomer.boots(product="Newcomer").text
    assert attacker.get(f"/ipxe/refuse?mac={newcomer.mac}").status == 403
    assert not attacker.get(f"/ipxe/confirm?mac={newcomer.mac}").ticket
    assert lan.rows("SELECT name FROM assignments") == []
    assert "Press any key" in newcomer.asks_what_to_boot(product="Newcomer").text, "it was not refused either"


def test_what_is_confirmed_before_the_countdown_has_run_out_counts_down(lan: Site) -> None:
    newcomer = lan.add("newcomer", 3)
    lan.start(FILES)
    assert newcomer.boots(product="Newcomer").status == 200
    assert "Press any key" in newcomer.get(f"/ipxe/confirm?mac={newcomer.mac}").text
    ticket = wait_until(
        lambda: newcomer.get(f"/ipxe/confirm?mac={newcomer.mac}").ticket, "the countdown to run out"
    )
    assert newcomer.get(ticket).text == "worker: true\n"
    assert lan.rows("SELECT name, layer, role FROM assignments") == [("arda-01", "arda", "worker")]


def test_a_key_pressed_is_a_refusal_that_stays(lan: Site) -> None:
    newcomer = lan.add("newcomer", 3)
    lan.start(FILES)
    assert newcomer.boots(product="Newcomer").status == 200
    assert "booting from its own disk" in newcomer.get(f"/ipxe/refuse?mac={newcomer.mac}").text
    assert "booting from its own disk" in newcomer.boots(product="Newcomer").text
    query = "SELECT intent, intent_by, intent_why FROM machines"
    assert lan.rows(query) == [("local", "somebody at its screen", "a key was pressed during its countdown")]
    assert lan.rows("SELECT name FROM assignments") == []


def test_unknown_macs_in_requests_make_no_machines(lan: Site, attacker: Station) -> None:
    lan.start(FILES)
    for number in range(20):
        assert attacker.get(f"/ipxe?mac=52:54:00:99:00:{number:02x}").status == 200
    assert attacker.boots().status == 200
    wait_until(lambda: lan.rows("SELECT mac FROM interfaces"), "the attacker on record")
    assert lan.rows("SELECT mac FROM interfaces") == [(attacker.mac,)]


def test_a_ticket_appears_in_no_log(lan: Site, victim: Station) -> None:
    daemon = lan.start(FILES)
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
    assert lan.logged("boot")[-1]["served"] == "victim/config.yaml"
    assert lan.logged("tftp.missing")
    assert ticket not in daemon.output


@pytest.mark.parametrize("port", [50000, 68])
def test_dhcp_of_a_program_on_the_machine_is_not_its_firmware(lan: Site, victim: Station, port: int) -> None:
    lan.start(FILES)
    assert victim.asks_as_a_program(victim.mac, port)
    assert not victim.asks_what_to_boot().ticket


def test_a_discover_in_the_victims_name_ends_no_boot_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    lan.start(FILES)
    ticket = victim.boots().ticket
    for port in (50000, 68):
        assert attacker.asks_as_a_program(victim.mac, port)
    assert victim.get(ticket).text == SECRET
    wait_until(lambda: lan.logged("dhcp.not_recorded"), "the lie in the log")
    assert lan.rows("SELECT DISTINCT boots, address FROM machine_overview") == [(1, victim.address)]


def test_a_discover_from_nowhere_in_the_victims_name_ends_no_boot_of_it(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """The frame tells whose NIC it came from, whatever the message says."""
    lan.start(FILES)
    ticket = victim.boots().ticket
    assert attacker.asks_for_a_boot(victim.mac)
    assert victim.get(ticket).text == SECRET
    wait_until(lambda: lan.logged("dhcp.not_recorded"), "the lie in the log")
    assert lan.rows("SELECT DISTINCT boots, address FROM machine_overview") == [(1, victim.address)]


def test_what_a_program_writes_into_a_message_neither_begins_a_boot_nor_moves_a_name(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """Neither a program elsewhere that names the victim as its relay, nor one without rights on the victim itself."""
    lan.start(FILES)
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
    query = "SELECT DISTINCT boots, address FROM machine_overview WHERE macs = "
    wait_until(lambda: lan.rows(f"{query}'{attacker.mac}'"), "what came last on record")
    assert lan.rows(f"{query}'{victim.mac}'") == [(1, victim.address)]
    assert victim.get(ticket).text == SECRET


def test_a_discover_from_nowhere_of_another_nic_proves_nothing(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """A program without rights on the victim waits for somebody to say that the victim boots."""
    lan.start(FILES)
    assert attacker.asks_for_a_boot(victim.mac)
    answer = victim.asks_what_to_boot()
    assert not answer.ticket
    assert "no DHCP boot request from it within 15 minutes" in answer.text.replace("\necho ", " ")


def test_who_claims_a_card_that_a_file_lists_is_not_that_machine(
    lan: Site, victim: Station, attacker: Station
) -> None:
    """Before its owner was ever heard."""
    lan.start(FILES)
    script = attacker.boots(net1=victim.mac)
    assert not script.ticket
    assert "its firmware lists a nic of machines/victim.yaml" in script.text.lower().replace("\necho ", " ")
    assert victim.get(victim.boots().ticket).text == SECRET
    assert lan.rows("SELECT macs FROM machine_overview ORDER BY macs") == [(victim.mac,), (attacker.mac,)]


def test_who_claims_the_card_of_a_machine_in_its_firmware_does_not_absorb_it(
    lan: Site, attacker: Station
) -> None:
    newcomer = lan.add("newcomer", 3)
    lan.start(FILES)
    assert newcomer.asks_for_a_boot()
    assert attacker.boots(net1=newcomer.mac).status == 200
    assert "Press any key" in newcomer.asks_what_to_boot(product="Newcomer").text
    wait_until(lambda: len(lan.rows("SELECT id FROM machines")) == 2, "both on record")
    assert lan.rows("SELECT conflict FROM machines WHERE conflict <> ''") == []


def test_what_smbios_says_may_be_long(lan: Site, victim: Station) -> None:
    lan.start(FILES)
    long = "\u00e9" * 2048  # 4 KB
    script = victim.boots(product=long, serial=long, manufacturer=long)
    assert victim.get(script.ticket).text == SECRET
