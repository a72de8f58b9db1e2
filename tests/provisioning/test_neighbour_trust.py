"""When a machine is in doubt: its NIC by the neighbour table, and the time since it asked by DHCP, by a fake clock."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import DHCP, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.trust import NeighbourTrust, Trust
from iluvatar_pxe.values import replace

MAC, LISTED, STRANGER = "52:54:00:77:00:01", "52:54:00:77:00:02", "52:54:00:77:00:03"
HERE = IPv4Address("10.77.0.50")
APPLIED = Applied(fleet_of(("one", f'{MAC}", "{LISTED}', "chain: hold\n")))


class Site:
    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.neighbours = {HERE: MAC}
        self.inventory = Inventory(f"sqlite:///{directory / 'inventory.db'}", lambda: self.now)
        self.trust = NeighbourTrust(self.inventory, APPLIED, self.neighbours.get, lambda _: False)

    def asks_by_dhcp(self) -> None:
        self.inventory.observe(
            Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, from_nowhere=True), Stage.DISCOVER
        )

    def asks_by_http(self) -> Trust:
        sighting = Sighting(
            mac=MAC, firmware=Firmware.IPXE, address=HERE, neighbour=self.neighbours.get(HERE)
        )
        return self.trust.of(sighting, self.inventory.snapshot.machine(MAC))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_sixteen_minutes_after_its_dhcp_a_machine_is_in_doubt(site: Site) -> None:
    site.asks_by_dhcp()
    site.now = 15 * 60
    assert site.asks_by_http() == Trust(itself=True)
    site.now = 16 * 60
    doubted = site.asks_by_http()
    assert (doubted.itself, doubted.doubt) == (True, "no DHCP boot request from it within 15 minutes")
    site.asks_by_dhcp()
    assert not site.asks_by_http().doubt


@pytest.mark.parametrize("stage", sorted(DHCP))
async def test_dhcp_from_an_address_shows_no_firmware(site: Site, stage: Stage) -> None:
    """Whatever runs on a machine can send that, and renews its lease so."""
    site.inventory.observe(Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, address=HERE), stage)
    assert site.asks_by_http().doubt == "no DHCP boot request from it within 15 minutes"


async def test_a_nic_that_its_file_lists_is_its_own(site: Site) -> None:
    site.asks_by_dhcp()
    site.neighbours[HERE] = LISTED
    assert site.asks_by_http() == Trust(itself=True)
    machine = site.inventory.snapshot.machine(MAC)
    assert machine
    assert site.trust.doubt_of_holder(machine, HERE) == ""
    site.neighbours[HERE] = STRANGER
    line = f'add "{STRANGER}" to match.macs in machines/one.yaml'
    assert not site.asks_by_http().itself
    assert line in site.asks_by_http().doubt
    assert line in site.trust.doubt_of_holder(machine, HERE)
    assert site.trust.doubt_of_holder(replace(machine, claimed=(STRANGER,)), HERE) == ""


@pytest.mark.parametrize(
    ("neighbour", "stage", "told_by", "may"),
    [
        (MAC, Stage.DISCOVER, MAC, False),
        (MAC, Stage.IPXE_DISCOVER, MAC, False),
        (LISTED, Stage.BOOT_SERVER, None, True),
        (STRANGER, Stage.DISCOVER, None, False),
        (None, Stage.DISCOVER, MAC, False),
        (MAC, Stage.BOOT_SERVER, None, True),
        (STRANGER, Stage.BOOT_SERVER, MAC, False),
        (None, Stage.BOOT_SERVER, MAC, True),
        (None, Stage.BOOT_SERVER, STRANGER, False),
        (None, Stage.BOOT_SERVER, None, False),
    ],
)
async def test_a_dhcp_message_from_an_address_is_of_the_machine_that_has_it(
    site: Site, neighbour: str | None, stage: Stage, told_by: str | None, *, may: bool
) -> None:
    """Firmware has none when it sends a DISCOVER, but asks the boot server from its own.

    ``told_by``: whom DHCP last had at that address, for when the kernel has not asked yet.
    """
    machine = site.inventory.observe(Sighting(mac=MAC, firmware=Firmware.UEFI_PXE), Stage.NBP)
    site.inventory.observe(Sighting(mac=STRANGER, firmware=Firmware.UEFI_PXE), Stage.NBP)
    site.neighbours = {HERE: neighbour} if neighbour else {}
    site.trust = NeighbourTrust(site.inventory, APPLIED, site.neighbours.get, lambda _: False)
    if told_by:
        site.inventory.learn_address(Sighting(mac=told_by, firmware=Firmware.UEFI_PXE, address=HERE))
    assert site.trust.may_have_sent(machine, HERE, stage) is may


async def test_who_came_no_further_than_dhcp_has_nothing_to_lose(site: Site) -> None:
    site.asks_by_dhcp()
    machine = site.inventory.snapshot.machine(MAC)
    assert machine
    site.neighbours[HERE] = STRANGER
    assert site.trust.may_have_sent(machine, HERE, Stage.BOOT_SERVER)
