"""What a machine would boot next, as its page tells it: as ``plan`` does, with secrets masked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.booters import booters_of
from support.fleets import KERNEL, READY, fleet_of
from support.machines import machine_of

from iluvatar_pxe.admin import held_boots
from iluvatar_pxe.admin.next_boots import NextBoots
from iluvatar_pxe.admin.plan_basis import NO_ADDRESS
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.values import replace

MAC = "52:54:00:64:00:01"
SECRET = "c2VjcmV0IGtleQ"
CONFIG = f"machine:\n  type: worker\n  token: {SECRET}\n"
FILE = "chain: talos\nconfig: configs/own.yaml\n"


@pytest.fixture
async def next_boots(tmp_path: Path) -> NextBoots:
    for name in READY:
        (tmp_path / "assets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "assets" / name).write_bytes(b"MZ")
    store = AssetStore(tmp_path / "assets")
    await store.refresh()
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    fleet = fleet_of(("arda-01", MAC, FILE), **{"configs/own_yaml": CONFIG})
    booter = booters_of(fleet, inventory, store, lambda _: MAC).real
    return NextBoots(booter=booter, inventory=inventory, interfaces=tuple, settings=Settings())


def seen(next_boots: NextBoots, stage: Stage = Stage.DISCOVER) -> Machine:
    return next_boots.inventory.observe(Sighting(mac=MAC, firmware=Firmware.UEFI_PXE), stage)


async def test_it_tells_what_is_served_and_why_without_secrets(next_boots: NextBoots) -> None:
    told = await next_boots.of(seen(next_boots))
    assert told["last"]["what"] == "boots chain talos"
    assert f"http://{NO_ADDRESS}:8080/assets/talos/" in told["stages"][-1]["script"]
    assert told["config"]["file"] == "configs/own.yaml"
    assert "type: worker" in told["config"]["text"]
    assert SECRET not in str(told)


async def test_it_tells_how_far_a_file_is_that_is_not_here_yet(next_boots: NextBoots, tmp_path: Path) -> None:
    (tmp_path / "assets" / KERNEL).unlink()
    await next_boots.booter.store.refresh()
    loading = Progress(state=State.LOADING, done=31_500_000, size=75_000_000, rate=2e6)
    coming = replace(next_boots, booter=replace(next_boots.booter, coming=lambda: {KERNEL: loading}))
    told = await coming.of(seen(next_boots))
    file = next(one for one in told["files"] if one["name"] == KERNEL)
    assert file["coming"] == f"{KERNEL} is 42 % here (31 of 75 MB, 2.0 MB/s, 22 s left)"
    assert file["bytes"] is None


async def test_a_plan_holds_until_what_it_depends_on_changes(next_boots: NextBoots) -> None:
    machine = seen(next_boots)
    before = next_boots.decided_by(machine)
    assert next_boots.decided_by(seen(next_boots)) == before
    next_boots.booter.applied.fleet = fleet_of()
    assert next_boots.decided_by(machine) != before


async def test_who_asks_at_once_which_boots_are_held_has_it_found_out_once(
    next_boots: NextBoots, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[object] = []

    def counted(*basis: Any) -> object:
        decided.append(basis)
        return next_boot(*basis)

    monkeypatch.setattr(held_boots, "next_boot", counted)
    machines = [machine_of(f"52:54:00:00:01:{number:02x}") for number in range(100)]
    snapshot, fleet = Snapshot.of(machines), next_boots.booter.applied.fleet
    first, *others = await asyncio.gather(*(next_boots.held(machines, snapshot, fleet) for _ in range(4)))
    assert others == [first] * 3
    assert len(first) == len(decided) == 100
