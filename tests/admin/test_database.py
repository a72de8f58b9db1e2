"""The inventory's database as a file, and what is refused while it is away."""

from pathlib import Path

import pytest
from admin.samples import FREE, OTHER, Counter

from iluvatar_pxe.admin.database import Backup, Restore, SetAside, Upgrade
from iluvatar_pxe.admin.enrolment import ShowEnrolment
from iluvatar_pxe.admin.machines import Forget, Hold
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting


async def test_nothing_is_changed_while_the_database_is_away(tmp_path: Path) -> None:
    (tmp_path / "inventory.db").write_bytes(b"nonsense" * 1000)
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    await inventory.open()
    machine = inventory.observe(Sighting(mac=FREE, firmware=Firmware.UEFI_PXE), Stage.SCRIPT)
    counter = Counter(inventory)
    for command in (Hold(machine=FREE), Forget(machine=FREE), Upgrade(), ShowEnrolment()):
        with pytest.raises(InventoryError, match="it is damaged or not a database"):
            await counter.ask(command)
    assert inventory.snapshot.machine(FREE) == machine
    answer = await counter.ask(SetAside())
    assert answer["message"].startswith(f"a new database is in use; the old one is {tmp_path}/inventory.db.")
    assert inventory.health is None
    assert (await counter.ask(Hold(machine=FREE)))["machine"]["intent"] == "hold"
    await inventory.close()


async def test_a_copy_and_what_was_before_it(counter: Counter, tmp_path: Path) -> None:
    assert await counter.ask(Upgrade()) == {"message": "the database is up to date"}
    copy = tmp_path / "copy.db"
    assert await counter.ask(Backup(file=copy)) == {"message": f"database backed up to {copy}"}
    await counter.ask(Forget(machine=OTHER))
    answer = await counter.ask(Restore(file=copy))
    assert answer["message"].startswith(
        f"database restored from {copy}; the old one is {tmp_path}/inventory.db."
    )
    assert counter.machine(OTHER).macs == (OTHER,), "known again"
