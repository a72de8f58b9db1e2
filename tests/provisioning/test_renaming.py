"""A machine is renamed by a command: a real commit, in force at once, with the checks of a push."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fleets import CONFIGURED
from support.following import Daemon, central_in, daemon
from support.no_secrets import no_secrets
from support.repositories import git

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.renaming import Rename
from iluvatar_pxe.errors import InvalidDraftError, OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.provisioning.renaming import Renamer
from iluvatar_pxe.values import replace

MAC, OTHER, FREE = (f"52:54:00:77:00:0{number}" for number in (1, 2, 9))
FILES = {
    "fleet.yaml": "domain: lab.home.arpa\nrecords: {printer: {a: 10.0.0.9}}\n",
    "layers/arda.yaml": CONFIGURED,
    "configs/controlplane.yaml": "a: 1\n",
    "configs/worker.yaml": "a: 1\n",
    "machines/one.yaml": f'match: {{macs: ["{MAC}"]}}\nlayer: arda\nrole: worker\n',
    "machines/other.yaml": f'match: {{macs: ["{OTHER}"]}}\nchain: local\n',
}


class Site:
    def __init__(self, daemon: Daemon, central: Path) -> None:
        self.daemon = daemon
        self.central = central
        self.context = CommandContext(
            inventory=daemon.inventory,
            fleet_in_force=lambda: daemon.applied.fleet,
            assigner=DatabaseAssigner(daemon.inventory),
            window=OwnWindow(daemon.inventory),
            secrets=no_secrets(daemon.inventory),
            renamer=Renamer(daemon.inventory, daemon.follower.commit),
        )

    async def rename(self, machine: str, new: str) -> str:
        return str((await Rename(machine=machine, new=new).carry_out(self.context, "ada"))["message"])

    async def has(self, mac: str, phase: Phase) -> None:
        inventory = self.daemon.inventory
        machine = inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.DISCOVER)
        await inventory.change(
            machine.id, lambda one: replace(one, phase=phase), Happening.CHANGED, "test", "test"
        )

    @property
    def files(self) -> list[str]:
        return git(self.central, "ls-tree", "--name-only", "main", "machines/").split()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    central = central_in(tmp_path, FILES)
    async with daemon(tmp_path / "pi", central) as made:
        yield Site(made, central)


@pytest.mark.parametrize("phase", [Phase.DISCOVERED, Phase.ASSIGNED, Phase.BOOTING])
async def test_a_machine_that_is_not_installed_is_renamed(site: Site, phase: Phase) -> None:
    await site.has(MAC, phase)
    says = await site.rename("one", "two")
    assert says == "one is renamed to two; it has that name from its next boot"
    assert site.files == ["machines/other.yaml", "machines/two.yaml"]
    assert git(site.central, "log", "-1", "--format=%B", "main").startswith(
        "one is renamed to two\n\nBy ada on "
    )
    (machine,) = site.daemon.inventory.snapshot.by_id.values()
    assert title_of(machine, site.daemon.applied.fleet) == "two", "it is in force"


@pytest.mark.parametrize("phase", [Phase.INSTALLING, Phase.INSTALLED, Phase.JOINED, Phase.FAILED])
async def test_a_member_of_a_cluster_keeps_its_name(site: Site, phase: Phase) -> None:
    await site.has(MAC, phase)
    with pytest.raises(OperationError, match="its cluster may know it by this name; remove "):
        await site.rename("one", "two")
    assert "machines/one.yaml" in site.files


async def test_one_that_no_cluster_knows_is_renamed_whatever_it_runs(site: Site) -> None:
    await site.has(OTHER, Phase.JOINED)
    await site.rename(OTHER, "desk")
    assert "machines/desk.yaml" in site.files


async def test_one_that_was_not_seen_is_renamed(site: Site) -> None:
    assert await site.rename("one", "two") == "one is renamed to two"
    assert "machines/two.yaml" in site.files


@pytest.mark.parametrize("new", ["other", "printer", "arda", "pxe"])
async def test_a_name_that_is_taken_is_refused(site: Site, new: str) -> None:
    with pytest.raises((OperationError, InvalidDraftError), match=new):
        await site.rename("one", new)
    assert site.files == ["machines/one.yaml", "machines/other.yaml"]


async def test_who_is_not_listed_is_not_renamed_by_a_commit(site: Site) -> None:
    with pytest.raises(UnknownMachineError):
        await site.rename("nobody", "two")
    await site.has(FREE, Phase.DISCOVERED)
    with pytest.raises(OperationError, match=f"no file of the fleet lists it; use .* set {FREE} --name two"):
        await site.rename(FREE, "two")


async def test_where_the_fleet_is_not_written_the_remedy_is_told(site: Site) -> None:
    site.context = replace(site.context, renamer=Renamer(site.daemon.inventory))
    with pytest.raises(OperationError, match=r"rename machines/one\.yaml there, to two\.yaml"):
        await site.rename("one", "two")
