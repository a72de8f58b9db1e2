"""One machine that waits in Talos' maintenance mode: its hardware is read, and its configuration given to it.

Nobody vouches for a machine in maintenance mode but the neighbour table, so that is asked again before a secret is sent.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from msgspec import Struct

from iluvatar_pxe.boot.plan import RunScript, ToBeMade
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.errors import IluvatarError, TalosError, TalosRefusedError, TalosUnreachableError
from iluvatar_pxe.fleet.lookup import listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.api.model import ApplyMode
from iluvatar_pxe.layers.arda.api.tls import PORT, Identity, identify
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.install import choice_words, needs_inspection
from iluvatar_pxe.layers.arda.reading import Hardware, read_hardware
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.hardware import contradiction
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Intent, Phase, Role
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.values import replace

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi

MOST_PUSHED = 8192
"""Configurations remembered that were pushed."""
UNSEEN_AFTER, UNSEEN_UNTIL = timedelta(minutes=1), timedelta(hours=1)
"""For how long a machine has asked for nothing when it is looked for, and when it is taken to be switched off."""


_log = structlog.get_logger()


class Waiting(Struct, frozen=True):
    """A machine that runs Talos from memory, and what it is to be."""

    machine: Machine
    wanted: ToBeMade
    address: IPv4Address
    title: str
    booted_here: bool = True
    """False: it may run anything, see ``is_out_of_sight``."""

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"{self.title} ({self.address})"


def runs_talos(machine: Machine) -> bool:
    """Say whether a machine has its kernel and initramfs, and was given no whole configuration in this boot."""
    return machine.phase is Phase.BOOTING and machine.reached >= Stage.INITRAMFS


def is_out_of_sight(machine: Machine, now: datetime) -> bool:
    """Say whether a machine asked for a boot a while ago, and for nothing since.

    Another daemon booted it, which may be gone since, or this one was killed before it had that recorded. Talos then
    waits for its configuration, for which it asks nobody, or reports to the other one that it is installed.
    """
    quiet = now - machine.last_seen
    is_booting = machine.phase in {Phase.DISCOVERED, Phase.ASSIGNED, Phase.BOOTING}
    return is_booting and machine.reached < Stage.INITRAMFS and UNSEEN_AFTER < quiet < UNSEEN_UNTIL


class Maintenance:
    """Asks machines; see ``Inspector`` for when."""

    def __init__(
        self,
        booter: Booter,
        known: Callable[[str], Awaitable[Bundle]],
        hear: Callable[[Machine, IPv4Address], Awaitable[bool]],
        *,
        port: int = PORT,
    ) -> None:
        """``known`` returns the secrets of a layer's cluster that has some, and raises an IluvatarError otherwise.

        ``hear``: see ``SilentMachines``.
        """
        self._booter = booter
        self._inventory = booter.inventory
        self._known = known
        self._hear = hear
        self._port = port
        self._pushed: Recent[tuple[UUID, int, str], str] = Recent(MOST_PUSHED)
        """By machine, boot and hash of the configuration, the answer: none that was answered is pushed again."""
        self._addresses: tuple[Snapshot, Fleet, Mapping[str, IPv4Address | None]] | None = None
        """Those of all members by name, of one moment: every machine is looked at then, one after the other."""

    def waiting(self, machine_id: UUID) -> Waiting | None:
        """Return a machine, if it may be asked and given its configuration now."""
        machine = self._inventory.snapshot.machine_with_id(machine_id)
        if machine is None or machine.conflict:
            return None
        booted_here = runs_talos(machine)
        if not booted_here and not is_out_of_sight(machine, wall_clock()):
            return None
        address = machine.address if booted_here else self._told_address(machine)
        if address is None:
            return None
        plan = self._booter.decide(sighting_of(machine, Firmware.TALOS)).plan
        if not isinstance(plan, RunScript) or not isinstance(plan.config, ToBeMade):
            return None
        title = title_of(machine, self._booter.applied.fleet)
        return Waiting(machine, plan.config, address, title, booted_here)

    def _told_address(self, machine: Machine) -> IPv4Address | None:
        """Return where a machine is that another daemon booted, as its file says where this one has not heard it."""
        fleet, snapshot = self._booter.applied.fleet, self._inventory.snapshot
        kept = self._addresses
        if kept is None or kept[0] is not snapshot or kept[1] is not fleet:
            found = {one.name: one.address for one in members_of(snapshot, fleet)}
            self._addresses = kept = snapshot, fleet, found
        return kept[2].get(title_of(machine, fleet))

    async def attempt(self, waiting: Waiting) -> None:
        """Read the hardware, and give the configuration if the disk is chosen; raises IluvatarError."""
        address = str(waiting.address)
        identity = await identify(address, port=self._port)
        if self._is_another(waiting):
            return
        if not identity.is_maintenance:
            await self._meet_installed(waiting, identity)
            return
        async with talos_api(address, None, name=waiting.title, port=self._port) as api:
            hardware = await read_hardware(api, waiting.label)
            if problem := self._contradiction(waiting, hardware):
                self.hold(waiting, problem)
                return
            known = self._inspection(waiting)
            self._keep(waiting, replace(known, disks=hardware.disks, nics=hardware.nics, problem=""))
            await self._give(waiting, api)

    def hold(self, waiting: Waiting, problem: str) -> None:
        """Keep and tell why the hardware of a machine cannot be read."""
        self._keep(waiting, replace(self._inspection(waiting), problem=problem))

    def _is_another(self, waiting: Waiting) -> bool:
        """Say whether it is not the machine that has the address, as far as its MAC shows that."""
        doubt = self._booter.trust.doubt_of_holder(waiting.machine, waiting.address)
        if doubt:
            self._booter.journal.distrusted(waiting.machine, waiting.address, "Talos API", doubt)
        return bool(doubt)

    async def _meet_installed(self, waiting: Waiting, identity: Identity) -> None:
        """Take in that it is installed already, by another daemon; else tell what it means that it has another Talos."""
        try:
            ours = identity.is_of((await self._known(waiting.wanted.layer)).os.crt)
        except IluvatarError:  # the cluster has no secrets that could be its, or they cannot be opened
            ours = False
        is_kept = waiting.machine.directive.intent is not Intent.REINSTALL
        if ours and is_kept and await self._hear(waiting.machine, waiting.address):
            return
        whose = "this cluster" if ours else "another cluster"
        self.hold(
            waiting,
            f"Talos of {whose} is installed on it, and takes no other configuration; "
            f"to erase it: iluvatar-pxe machines reinstall {waiting.title} --wipe",
        )

    def _contradiction(self, waiting: Waiting, hardware: Hardware) -> str:
        """Return in words why what answers is not the machine that is recorded; empty where it is."""
        machine = waiting.machine
        known, told = nics_of(machine, self._booter.applied.fleet), {nic.mac for nic in hardware.nics}
        trouble = contradiction(machine, hardware)
        if not trouble and not told.intersection((*known, *machine.claimed)):
            trouble = f"the NICs {', '.join(sorted(told)) or '(none)'} instead of {', '.join(known)}"
        if not trouble:
            return ""
        return (
            f"another machine answers at {waiting.address}: it has {trouble}; look which one has that address, "
            f"or boot {waiting.title} again"
        )

    def _inspection(self, waiting: Waiting) -> Inspection:
        """Return what is known, for what is read in this boot."""
        machine = self._inventory.snapshot.machine_with_id(waiting.machine.id) or waiting.machine
        known = machine.inspection or Inspection(at=wall_clock(), boot=0)
        return replace(known, boot=machine.generation)

    def _keep(self, waiting: Waiting, new: Inspection) -> None:
        """Keep and tell what was read, unless that is known."""
        machine = self._inventory.snapshot.machine_with_id(waiting.machine.id)
        if machine is None or machine.inspection == new:
            return
        new = replace(new, at=wall_clock())
        words = choice_words(replace(machine, inspection=new), self._booter.applied.fleet)
        self._inventory.note_inspection(machine.id, new, words)
        log = _log.warning if new.problem else _log.info
        log(
            "machine.inspected",
            machine=waiting.title,
            boot=machine.generation,
            disks=len(new.disks),
            disk=words,
        )

    async def _give(self, waiting: Waiting, api: "TalosApi") -> None:
        """Push the configuration, if the disk is chosen and this is not left to the machine's next boot."""
        fleet, started = self._booter.applied.fleet, time.perf_counter()
        now = self.waiting(waiting.machine.id)
        if now is None or needs_inspection(now.machine, fleet) or self._must_fetch(now):
            return
        made = await self._booter.configurations.make(now.machine, now.wanted, fleet, now.address)
        text, size = made.text, len(made.text.encode())
        now = self.waiting(waiting.machine.id)  # it took time
        if made.partial or now is None or now.address != waiting.address or self._is_another(now):
            return
        mark = (now.machine.id, now.machine.generation, hashlib.sha256(text.encode()).hexdigest())
        if mark in self._pushed:
            return
        try:
            await api.apply(text, ApplyMode.AUTO)
        except TalosUnreachableError:
            raise
        except TalosError as error:
            if isinstance(error, TalosRefusedError):
                self._pushed.put(mark, "refused")
            self._say_once(now, str(error))
            return
        self._pushed.put(mark, "taken")
        milliseconds = (time.perf_counter() - started) * 1000
        self._booter.gave(now.machine, made, f"{now.title}/config.yaml, pushed", size, milliseconds)

    def _must_fetch(self, waiting: Waiting) -> bool:
        """Say whether keys of a control plane would go to a machine that no file lists, which only a ticket may have."""
        listed = listed_as(waiting.machine, self._booter.applied.fleet)
        if waiting.wanted.role is not Role.CONTROLPLANE or listed:
            return False
        self._say_once(
            waiting,
            "no file lists it, so a control plane's keys are not sent to it; restart it to fetch them",
        )
        return True

    def _say_once(self, waiting: Waiting, words: str) -> None:
        """Log and record something, once in a boot."""
        if self._booter.journal.is_first(waiting.machine, words):
            _log.warning("machine.not-configured", machine=waiting.title, why=words)
            self._inventory.note(waiting.machine.id, Happening.INSPECTED, words)
