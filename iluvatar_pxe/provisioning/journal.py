"""The record of boots: every stage of every boot, in the inventory and as one log line."""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from ipaddress import IPv4Address
from uuid import UUID

import structlog

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import Hold, Plan, RunScript, ServePiFiles
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.fleet.lookup import layer_of, name_of, title_of
from iluvatar_pxe.fleet.nics import listed_with, nic_warnings
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.machines.boots import DHCP, QUESTIONS, REPORTED, Happening, Stage, begins_boot
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.boot_meter import BootMeter
from iluvatar_pxe.provisioning.lately import Lately
from iluvatar_pxe.ratelimit import RateLimiter, complain
from iluvatar_pxe.values import replace

MOST_TRANSIENTS = 20
"""Machines that have only asked for a boot by DHCP and are logged within a second: anybody can invent such."""
MOST_REPORTS = 100
"""Stages that machines report and are logged within a second: programs on them can invent such."""
MOST_MACHINES = 8192
"""Machines remembered; the one that repeated itself least lately goes first. What is forgotten is said twice."""
MOST_OF_ONE = 64
"""Different things remembered of one machine's boot; the rest counts as said."""

_log = structlog.get_logger()


class Journal:
    """Records and logs, but not what firmware only repeats: a machine that is held asks every half minute, for weeks."""

    def __init__(
        self,
        inventory: InventoryProtocol,
        applied: Applied,
        *,
        meter: BootMeter | None = None,
        simulated: bool = False,
        events: EventLog | None = None,
    ) -> None:
        """``simulated``: log lines say that these machines are; ``meter`` counts their boots.

        ``events`` is told of those that wait for somebody.
        """
        self._events = EventLog() if events is None else events
        self._inventory = inventory
        self._applied = applied
        self._meter = meter or BootMeter(time.monotonic, simulated=simulated)
        self._marks = {"simulated": True} if simulated else {}
        self._said: Recent[UUID, tuple[int, set[object]]] = Recent(MOST_MACHINES)
        self._lately = Lately(inventory, applied)
        self._transients = RateLimiter(1.0, burst=MOST_TRANSIENTS)
        self._reports = RateLimiter(1.0, burst=MOST_REPORTS)

    def served(
        self,
        decision: Decision,
        stage: Stage,
        detail: str,
        *,
        size: int = 0,
        milliseconds: float = 0.0,
        vouched: bool = False,
        heard: bool = False,
    ) -> Machine:
        """Record that a boot reached a stage because of this decision; return the machine as now known.

        ``heard``: that the machine asks is taken in already, so that only what is new is recorded.
        """
        if machine := self._lately.find(decision, stage, detail):
            return machine
        plan = decision.plan
        is_script = stage in {Stage.SCRIPT, Stage.CONFIRM}
        chain = plan.chain if is_script and isinstance(plan, RunScript | ServePiFiles) else ""
        machine = self._reached(
            (decision.case.sighting, decision.case.machine),
            stage,
            detail,
            (plan.why, chain, size, milliseconds),
            plan=plan,
            vouched=vouched,
            heard=heard,
        )
        if isinstance(plan, Hold) and plan.needs_somebody and decision.case.is_of_fleet:
            self._publish_held(machine, plan.why)
        if stage in DHCP:
            self._lately.keep(decision, stage, detail, machine)
        return machine

    def fetched(
        self,
        machine: Machine,
        stage: Stage,
        detail: str,
        *,
        size: int = 0,
        milliseconds: float = 0.0,
        firmware: Firmware | None = None,
    ) -> Machine:
        """Record that a known machine, as its ``firmware``, fetched a file; return the machine as now known."""
        sighting = sighting_of(machine, firmware)
        return self._reached((sighting, machine), stage, detail, ("", "", size, milliseconds))

    def sending(self, machine: Machine | None, stage: Stage | None) -> AbstractContextManager[None]:
        """Return a block in which a file of a known machine's stage is sent, and then recorded by ``fetched``."""
        return self._meter.sending(machine, stage) if machine and stage else nullcontext()

    def reported(self, machine: Machine, address: IPv4Address, stage: Stage, words: str) -> Machine:
        """Record what a machine's operating system reports from an address, if that is new; return the machine as now known."""
        if stage <= machine.reached and not begins_boot(machine.reached, stage):
            return machine
        sighting = replace(sighting_of(machine, Firmware.TALOS), address=address)
        return self._reached((sighting, machine), stage, words, ("", "", 0, 0.0))

    def happened(self, machine: Machine, happening: Happening, words: str, about: object) -> None:
        """Record and log what a machine's operating system reports besides stages; ``about`` is told once in a boot."""
        if not self.is_first(machine, (happening, about)):
            return
        self._inventory.note(machine.id, happening, words)
        if self._reports.allow(time.monotonic()):
            title, unreported = title_of(machine, self._applied.fleet), self._reports.suppressed
            level = logging.WARNING if happening is Happening.FAULT else logging.INFO
            _log.log(
                level,
                f"machine.{happening}",
                machine=title,
                boot=machine.generation,
                reported=words,
                suppressed=unreported,
            )

    def waiting_in_maintenance(self, machine: Machine) -> None:
        """Log, once for each of its boots, that a machine got a partial configuration: nothing is installed by that."""
        if self.is_first(machine, "maintenance"):
            title = title_of(machine, self._applied.fleet)
            _log.info("boot.maintenance", machine=title, boot=machine.generation, **self._marks)

    def distrusted(self, machine: Machine, address: IPv4Address, asked: str, doubt: str) -> None:
        """Record that something asked in this machine's name that was not it; once for each in a boot."""
        title = title_of(machine, self._applied.fleet)
        complain("untrusted", machine=title, asked=asked, client=str(address), why=doubt)
        self.doubted(machine, address, asked, doubt)

    def doubted(self, machine: Machine, address: IPv4Address, asked: str, doubt: str) -> None:
        """Record the same of what is logged elsewhere."""
        detail = f"{asked} from {address}"
        if self.is_first(machine, (Happening.UNTRUSTED, detail)):
            self._inventory.note(machine.id, Happening.UNTRUSTED, detail, doubt)

    def warn_of_nics(self, machine: Machine) -> None:
        """Log, once for each of its boots, of which NICs only the owner can tell whether they are a machine's."""
        for why in nic_warnings(machine, self._applied.fleet):
            if self.is_first(machine, why):
                title = title_of(machine, self._applied.fleet)
                _log.warning("nic.unsure", machine=title, why=why, **self._marks)

    def _publish_held(self, machine: Machine, why: str) -> None:
        if machine.phase is Phase.FAILED:  # that is an event by itself
            return
        if self.is_first(machine, (EventKind.MACHINE_HELD, why)):
            title = title_of(machine, self._applied.fleet)
            self._events.publish(
                EventKind.MACHINE_HELD, str(machine.id), f"{title} is held: {why}", cause=why
            )

    def is_first(self, machine: Machine, thing: object) -> bool:
        """Say whether ``thing`` is said for the first time in a machine's boot under way, and remember it."""
        boot, said = self._said.get(machine.id) or (machine.generation, set())
        if boot != machine.generation:
            said = set()
        if thing in said or len(said) >= MOST_OF_ONE:
            return False
        said.add(thing)
        self._said.put(machine.id, (machine.generation, said))
        return True

    def _reached(
        self,
        asked: tuple[Sighting, Machine | None],
        stage: Stage,
        detail: str,
        told: tuple[str, str, int, float],
        *,
        plan: Plan | None = None,
        vouched: bool = False,
        heard: bool = False,
    ) -> Machine:
        (sighting, known), (why, chain, size, milliseconds) = asked, told
        was_said = known is not None and self._was_said(known, stage, detail)
        if known and was_said and heard and known.reached >= stage:
            return known
        listed = listed_with(sighting.mac, self._applied.fleet)
        if was_said:
            return self._inventory.touch(sighting, stage, vouched=vouched, listed=listed)
        machine = self._inventory.observe(
            sighting,
            stage,
            vouched=vouched,
            listed=listed,
            detail=detail,
            cause=why,
            size=size,
            milliseconds=milliseconds,
            chain=chain,
            most_attempts=self._applied.fleet.settings.max_attempts,
        )
        self._meter.reached(machine, stage, lambda: layer_of(machine, self._applied.fleet), plan)
        if stage in QUESTIONS:
            self.is_first(machine, (stage, detail))
        facts: dict[str, object] = {"served": detail, "bytes": size, "ms": round(milliseconds, 1)}
        if stage in REPORTED:
            facts = {"reported": detail}
        if why:
            facts["why"] = why
        self._log(machine, sighting, stage, facts)
        return machine

    def _was_said(self, machine: Machine, stage: Stage, detail: str) -> bool:
        boot, said = self._said.get(machine.id) or (0, set())
        repeats = boot == machine.generation and (stage, detail) in said
        return repeats and not begins_boot(machine.reached, stage)

    def _log(self, machine: Machine, sighting: Sighting, stage: Stage, facts: dict[str, object]) -> None:
        facts |= self._marks
        limiter = self._reports if stage in REPORTED else self._transients
        if machine.transient or stage in REPORTED:
            if not limiter.allow(time.monotonic()):
                return
            if unreported := limiter.suppressed:
                facts |= {"suppressed": unreported}
        name, boot = name_of(machine, self._applied.fleet), machine.generation
        _log.info("boot", stage=stage.label, machine=name, mac=sighting.mac, boot=boot, **facts)
