"""The boot files of Raspberry Pis by TFTP: each gets those of its own image and model, and ERROR 1 for the rest.

It is told so at once: to silence a Pi answers with its timeouts, of 45 s and more.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import BytesSource, FileReply, Source
from iluvatar_pxe.boot.chains.raspberry_pi import CMDLINE, LARGEST_FILE
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import Hold, Plan, ServePiFiles
from iluvatar_pxe.boot.stages import stage_of_pi_file
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.raspberry_pi import PiFile, same_serial
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.cloud_init import instance_id_of
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.raspberry_pi import cmdline_txt, seed_arguments
from iluvatar_pxe.values import replace

ASSIGN_SECONDS = 3.0
"""How long a Pi waits for its name: a commit takes more than a second, and a file that is refused it asks for at its next boot."""
_LONGEST_CMDLINE = 4096


class PiFiles:
    """Opens files for Pis; ``on_request(mac)`` hears of every Pi that asks."""

    def __init__(self, booters: Booters, on_request: Callable[[str], None]) -> None:
        self._booters = booters
        self._on_request = on_request

    async def open(self, asked: PiFile, client: IPv4Address, links: Links) -> FileReply | None:
        """Return the file that a Pi may have by this name; None where it may not, or is no Pi that is known.

        Gives the Pi its place first if that is due.
        """
        found = self._asker(asked, client)
        if found is None:
            return None
        booter, machine = found
        for mac in machine.macs if booter is self._booters.real else ():
            self._on_request(mac)
        sighting = _sighting(booter, machine, client)
        doubt = _refusal(booter, machine, sighting, asked)
        if doubt is None:
            return None
        if asked.serial and not machine.serial:
            sighting = replace(sighting, serial=asked.serial)
            booter.inventory.touch(sighting, machine.reached)
        decision = await booter.settle(sighting, doubt, seconds=ASSIGN_SECONDS)
        if not isinstance(decision.plan, ServePiFiles):
            _decline(booter, decision)
            return None
        source: Source | None
        if asked.file == CMDLINE:
            seed = _seed(booter, decision.plan, decision.case.machine, links, doubt)
            source = await _cmdline(booter, decision.plan, seed, client)
        else:
            source = await _source(booter, decision.plan, asked.file, client)
        return FileReply(source, partial(_fetched, booter, decision, asked.file)) if source else None

    def _asker(self, asked: PiFile, client: IPv4Address) -> tuple[Booter, Machine] | None:
        """Return the Pi that asks for a file, and the booter that serves it; None when it is no Pi that is known."""
        real, simulated = self._booters.real, self._booters.simulated
        machine = real.machine_at(client)
        is_simulated = self._booters.facing_address(client) is not real
        if machine and machine.firmware is Firmware.RASPBERRY_PI and not is_simulated:
            return real, machine
        pretender = _simulated(simulated, asked, client)
        return (simulated, pretender) if pretender else None


def _refusal(booter: Booter, machine: Machine, sighting: Sighting, asked: PiFile) -> str | None:
    """Return what speaks against its being the Pi, empty when nothing does; None, and a log line, where it is not."""
    trust = booter.trust.of(sighting, machine)
    if trust.itself and _is_its_own(asked, machine, booter):
        return trust.doubt
    why = trust.doubt or f"{asked.serial or asked.mac}/ is another machine's"
    client = str(sighting.address)
    complain("pi.refused", logging.INFO, mac=sighting.mac, client=client, file=asked.file, why=why)
    return None


def _fetched(booter: Booter, decision: Decision, file: str, size: int, milliseconds: float) -> bool:
    """Record a file that was fetched, if it is a stage of the boot: ``config.txt`` with the plan that it was made of."""
    stage, machine = stage_of_pi_file(file), decision.case.machine
    if stage is Stage.SCRIPT:
        booter.journal.served(decision, stage, file, size=size, milliseconds=milliseconds)
    elif stage and machine:
        booter.journal.fetched(machine, stage, file, size=size, milliseconds=milliseconds)
    return True


def _decline(booter: Booter, decision: Decision) -> None:
    """Record why a Pi gets nothing: in full at first, then once in a boot.

    It counts as no stage of its boot, or each of a waiting Pi's tries, several in a minute and for weeks, would
    be a boot to record.
    """
    machine, why = decision.case.machine, decision.plan.why
    if machine is None:
        return
    if machine.furthest < Stage.SCRIPT:
        booter.journal.served(decision, Stage.SCRIPT, Happening.DECLINED.value)
    elif booter.journal.is_first(machine, (Happening.DECLINED, _cause(decision.plan))):
        booter.inventory.note(machine.id, Happening.DECLINED, why)
        title = title_of(machine, booter.applied.fleet)
        complain("pi.declined", logging.INFO, machine=title, mac=decision.case.sighting.mac, why=why)


def _cause(plan: Plan) -> str:
    """Return why a Pi gets nothing, but not how far a download is: that differs each time."""
    lack = plan.lack if isinstance(plan, Hold) else None
    return lack.file if lack and lack.under_way else plan.why


def _sighting(booter: Booter, machine: Machine, client: IPv4Address) -> Sighting:
    """Return what is known of the Pi, asking by the card that the kernel has for its address."""
    neighbour = booter.trust.mac_of(client)
    mac = neighbour if neighbour in machine.macs else machine.macs[0]
    return replace(sighting_of(machine), mac=mac, address=client, neighbour=neighbour)


def _simulated(booter: Booter, asked: PiFile, client: IPv4Address) -> Machine | None:
    """Return the simulated Pi that asks; several may share an address, and are told apart by their prefix."""
    at = booter.machine_at(client)
    if at is None:
        return None
    known = [one for one in booter.inventory.snapshot.by_id.values() if one.firmware is Firmware.RASPBERRY_PI]
    named = (one for one in known if asked.mac in one.macs or (asked.serial and asked.serial == one.serial))
    return next(named, at if at in known else None)


def _is_its_own(asked: PiFile, machine: Machine, booter: Booter) -> bool:
    """Say whether a prefix is this machine's; a serial number that it has not told is, unless it is another's."""
    if asked.mac:
        return asked.mac in machine.macs
    if not asked.serial:
        return True
    if machine.serial:
        return same_serial(machine.serial, asked.serial)
    return not booter.inventory.snapshot.with_serial(asked.serial)


async def _source(booter: Booter, plan: ServePiFiles, file: str, client: IPv4Address) -> Source | None:
    disclosure = booter.handout.disclosure
    shown = disclosure.plan(plan, client)
    if file == "config.txt" and isinstance(shown, ServePiFiles):
        return BytesSource(booter.handout.pi_texts.config_txt(shown).encode())
    if file not in plan.files:
        return None
    if plan.installs and file == plan.initramfs and booter.provisioning:
        return BytesSource(await booter.provisioning.initramfs(plan.files[file]))
    source = await booter.open(plan.files[file])
    if source and source.size > LARGEST_FILE:
        complain("pi.large_file", file=plan.files[file], bytes=source.size, most=LARGEST_FILE)
    return source


async def _cmdline(
    booter: Booter, plan: ServePiFiles, seed: Sequence[str], client: IPv4Address
) -> BytesSource:
    """Return ``cmdline.txt``; ``seed`` are arguments that say where the Pi's configuration is."""
    text = cmdline_txt(plan, await _own_cmdline(booter, plan), seed).rstrip("\n")
    return BytesSource(f"{booter.handout.disclosure.arguments(text, client)}\n".encode())


def _seed(
    booter: Booter, plan: ServePiFiles, machine: Machine | None, links: Links, doubt: str
) -> tuple[str, ...]:
    """Return the kernel arguments that say where a Pi's configuration is; none where it may be another Pi that asks.

    Such a Pi boots nevertheless: older firmware that misses a file waits for its plug to be pulled. Without a ticket its
    system gets nothing, and a restart, for which it asks by DHCP, clears the doubt.
    """
    if plan.config is None or machine is None or booter.cloud_init is None:
        return ()
    if doubt:
        complain("pi.no_ticket", machine=plan.name, mac=machine.macs[0], why=doubt)
        return ()
    url = links.seed(booter.cloud_init.tickets.mint(machine))
    seeded = plan.installs and booter.installs is not None
    return seed_arguments(url, instance_id_of(machine), seeded=seeded)


async def _own_cmdline(booter: Booter, plan: ServePiFiles) -> str:
    """Return the image's ``cmdline.txt``, or an empty text where it has none."""
    source = await booter.store.open(plan.cmdline)
    if source is None:
        return ""
    try:
        return (await source.read(0, min(source.size, _LONGEST_CMDLINE))).decode("ascii", "replace")
    finally:
        await source.close()
