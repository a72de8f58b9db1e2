"""Run by test_inventory.py to be killed: observes one machine, then waits for ever. Argument: the database."""

import asyncio
import sys
from pathlib import Path

from inventory.samples import running, sighting, url_of

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage


async def main() -> None:
    inventory = Inventory(url_of(Path(sys.argv[1])))
    await inventory.open()
    async with running(inventory):
        inventory.observe(sighting(serial="CZ1"), Stage.DISCOVER)
        inventory.observe(sighting(), Stage.NBP, detail="ipxe.efi", size=1024)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
