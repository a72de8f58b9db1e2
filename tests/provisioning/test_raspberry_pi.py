"""Raspberry Pis at the real daemon: their DHCP from nowhere, curl's TFTP, and the kernel's neighbour table."""

import os
import sys
from collections.abc import Iterator

import pytest
from support.firmware_room import answered
from support.fleets import ARDA
from support.pi import IMAGE, LAYER, MACS, ROM_ID, ROM_XID, RULE, SERIAL, eeprom_id, pi, pi_discover
from support.stations import SUPPORT, Site, Station, site
from support.waiting import wait_until

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.wire.dhcp import DhcpMessage, decode, encode

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

PI3, PI4, PI5 = Generation
SECOND_3 = "b8:27:eb:00:00:02"
JOINED = "dc:a6:32:00:00:99"
FILES = {
    "fleet.yaml": RULE,
    "layers/ainur.yaml": f"kind: k3s\n{LAYER}",
    "layers/arda.yaml": ARDA,
    "machines/olorin.yaml": f'match: {{macs: ["{JOINED}"]}}\nlayer: ainur\nintent: local\n',
}


class Pi:
    """A station with a Pi's card."""

    def __init__(self, place: Site, name: str, number: int, mac: str) -> None:
        self.station = Station(place.network, name, f"10.77.0.{100 + number}", mac)
        self._namespace = place.namespace

    def asks(self, request: DhcpMessage, seconds: int = 5) -> DhcpMessage | None:
        """Send a DISCOVER from nowhere, and return the answer, if one comes in time."""
        words = [
            sys.executable,
            str(SUPPORT / "firmware_dhcp.py"),
            encode(request).hex(),
            INTERFACE,
            str(seconds),
        ]
        answer = self._run(*words).strip()
        return decode(bytes.fromhex(answer)) if answer else None

    def gets(self, name: str) -> str:
        """Fetch a file as an EEPROM does, with tsize and blksize; return its text, or curl's word for ERROR 1."""
        command = (
            f"curl --silent --max-time 20 --tftp-blksize 1468 tftp://{SERVER_ADDRESS}/{name} || echo exit $?"
        )
        return self._run("sh", "-c", command).strip()

    def run(self, *words: str) -> str:
        return self._run(*words)

    def _run(self, *words: str) -> str:
        return self._namespace.run(list(words), network=self.station.name)


MISSING = "exit 68"
"""curl's exit status for ERROR 1."""


@pytest.fixture(scope="module")
def lan() -> Iterator[Site]:
    with site() as built:
        image = built.namespace.outside(built.server.assets) / "raspberry-pi" / "ubuntu"
        for file in IMAGE:
            (image / file).parent.mkdir(parents=True, exist_ok=True)
            (image / file).write_bytes(b"root=LABEL=writable\n" if file == "cmdline.txt" else file.encode())
        (image / "start4.elf").write_bytes(b"x" * 30 * 512)
        built.start(FILES)
        yield built


def test_a_new_pi_4_joins_and_boots(lan: Site) -> None:
    one = Pi(lan, "four", 4, MACS[PI4])
    offer = one.asks(pi(PI4))
    assert offer
    assert str(offer.siaddr) == SERVER_ADDRESS
    assert one.gets(f"{SERIAL}/fixup4.dat") == "fixup4.dat"
    assert one.gets(f"{SERIAL}/start4.elf")
    assert "kernel=vmlinuz" in one.gets(f"{SERIAL}/config.txt")
    assert one.gets(f"{SERIAL}/cmdline.txt").startswith("root=LABEL=writable cgroup_enable=memory")
    for name in ("pieeprom.sig", "recovery4.elf", "dt-blob.bin", "bootcode.bin", "armstub8-gic.bin"):
        assert one.gets(f"{SERIAL}/{name}") == MISSING
    assert one.gets(f"{SERIAL}/vmlinuz") == "vmlinuz"
    stages = "SELECT stage, detail FROM boot_events e JOIN interfaces i USING (machine_id) WHERE mac = '{}'"
    rows = wait_until(
        lambda: found if len(found := lan.rows(stages.format(MACS[PI4]) + " ORDER BY e.id")) == 5 else [],
        "its boot on record",
    )
    assert [stage for stage, _ in rows] == ["discover", "assigned", "nbp", "script", "kernel"]
    shown = lan.command("machines", "show", "ainur-01")
    assert "Raspberry Pi 4 Model B" in shown
    assert "Boot 1 of 1" in shown
    assert "boots chain raspberry-pi" in lan.command("plan", "ainur-01")


def test_a_provisioned_pi_is_declined_promptly_and_told_why_on_the_server(lan: Site) -> None:
    olorin = Pi(lan, "olorin", 9, JOINED)
    assert olorin.asks(pi_discover(JOINED, eeprom_id(JOINED, 0xC03111, "0badcafe")))
    for name in ("start4.elf", "start.elf", "config.txt"):
        assert olorin.gets(f"0badcafe/{name}") == MISSING
    assert "machines/olorin.yaml sets intent local" in lan.command("machines", "show", "olorin")


def test_rpi_eeprom_475_assets_come_without_redirects(lan: Site) -> None:
    answer = lan.add("browser", 7).get("/assets/raspberry-pi/ubuntu/vmlinuz")
    assert (answer.status, answer.text) == (200, "vmlinuz")


def test_firmware_1067_pi_3s_that_ask_at_once_are_all_answered_in_their_order(lan: Site) -> None:
    macs = [MACS[PI3], SECOND_3, "b8:27:eb:00:00:03"]
    room = Pi(lan, "room", 3, MACS[PI3]).station.name
    discovers = [pi_discover(mac, ROM_ID, xid=ROM_XID) for mac in macs]
    assert answered(lan.namespace, room, INTERFACE, discovers) == macs


def test_a_boot_rom_that_answers_no_arp_in_mid_transfer_gets_the_whole_file(lan: Site) -> None:
    """As the 3B's: the server's kernel must not begin to ask, so every ACK confirms its entry."""
    forget_soon(lan.namespace, ["base_reachable", "1000", "delay_probe", "1000", "retrans", "400"])
    mac = "dc:a6:32:00:00:06"
    silent = Pi(lan, "silent", 6, mac)
    assert silent.asks(pi_discover(mac, eeprom_id(mac, 0xC03111, "00000006")))
    assert silent.gets("fixup4.dat") == "fixup4.dat"
    shown = silent.run("ip", "neigh", "show", SERVER_ADDRESS).split()
    server = shown[shown.index("lladdr") + 1]
    silent.run(
        "ip", "neigh", "replace", SERVER_ADDRESS, "lladdr", server, "dev", INTERFACE, "nud", "permanent"
    )
    silent.run("sh", "-c", f"echo 8 > /proc/sys/net/ipv4/conf/{INTERFACE}/arp_ignore")
    script = str(SUPPORT / "slow_tftp.py")
    assert silent.run(sys.executable, script, SERVER_ADDRESS, "start4.elf", "0.2").strip() == str(30 * 512)


def forget_soon(namespace: Namespace, times: list[str]) -> None:
    """Have the server's kernel doubt its neighbours after a moment."""
    namespace.run(["ip", "ntable", "change", "name", "arp_cache", "dev", INTERFACE, *times], network="server")
