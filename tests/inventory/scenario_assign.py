"""Run by test_kill.py to be killed: machines are seen and assigned, all at once.

Prints a machine's MAC and name when it was assigned. Arguments: the database, the first machine's number, how many.
"""

import asyncio
import sys
from pathlib import Path

from inventory.samples import running, sighting, url_of
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage

FLEET = fleet_of()
PLACE = PlaceRequest(layer="arda", rule="rule 1 of fleet.yaml")


async def enrol(inventory: Inventory, number: int) -> None:
    mac = f"52:54:00:00:00:{number:02x}"
    for stage in (Stage.DISCOVER, Stage.NBP, Stage.SCRIPT):
        machine = inventory.observe(sighting(mac), stage)
        await asyncio.sleep(0)
    while machine.assignment is None:
        try:
            machine = await inventory.assign(machine.id, PLACE, FLEET)
        except InventoryError as error:
            sys.stderr.write(f"{error}\n")  # another process has the lock
    sys.stdout.write(f"{mac} {machine.title}\n")
    sys.stdout.flush()


async def main(file: Path, first: int, count: int) -> None:
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory), asyncio.TaskGroup() as group:
        for number in range(first, first + count):
            group.create_task(enrol(inventory, number))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
