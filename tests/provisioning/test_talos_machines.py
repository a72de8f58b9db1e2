"""Stand-ins for Talos machines report to the daemon's own sockets, and it sees how far each of them is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fleets import fleet_of
from support.talos.cluster import Cluster
from support.talos.machine import Machine as StandIn
from support.talos_reports import receiving
from support.waiting import until

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.silent_machines import SILENT_FOR, SilentMachines
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.values import replace


@dataclass
class Site:
    """A cluster of stand-ins, and what the daemon knows of it."""

    cluster: Cluster
    inventory: Inventory
    applied: Applied
    neighbours: dict[IPv4Address, str]
    silent: SilentMachines

    def boots(self, mac: str) -> Machine:
        """Have a machine's firmware ask, and its Talos fetch its configuration."""
        for stage in (Stage.DISCOVER, Stage.SCRIPT, Stage.KERNEL, Stage.INITRAMFS, Stage.CONFIG):
            sighting = Sighting(mac=mac, firmware=Firmware.UEFI_PXE)
            chain = "talos" if stage is Stage.SCRIPT else ""
            machine = self.inventory.observe(sighting, stage, chain=chain)
        return machine

    def machine(self, stand_in: StandIn) -> Machine:
        found = self.inventory.snapshot.machine(stand_in.hardware.mac)
        assert found
        return found

    def plugged(self, number: int, role: Role) -> StandIn:
        stand_in = self.cluster.machine(number, role)
        mac = stand_in.hardware.mac
        self.neighbours[IPv4Address(stand_in.address)] = mac
        listed = (f"{role}-{number}", mac, f"layer: arda\nrole: {role}\n")
        self.applied.fleet = fleet_of(listed)
        self.boots(mac)
        return stand_in

    def told(self, stand_in: StandIn) -> list[Stage | Happening]:
        machine = self.machine(stand_in)
        stages = [one.stage for one in self.inventory._pending._events if one.machine_id == machine.id]
        return stages[stages.index(Stage.CONFIG) + 1 :]


@pytest.fixture
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    cluster = Cluster(tmp_path, contract=request.param)
    inventory, applied = Inventory(f"sqlite:///{tmp_path}/inventory.db"), Applied()
    neighbours: dict[IPv4Address, str] = {}
    events = TalosEvents(inventory, applied, Journal(inventory, applied), neighbours.get)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(cluster.serving())
        got = await stack.enter_async_context(receiving(events.take_event, events.take_line))
        cluster.reporting = MachineFacts(
            role=Role.WORKER,
            event_sink=f"127.0.0.1:{got.event_port}",
            kernel_log=f"tcp://127.0.0.1:{got.log_port}",
        )

        async def reader(_: str) -> Credentials:
            return cluster.credentials(ApiRole.READER)

        silent = SilentMachines(inventory, applied, events, reader)
        yield Site(cluster, inventory, applied, neighbours, silent)


BOTH = pytest.mark.parametrize("site", list(Contract), indirect=True)
INSTALLS = {Stage.STARTED, Stage.INSTALLING, Stage.INSTALLED, Happening.RESTARTING}


@BOTH
async def test_a_control_plane_installs_itself_boots_its_disk_and_joins(site: Site) -> None:
    stand_in = site.plugged(1, Role.CONTROLPLANE)
    await stand_in.power_on()
    await until(lambda: site.machine(stand_in).phase is Phase.INSTALLED)
    await until(lambda: site.machine(stand_in).generation == 2)
    assert set(site.told(stand_in)[:4]) == INSTALLS
    await until(lambda: stand_in.service("etcd") == "Preparing")
    boot = stand_in.boot
    assert boot
    assert boot.membership
    boot.membership.found()
    machine = await until(lambda: (one := site.machine(stand_in)).phase is Phase.JOINED and one)
    assert isinstance(machine, Machine)
    assert (machine.generation, machine.reached, machine.address) == (
        2,
        Stage.JOINED,
        IPv4Address(stand_in.address),
    )
    boot.events.replay()
    boot.log.replay()
    await until(boot.events.delivered.is_set)
    assert site.machine(stand_in) == replace(machine, last_seen=site.machine(stand_in).last_seen)


@BOTH
async def test_a_machine_without_the_disk_that_is_chosen_says_so_and_is_not_installed(site: Site) -> None:
    stand_in = site.plugged(1, Role.CONTROLPLANE)
    stand_in.hardware.disks[0].serial = "ANOTHER"
    stand_in.hardware.disks[0].wwid = "another"
    await stand_in.power_on()
    if site.cluster.contract is Contract.V1_13:
        await until(lambda: site.machine(stand_in).report.faults)
        await until(lambda: Happening.RESTARTING in site.told(stand_in))
        assert any("no disk matched" in fault for fault in site.machine(stand_in).report.faults)
    else:
        await until(lambda: stand_in.service("apid") == "Running")
        await until(lambda: site.machine(stand_in).address)
        await site.silent.ask(wall_clock())
        assert site.machine(stand_in).report.faults == ()
        await site.silent.ask(wall_clock() + SILENT_FOR * 2)
        (fault,) = site.machine(stand_in).report.faults
        assert fault.startswith("install: no disk matched")
    assert site.machine(stand_in).phase is Phase.INSTALLING


@pytest.mark.parametrize("site", [Contract.V1_13], indirect=True)
async def test_a_machine_whose_success_nobody_heard_is_asked_for_it(site: Site) -> None:
    site.cluster.reporting = MachineFacts(role=Role.WORKER)
    stand_in = site.plugged(1, Role.CONTROLPLANE)
    talos = Sighting(
        mac=stand_in.hardware.mac, firmware=Firmware.TALOS, address=IPv4Address(stand_in.address)
    )
    site.inventory.observe(talos, Stage.CONFIG)
    await stand_in.power_on()
    await until(lambda: {stand_in.service("etcd"), stand_in.service("apid")} == {"Preparing", "Running"})
    assert site.machine(stand_in).phase is Phase.INSTALLING
    await site.silent.ask(wall_clock() + SILENT_FOR * 2)
    assert site.machine(stand_in).phase is Phase.INSTALLED
