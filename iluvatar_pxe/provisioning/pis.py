"""The boot files of Raspberry Pis by TFTP: each gets those of its own image and model, and ERROR 1 for the rest.

It is told so at once: to silence a Pi answers with its timeouts, of 45 s and more.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import BytesSource, Source
from iluvatar_pxe.boot.chains.raspberry_pi import LARGEST_FILE
from iluvatar_pxe.boot.plan import Plan, ServePiFiles
from iluvatar_pxe.boot.stages import stage_of_pi_file
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.raspberry_pi import PiFile, same_serial
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.repeats import Repeats
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.raspberry_pi import cmdline_txt, config_txt

ASSIGN_SECONDS = 3.0
"""How long a Pi waits for its name: a commit takes more than a second, and a file that is refused it asks for at its next boot."""
_LONGEST_CMDLINE = 4096


class PiFiles:
    """Opens files for Pis and records what was fetched; ``on_request(mac)`` hears of every Pi that asks."""

    def __init__(self, booter: Booter, on_request: Callable[[str], None]) -> None:
        self._booter = booter
        self._on_request = on_request
        self._said = Repeats()

    def asker(self, asked: PiFile, client: IPv4Address) -> tuple[Booter, Machine] | None:
        """Return the Pi that asks for a file, and the booter where it is served; None when it is no Pi that is known."""
        machine = self._booter.machine_at(client)
        is_played = self._booter.facing_address(client) is not self._booter
        if machine and machine.firmware is Firmware.RASPBERRY_PI and not is_played:
            return self._booter, machine
        if self._booter.rehearsal is None:
            return None
        played = _simulated(self._booter.rehearsal, asked, client)
        return (self._booter.rehearsal, played) if played else None

    async def open(
        self, booter: Booter, machine: Machine, asked: PiFile, client: IPv4Address
    ) -> Source | None:
        """Return the file that a Pi may have by this name, or None; gives the Pi its place first if that is due."""
        for mac in machine.macs if booter is self._booter else ():
            self._on_request(mac)
        sighting = _sighting(booter, machine, client)
        trust = booter.trust(sighting)
        if not trust.itself or not _is_its_own(asked, machine, booter):
            why = trust.doubt or f"{asked.serial or asked.mac}/ is another machine's"
            complain(
                "pi.refused", logging.INFO, mac=sighting.mac, client=str(client), file=asked.file, why=why
            )
            return None
        if asked.serial and not machine.serial:
            sighting = replace(sighting, serial=asked.serial)
            booter.inventory.touch(sighting, machine.reached)
        plan = await booter.settle(sighting, trust.doubt, seconds=ASSIGN_SECONDS)
        if isinstance(plan, ServePiFiles):
            return await _source(booter, plan, asked.file, client)
        self._decline(booter, sighting, plan)
        return None

    def record(self, booter: Booter, machine: Machine, file: str, size: int, milliseconds: float) -> None:
        """Record a file that was fetched, if it is a stage of the boot."""
        stage = stage_of_pi_file(file)
        if stage is None:
            return
        plan = booter.plan(sighting_of(machine)) if stage is Stage.SCRIPT else None
        chain = plan.chain if isinstance(plan, ServePiFiles) else ""
        why = plan.why if plan else ""
        booter.record(
            sighting_of(machine), stage, file, size=size, milliseconds=milliseconds, why=why, chain=chain
        )

    def _decline(self, booter: Booter, sighting: Sighting, plan: Plan) -> None:
        """Record why a Pi gets nothing: in full at first, then once in a boot.

        It counts as no stage of its boot, or each of a waiting Pi's tries, several in a minute and for weeks, would
        be a boot to record.
        """
        machine = booter.inventory.snapshot.machine(sighting.mac)
        if machine is None:
            return
        if machine.furthest < Stage.SCRIPT:
            booter.record(sighting, Stage.SCRIPT, Happening.DECLINED.value, why=plan.why)
        elif self._said.first(machine.id, machine.generation, plan.why):
            booter.inventory.note(machine.id, Happening.DECLINED, plan.why)
            title = title_of(machine, booter.fleet)
            complain("pi.declined", logging.INFO, machine=title, mac=sighting.mac, why=plan.why)


def _sighting(booter: Booter, machine: Machine, client: IPv4Address) -> Sighting:
    """Return what is known of the Pi, asking by the card that the kernel has for its address."""
    neighbour = booter.mac_of(client)
    mac = neighbour if neighbour in machine.macs else machine.macs[0]
    return replace(sighting_of(machine), mac=mac, address=client, neighbour=neighbour)


def _simulated(booter: Booter, asked: PiFile, client: IPv4Address) -> Machine | None:
    """Return the simulated Pi that asks; several may share an address, and are told apart by their prefix."""
    known = [one for one in booter.inventory.snapshot.by_id.values() if one.firmware is Firmware.RASPBERRY_PI]
    named = (one for one in known if asked.mac in one.macs or (asked.serial and asked.serial == one.serial))
    at = booter.machine_at(client)
    return next(named, at if at in known else None)


def _is_its_own(asked: PiFile, machine: Machine, booter: Booter) -> bool:
    """Say whether a prefix is this machine's; a serial number that it has not told is, unless it is another's."""
    if asked.mac:
        return asked.mac in machine.macs
    if not asked.serial:
        return True
    if machine.serial:
        return same_serial(machine.serial, asked.serial)
    machines = booter.inventory.snapshot.by_id.values()
    return not any(same_serial(one.serial, asked.serial) for one in machines)


async def _source(booter: Booter, plan: ServePiFiles, file: str, client: IPv4Address) -> Source | None:
    shown = booter.hand_out(plan, client)
    if file == "config.txt" and isinstance(shown, ServePiFiles):
        return BytesSource(config_txt(shown).encode())
    if file == "cmdline.txt":
        text = cmdline_txt(plan, await _own_cmdline(booter, plan)).rstrip("\n")
        return BytesSource(f"{booter.hand_out_cmdline(text, client)}\n".encode())
    if file not in plan.files:
        return None
    source = await booter.catalogue.open(f"{plan.folder}/{file}")
    if source and source.size > LARGEST_FILE:
        complain("pi.large_file", file=f"{plan.folder}/{file}", bytes=source.size, most=LARGEST_FILE)
    return source


async def _own_cmdline(booter: Booter, plan: ServePiFiles) -> str:
    """Return the image's ``cmdline.txt``, or an empty text where it has none."""
    source = await booter.catalogue.open(f"{plan.folder}/cmdline.txt")
    if source is None:
        return ""
    try:
        return (await source.read(0, min(source.size, _LONGEST_CMDLINE))).decode("ascii", "replace")
    finally:
        await source.close()
