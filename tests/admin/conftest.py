from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admin.samples import FREE, LISTED, OTHER, Counter

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    await inventory.open()
    for mac in (LISTED, FREE, OTHER):
        inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.SCRIPT)
    yield Counter(inventory)
    await inventory.close()
