"""Firmware boots from the daemon, and the system that it boots fetches the configuration that is made for this machine."""

import asyncio
import shutil
from base64 import b64decode
from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from e2e.side_by_side import at_the_same_time, mac_of
from support.judge import judging
from support.two_pis import ASSETS, HOME, Pi

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.fleet.layers import Talos
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.system.ipxe import PROGRAMS
from iluvatar_pxe.lab.system.kernel import StandIn
from iluvatar_pxe.lab.system.stand_ins import add_programs, add_talos
from iluvatar_pxe.layers.arda.documents import Contract, load_documents
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.inspection import Disk, Inspection, Nic
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role

pytestmark = pytest.mark.firmware

VERSION, SCHEMATIC = "v1.13.9", "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
KINDS = ("bios", "uefi-x64")
ROLES = {"bios": Role.CONTROLPLANE, "uefi-x64": Role.WORKER}


def files() -> dict[str, str]:
    """Return a fleet that lists a machine of each kind, in a layer without configurations of its own."""
    layer = f"kind: talos\ntalos: {{version: {VERSION}, schematic: {SCHEMATIC}}}\ncontrolPlanes: 1\n"
    machines = {
        f"machines/{kind}.yaml": f'match: {{macs: ["{mac_of(number)}"]}}\nlayer: arda\nrole: {ROLES[kind]}\nkernelArgs: [lab.show]\n'
        for number, kind in enumerate(KINDS)
    }
    return {"fleet.yaml": "domain: lab.home.arpa\n", "layers/arda.yaml": layer, **machines}


@pytest.mark.parametrize(
    ("kinds", "known", "judged"),
    [
        (("bios",), ("bios",), False),
        pytest.param(KINDS, ("uefi-x64",), True, marks=pytest.mark.long),
        pytest.param(KINDS, KINDS, True, marks=pytest.mark.long),
        pytest.param(KINDS, (), True, marks=pytest.mark.long),
    ],
    ids=["BIOS whole", "UEFI whole, BIOS partial", "whole", "partial"],
)
def test_each_gets_its_own_whole_if_its_hardware_is_known(
    system: StandIn,
    current: Path,
    kinds: tuple[str, ...],
    known: tuple[str, ...],
    tmp_path: Path,
    *,
    judged: bool,
) -> None:
    with judging(Contract.V1_13) if judged else nullcontext() as judge:
        told = boot_all(system, current, kinds, known, tmp_path)
        for kind in kinds:
            check(told[kind], kind, whole=kind in known)
            if judge:
                assert judge.load(told[kind]) == []


def boot_all(
    system: StandIn, current: Path, kinds: Iterable[str], known: Iterable[str], directory: Path
) -> dict[str, str]:
    """Boot a machine of each kind, and return what each has fetched."""
    told: dict[str, str] = {}
    with Lab() as lab:
        pi = begin(lab, system, current)
        know(pi, known, directory)
        pi.start()
        pi.wait()
        at_the_same_time(*(partial(fetch, lab, pi, kind, told) for kind in kinds))
    return told


def begin(lab: Lab, system: StandIn, programs: Path) -> Pi:
    """Return a daemon, not started, whose Talos is the lab's stand-in."""
    pi = Pi(lab.network, "pi-1", HOME, {"source": "hosted"})
    pi.begin_with(files())
    assets = pi.outside(ASSETS)
    add_talos(assets, Talos(version=VERSION, schematic=SCHEMATIC), system)
    add_programs(assets, programs, PROGRAMS)
    return pi


def know(pi: Pi, kinds: Iterable[str], directory: Path) -> None:
    """Enter machines with their hardware, as Talos tells it in maintenance."""
    file = directory / "inventory.db"
    asyncio.run(_entered(Inventory(f"sqlite:///{file}"), kinds))
    shutil.copy(file, pi.outside(pi.state))


async def _entered(inventory: Inventory, kinds: Iterable[str]) -> None:
    await inventory.open()
    for kind in kinds:
        _enter(inventory, kind)
    await inventory.close()


def _enter(inventory: Inventory, kind: str) -> None:
    mac, disk = (
        mac_of(KINDS.index(kind)),
        Disk(path="/dev/vda", size=64 * 10**9, serial=f"DISK-{kind}", transport="virtio"),
    )
    machine = inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.DISCOVER)
    nics = (Nic(name="eth0", mac=mac),)
    inventory.note_inspection(machine.id, Inspection(at=wall_clock(), boot=1, disks=(disk,), nics=nics))


def fetch(lab: Lab, pi: Pi, kind: str, told: dict[str, str]) -> None:
    """Boot a machine until it has switched itself off, and note the configuration that it has fetched."""
    guest = start_guest(lab.network, firmware_named(kind), mac_of(KINDS.index(kind)), kind)
    try:
        fetched = guest.wait_for(r"^LAB (?:failed=|config=(\S+))", BOOT_SECONDS)
        guest.wait(BOOT_SECONDS)
    except LabError as error:
        assert pi.daemon
        raise LabError(f"{error}\n{pi.daemon.tail()}") from error
    told[kind] = b64decode(fetched[1] or "").decode()


def check(text: str, kind: str, *, whole: bool) -> None:
    """Fail unless a configuration is valid, and this machine's."""
    number, documents = KINDS.index(kind), load_documents(text)
    by_kind = {document.get("kind", "whole"): document for document in documents}
    assert mac_of(number) in str(by_kind["LinkAliasConfig"])
    assert mac_of(1 - number) not in text
    assert by_kind["EventSinkConfig"]["endpoint"] == f"{HOME}:3333"
    assert ("whole" in by_kind) is whole
    if whole:
        assert faults(documents, schema_of(Contract.V1_13), ROLES[kind]) == ()
        machine = by_kind["whole"]["machine"]
        assert (machine["type"], by_kind["HostnameConfig"]["hostname"]) == (ROLES[kind], kind)
        assert machine["install"]["diskSelector"]["serial"] == f"DISK-{kind}"
