"""Several machines in one lab at the same time: emulated firmware mostly waits."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from support.lab_disk import GREETING
from support.lab_machine import Machine, switch_on

from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab


def mac_of(number: int) -> str:
    return f"52:54:00:77:00:{number:02x}"


def switch_on_all(lab: Lab, kinds: Sequence[str]) -> list[Machine]:
    """Switch on machines with these kinds of firmware; they are numbered from 1 on."""
    numbered = enumerate(kinds, start=1)
    return [switch_on(lab.network, kind, mac_of(number), f"m{number}") for number, kind in numbered]


def at_the_same_time(*steps: Callable[[], object]) -> None:
    """Do all steps, each in a thread, and raise what the first failed one raised."""
    with ThreadPoolExecutor(len(steps)) as pool:
        for future in [pool.submit(step) for step in steps]:
            future.result()


def boots_disk_after(machine: Machine, words: str) -> None:
    """Wait for ``words`` on the screen, and then for the disk.

    In between the network cable is pulled: OVMF has further network entries before the disk, and waits a
    minute in each one for IPv6, which is not what is tested.
    """
    machine.shows(words, BOOT_SECONDS)
    machine.unplug()
    machine.shows(GREETING, BOOT_SECONDS)
