"""What the daemon's inventory holds about the machine that has booted."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.lab_boot import MAC
from iluvatar_pxe.lab.daemon import STATE
from iluvatar_pxe.lab.room.lab import Lab

KERNEL_TO_CONFIG = {"script", "kernel", "initramfs", "config"}


def recorded_stages(lab: Lab, scratch: Path) -> set[str]:
    """Return the stages that the inventory of a daemon that has stopped holds; a copy of it goes to ``scratch``."""
    state = scratch / "state"
    shutil.copytree(lab.namespace.outside(STATE), state)
    query = "SELECT stage FROM boot_events JOIN interfaces USING (machine_id) WHERE mac = ?"
    with closing(sqlite3.connect(state / "inventory.db")) as connection:
        return {stage for (stage,) in connection.execute(query, (MAC,))}
