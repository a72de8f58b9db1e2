"""Run by test_full_disk.py in a mount namespace of its own: a real filesystem fills up and is cleared again.

Prints what the test expects to read; argument: a directory to mount a small tmpfs on.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

from inventory.samples import rows, running, sighting, until, url_of

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage

BLOCK = 4096


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as handle:
        try:
            while handle.write(b"\0" * BLOCK):
                pass
        except OSError:
            return


def remount(directory: Path, option: str) -> None:
    """Make a filesystem read-only (``ro``; no file on it may be open for writing) or writable again (``rw``)."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(directory)], check=True)


def observe(inventory: Inventory, machines: range) -> None:
    for number in machines:
        mac = f"52:54:00:00:00:{number:02x}"
        inventory.observe(sighting(mac), Stage.DISCOVER, detail="x" * BLOCK)


async def fills_up_while_running(directory: Path) -> None:
    file, filler = directory / "inventory.db", directory / "filler"
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        observe(inventory, range(1))
        await until(lambda: rows(file, "SELECT * FROM machines"))
        fill(filler)
        observe(inventory, range(1, 100))
        await until(lambda: inventory.health)
        sys.stdout.write(f"{inventory.health}\n{len(inventory.snapshot.by_id)} machines known\n")
        filler.unlink()
        await until(lambda: inventory.health is None)
    sys.stdout.write(f"{rows(file, 'SELECT count(*) FROM boot_events')[0][0]} events recorded\n")


async def full_from_the_start(directory: Path) -> None:
    file, filler = directory / "state" / "inventory.db", directory / "filler"
    fill(filler)
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        observe(inventory, range(10))
        sys.stdout.write(f"{inventory.health}\n{len(inventory.snapshot.by_id)} machines known\n")
        filler.unlink()
        await until(lambda: inventory.health is None)
    sys.stdout.write(f"{rows(file, 'SELECT count(*) FROM boot_events')[0][0]} events recorded\n")


async def read_only_at_the_start(directory: Path) -> None:
    file = directory / "inventory.db"
    before = Inventory(url_of(file))
    await before.open()
    await before.close()
    remount(directory, "ro")
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        observe(inventory, range(10))
        await until(lambda: inventory.health)
        sys.stdout.write(f"{inventory.health}\n{len(inventory.snapshot.by_id)} machines known\n")
        remount(directory, "rw")
        await until(lambda: inventory.health is None)
    sys.stdout.write(f"{rows(file, 'SELECT count(*) FROM boot_events')[0][0]} events recorded\n")


if __name__ == "__main__":
    where = Path(sys.argv[2])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(where)], check=True)
    scenarios = (fills_up_while_running, full_from_the_start, read_only_at_the_start)
    asyncio.run({scenario.__name__: scenario for scenario in scenarios}[sys.argv[1]](where))
