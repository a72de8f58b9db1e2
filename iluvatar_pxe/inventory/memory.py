"""What is known now, in memory, and queued for the database at the moment it changes."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import UUID, uuid4

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.naming import Naming
from iluvatar_pxe.inventory.repeats import FRESH, SOON, Repeats, is_within
from iluvatar_pxe.machines.adopt import adopt
from iluvatar_pxe.machines.boots import DHCP, Happening, Stage
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import NOT_LISTED, BootEvent, Listed, Machine, Snapshot
from iluvatar_pxe.machines.observe import Step
from iluvatar_pxe.machines.recognise import recognise
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Assignment, Phase
from iluvatar_pxe.values import replace

MOST_ADDRESSES = 4096
"""Addresses remembered: more than the leases of any home network, and the least recently seen goes first."""
MOST_PASSING = 4096
"""More than the devices of any home network; each takes about 2 KB of memory and 1 KB of the database."""
PASSING_SECONDS = 24 * 3600.0
"""For how long one is remembered after it was heard of last."""
_FIRST_ASKED = frozenset({Stage.SCRIPT, Stage.CONFIRM})
"""What a machine has come to that asks here what to boot; one that another daemon booted reports later stages first."""


def wall_clock() -> datetime:
    """Return the time as the database keeps it: in UTC, and in milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Memory:
    """One snapshot, replaced at every change; every change is queued in ``pending`` too. Belongs to one event loop."""

    def __init__(
        self,
        pending: Pending,
        clock: Callable[[], float],
        changed: Changed,
        renamed: Changed,
        events: EventLog,
    ) -> None:
        """``clock`` is a monotonic one, in seconds; see ``Inventory`` for what ``changed`` and ``renamed`` tell."""
        self.snapshot = Snapshot()
        self._naming = Naming(renamed)
        self._repeats = Repeats()
        self._events = events
        self._changed = changed
        self._pending = pending
        self._clock = clock
        self._passers = Transients()
        self._macs: Recent[IPv4Address, str] = Recent(MOST_ADDRESSES)
        self._asked: dict[UUID, float] = {}

    def machine(self, machine_id: UUID) -> Machine:
        """Return a machine; raises InventoryError when it is no more."""
        found = self.snapshot.machine_with_id(machine_id)
        if found is None:
            raise InventoryError(
                f"machine {machine_id}: no longer exists (forgotten or merged); list the machines again"
            )
        return found

    def current(self, known: Machine) -> Machine:
        """Return a machine, or the one that has turned out since to be it; raises InventoryError when it is no more."""
        found = self.snapshot.machine_with_id(known.id) or self.snapshot.machine(known.macs[0])
        return found or self.machine(known.id)

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine last seen at ``address`` since the start, or None; addresses change hands."""
        mac = self._macs.get(address)
        return None if mac is None else self.snapshot.machine(mac)

    def asked_within(self, machine_id: UUID, seconds: float) -> bool:
        """Say whether the machine asked for a boot by DHCP so lately."""
        asked = self._asked.get(machine_id)
        return asked is not None and self._clock() - asked <= seconds

    def see(self, sighting: Sighting, step: Step, *, vouched: bool, listed: Listed = NOT_LISTED) -> Machine:
        """Take in a sighting, and record what happened besides the stage; return the machine as now known."""
        machine = None
        if not step.chain:  # it is counted, though asked for in the same words while it was held
            machine = self._repeats.find(sighting, step.stage, self.snapshot, listed, vouched=vouched)
        if machine is None:
            machine = self._recognise(sighting, step, vouched=vouched, listed=listed)
        else:
            machine = self._heard(machine, step, listed)
            self._repeats.keep(sighting, step.stage, machine, listed, self.snapshot, vouched=vouched)
        self._note_asked(sighting, step.stage, machine, listed)
        if vouched or not sighting.macs:
            self.learn_address(sighting)
        return machine

    def hear(self, machine_id: UUID, sighting: Sighting, step: Step, listed: Listed) -> Machine:
        """Take in a DHCP message as ``see`` does, of which it is known whose it is and that it tells nothing new.

        Raises InventoryError when the machine is no more.
        """
        machine = self._heard(self.machine(machine_id), step, listed)
        self._note_asked(sighting, step.stage, machine, listed)
        return machine

    def _note_asked(self, sighting: Sighting, stage: Stage, machine: Machine, listed: Listed) -> None:
        is_sure = sighting.mac not in machine.unsure or sighting.mac in listed.macs
        if stage in DHCP and sighting.from_nowhere and is_sure:
            self._asked[machine.id] = self._clock()

    def _recognise(self, sighting: Sighting, step: Step, *, vouched: bool, listed: Listed) -> Machine:
        seen = recognise(sighting, step, self.snapshot, uuid4(), vouched=vouched, listed=listed)
        known = self.snapshot.machine_with_id(seen.machine.id)
        if known and not seen.merges and seen.machine.is_as(known):
            machine = self._heard(known, step, listed)
            self._repeats.keep(sighting, step.stage, machine, listed, vouched=vouched)
        else:
            machine = seen.machine
            for merge in seen.merges:
                self.absorb(merge)
            for other in seen.disputed:
                self.put(other)
            self.put(machine)
            self._naming.heard(machine, listed.macs, self.snapshot)
        for other, happening, detail in seen.happened:
            self.note(other.id, happening, detail)
        return machine

    def _heard(self, machine: Machine, step: Step, listed: Listed) -> Machine:
        """Take in that a machine was heard of again, as it is known; return it with the time, which is not exact."""
        if not is_within(FRESH, step.now, machine.last_seen):
            is_news = not is_within(SOON, step.now, machine.last_seen)
            machine = machine.seen_at(step.now)
            self.snapshot = self.snapshot.with_seen(machine)
            self._naming.heard(machine, listed.macs, self.snapshot)
            if is_news:
                self._pending.add(machine)
                self._changed.tell()
            else:
                self._pending.add_later(machine)
        if dropped := self._passers.note(machine, self._clock()):
            self.remove(dropped)
        return machine

    def put(self, machine: Machine) -> None:
        """Take in what a machine is now, and drop those that pass by and find no room."""
        before = self.snapshot.machine_with_id(machine.id)
        self._replace(self.snapshot.with_machine(machine))
        self._naming.put(before, machine)
        self._pending.add(machine, new=before is None)
        self._publish_change(before, machine)
        if dropped := self._passers.note(machine, self._clock()):
            self.remove(dropped)

    def absorb(self, merge: Merge) -> None:
        """Take in a merge, whose survivor is put next."""
        self._events.publish(
            EventKind.MACHINE_GONE, str(merge.absorbed), "it is another machine", survivor=str(merge.survivor)
        )
        self._naming.remove(self.snapshot.machine_with_id(merge.absorbed))
        self._replace(self.snapshot.without(merge.absorbed))
        self._pending.merge(merge)
        self._passers.leave(merge.absorbed)
        asked = self._asked.pop(merge.absorbed, None)
        if asked is not None:
            self._asked[merge.survivor] = max(asked, self._asked.get(merge.survivor, asked))

    def remove(self, machine_id: UUID) -> None:
        """Take in that a machine is no more."""
        self._events.publish(EventKind.MACHINE_GONE, str(machine_id), "it is no more")
        self._naming.remove(self.snapshot.machine_with_id(machine_id))
        self._replace(self.snapshot.without(machine_id))
        self._pending.remove(machine_id)
        self._passers.leave(machine_id)
        self._asked.pop(machine_id, None)

    def assigned(self, known: Machine, assignment: Assignment) -> Machine:
        """Take in what the database says that a machine is assigned; return the machine.

        ``known`` is how the machine was before. If it has turned out since to be another one, it is that one's,
        unless that has its own. If it was forgotten since, its name stays taken.
        """
        machine = self.current(known)
        if machine.id == known.id or machine.assignment is None:
            phase = Phase.ASSIGNED if machine.phase is Phase.DISCOVERED else machine.phase
            machine = replace(machine, assignment=assignment, phase=phase)
            self.put(machine)
        return machine

    def released(self, machine_id: UUID, why: str) -> None:
        """Take in that a machine has no name and no role any more."""
        machine = self.snapshot.machine_with_id(machine_id)
        if machine is None or machine.assignment is None:
            return
        phase = Phase.DISCOVERED if machine.phase is Phase.ASSIGNED else machine.phase
        name = machine.assignment.name
        machine = replace(machine, assignment=None, phase=phase)
        self.put(machine)
        self.record(machine, Happening.CHANGED, f"{name} is no longer its name", why)

    def note(self, machine_id: UUID, happening: Happening, detail: str, cause: str = "") -> None:
        """Record what happened in a machine's boot besides a stage; raises InventoryError when it is no more."""
        self.record(self.machine(machine_id), happening, detail, cause)

    def record(
        self,
        machine: Machine,
        stage: Stage | Happening,
        detail: str,
        cause: str = "",
        size: int = 0,
        milliseconds: float = 0.0,
    ) -> None:
        """Queue an event of a machine's boot under way."""
        event = BootEvent(
            at=wall_clock(),
            machine_id=machine.id,
            generation=machine.generation,
            stage=stage,
            detail=detail,
            cause=cause,
            bytes=size,
            milliseconds=milliseconds,
        )
        self._pending.add(machine, event)
        self._publish(machine, event)

    def _publish_change(self, before: Machine | None, machine: Machine) -> None:
        if before is None:
            self._events.publish(EventKind.MACHINE_NEW, str(machine.id), f"{machine.title} is new")
        if (before is None or before.furthest < Stage.SCRIPT) and machine.furthest in _FIRST_ASKED:
            self._events.publish(
                EventKind.MACHINE_KNOWN, str(machine.id), f"{machine.title} asks for the first time"
            )
        if before and before.phase is not machine.phase:
            self._events.publish(
                EventKind.MACHINE_PHASE,
                str(machine.id),
                f"{machine.title} is {machine.phase}",
                phase=machine.phase,
                before=before.phase,
            )

    def _publish(self, machine: Machine, event: BootEvent) -> None:
        is_stage = isinstance(event.stage, Stage)
        name = event.stage.label if isinstance(event.stage, Stage) else event.stage.value
        self._events.publish(
            EventKind.BOOT_STAGE if is_stage else EventKind.BOOT_HAPPENING,
            str(machine.id),
            f"{machine.title}: {name} {event.detail}".rstrip(),
            stage=name,
            boot=event.generation,
            detail=event.detail,
            cause=event.cause,
            bytes=event.bytes,
            milliseconds=event.milliseconds,
        )

    def learn_address(self, sighting: Sighting) -> None:
        """Remember which machine has an address, when a sighting tells one."""
        if sighting.address is not None:
            self._macs.put(sighting.address, sighting.mac)

    def drop_expired(self) -> None:
        """Drop machines that passed by a day ago."""
        for machine_id in self._passers.expired(self._clock()):
            self.remove(machine_id)

    def adopt(self, stored: Snapshot) -> None:
        """Unite what is known with what the database holds."""
        adoption = adopt(self.snapshot, stored, self._pending.gone)
        for merge in adoption.merges:
            self.absorb(merge)
        self._replace(adoption.snapshot)
        self._naming.resume(adoption.snapshot.by_id.values())
        for machine in adoption.unwritten:
            self._pending.add(machine)
        for machine_id in self._passers.resume(
            self.snapshot.by_id.values(), self._clock(), datetime.now(UTC)
        ):
            self.remove(machine_id)

    def forget_everything(self) -> None:
        """Forget everything: another database is used from now on."""
        self._replace(Snapshot())
        self._naming.resume(())
        self._pending.clear()

    def _replace(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._changed.tell()


class Transients:
    """Ids of transient machines: they asked for a boot by DHCP, never came further, and nobody decided about them.

    A guest's laptop asks like this, and so does a program that makes up 5,000 MACs in a minute. So they are kept for a
    day, and only so many of them: the least recently heard of first. Time is the monotonic clock's, in seconds.
    """

    def __init__(self) -> None:
        self._heard: Recent[UUID, float] = Recent(MOST_PASSING)

    def note(self, machine: Machine, now: float) -> UUID | None:
        """Take in that a machine was heard of; return the one for which there is no room any more, or None."""
        if not machine.transient:
            self.leave(machine.id)
            return None
        dropped = self._heard.put(machine.id, now)
        return dropped[0] if dropped else None

    def leave(self, machine_id: UUID) -> None:
        """Take in that a machine is no more, or passes by no longer."""
        self._heard.pop(machine_id)

    def expired(self, now: float) -> list[UUID]:
        """Return those that were not heard of for a day, and forget them."""
        gone = []
        while (oldest := self._heard.oldest()) and now - oldest[1] >= PASSING_SECONDS:
            self._heard.pop(oldest[0])
            gone.append(oldest[0])
        return gone

    def resume(self, machines: Iterable[Machine], now: float, wall: datetime) -> list[UUID]:
        """Start over with these machines, at ``wall`` by the wall clock; return those for which there is no room.

        Their age by that clock counts, but as a day at most and never as less than nothing: the clock may have jumped.
        """
        passing = sorted((one for one in machines if one.transient), key=lambda one: one.last_seen)
        ages = {one.id: (wall - one.last_seen).total_seconds() for one in passing}
        heard = {id_: now - min(max(age, 0.0), PASSING_SECONDS) for id_, age in ages.items()}
        self._heard = Recent(MOST_PASSING)
        dropped = (self._heard.put(*item) for item in sorted(heard.items(), key=lambda item: item[1]))
        return [one[0] for one in dropped if one]
