"""Observed and assigned state: one immutable snapshot, replaced at every change and recorded shortly after."""

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import structlog

from iluvatar_pxe.boot.assign import PlaceRequest, Reservation
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database import files, read_only
from iluvatar_pxe.inventory.database.assign import read_retired, retire
from iluvatar_pxe.inventory.database.assignments import Assignments
from iluvatar_pxe.inventory.database.commits import CommitRecord, write_commit
from iluvatar_pxe.inventory.database.fleet_history import PastCommit
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.recorder import Recorder
from iluvatar_pxe.inventory.database.rows import Row, assignment_row
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.kept_window import KeptWindow
from iluvatar_pxe.inventory.memory import Memory, wall_clock
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.merge import merge, split
from iluvatar_pxe.machines.model import NOT_LISTED, Listed, Machine, Snapshot
from iluvatar_pxe.machines.observe import Step
from iluvatar_pxe.machines.recognise import merge_text
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.values import replace

TICK_SECONDS = 60.0
"""How often the enrolment window is written down and machines that passed by are dropped."""
FILE_SECONDS = 50.0
"""How long a backup may take, or putting another file in the database's place: SD cards are slow."""

T = TypeVar("T")
_log = structlog.get_logger()


class Inventory:
    """Observed machines and their assignments. Answers from memory; the database follows.

    What was observed lags by a fraction of a second, or is queued for days where the database is away; when a machine
    was last seen is known to the second, and where it asks again and again, written once a minute. What is
    assigned or changed by people is written before it is applied. Those methods, which are awaited, raise
    InventoryError within 5 s where they cannot be carried out, and go on to the end when their caller gives up.

    Belongs to one event loop. ``await open()``, then ``run()`` in a task group, ``await close()`` after it ended.
    """

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, events: EventLog | None = None
    ) -> None:
        """``url`` is SQLAlchemy's, of a SQLite file not opened yet; raises SettingsError for any other.

        ``events`` is told of machines that are new or gone, and of all that happens in their boots.
        """
        self.changed = Changed()
        """Told when the snapshot is replaced, and when the window is opened or closed; not when its time is up.

        Not either when a machine that was seen within 10 s is seen again, and nothing else is new of it.
        """
        self.renamed = Changed()
        """Told when names, addresses, phases, roles or NICs of machines may be others, so that names in DNS may be.

        Not when machines are only seen again, unless one thereby takes the place of another at its address.
        """
        self._url = url
        self._store = Store(url)
        self._pending = Pending()
        told = EventLog() if events is None else events
        self._memory = Memory(self._pending, clock, self.changed, self.renamed, told)
        self._recorder = Recorder(self._store, self._pending, self._adopt, self._memory.adopt)
        self._assignments = Assignments(self._memory, self._store, self._recorder)
        self._kept_window = KeptWindow(self._pending, clock, self.changed, self._recorder.wake)
        self.window = self._kept_window.window
        """Whether machines that the fleet does not list may join; closed while there is no database."""

    @property
    def snapshot(self) -> Snapshot:
        """All machines as known now."""
        return self._memory.snapshot

    @property
    def health(self) -> str | None:
        """None when what is seen gets recorded, else one line: file, cause and remedy."""
        return self._recorder.health

    @property
    def unwritten(self) -> int:
        """How many machines' changes wait to be written."""
        return self._pending.machines

    @property
    def dropped_events(self) -> int:
        """How many events of boots were never written, since the start."""
        return self._pending.dropped

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine last seen at ``address`` since the start, or None; addresses change hands."""
        return self._memory.machine_at(address)

    def machines_in(self, network: IPv4Network) -> int:
        """Return how many machines were last seen in a network."""
        return self.snapshot.count_in(network)

    def asked_within(self, machine_id: UUID, seconds: float) -> bool:
        """Say whether the machine asked for a boot by DHCP so lately, and since the start."""
        return self._memory.asked_within(machine_id, seconds)

    def learn_address(self, sighting: Sighting) -> None:
        """Remember which machine has an address, when a sighting tells one."""
        self._memory.learn_address(sighting)

    def observe(
        self,
        sighting: Sighting,
        stage: Stage,
        *,
        vouched: bool = False,
        listed: Listed = NOT_LISTED,
        detail: str = "",
        cause: str = "",
        size: int = 0,
        milliseconds: float = 0.0,
        chain: str = "",
        most_attempts: int = 5,
    ) -> Machine:
        """Take in that a machine came to ``stage`` and return it as now known; neither blocks nor raises.

        ``vouched``: it is certain who spoke, so what an iPXE script reports about NICs and hardware is trusted.
        ``listed`` is what the fleet says of the sender.
        ``detail`` says what was served and ``cause`` why, ``size`` how many bytes of it, ``milliseconds`` how long
        that took; ``chain`` names the boot chain when its script was served, see ``machines.observe.Step``.
        """
        step = Step(stage, wall_clock(), chain, most_attempts)
        machine = self._memory.see(sighting, step, vouched=vouched, listed=listed)
        self._memory.record(machine, stage, detail, cause, size, milliseconds)
        self._recorder.wake()
        return machine

    def touch(
        self, sighting: Sighting, stage: Stage, *, vouched: bool = False, listed: Listed = NOT_LISTED
    ) -> Machine:
        """Take in a sighting like ``observe``, but without the stage's event: nothing new happened."""
        machine = self._memory.see(sighting, Step(stage, wall_clock()), vouched=vouched, listed=listed)
        if self._pending.is_due:
            self._recorder.wake()
        return machine

    def hear(self, machine_id: UUID, sighting: Sighting, stage: Stage, listed: Listed) -> Machine:
        """Take in like ``touch`` a DHCP message that is known to tell nothing new of a machine, and no address.

        Raises InventoryError when the machine is no more.
        """
        machine = self._memory.hear(machine_id, sighting, Step(stage, wall_clock()), listed)
        if self._pending.is_due:
            self._recorder.wake()
        return machine

    def note(self, machine_id: UUID, happening: Happening, detail: str, cause: str = "") -> None:
        """Record what happened in a machine's boot besides a stage; raises InventoryError when it is no more."""
        self._memory.note(machine_id, happening, detail, cause)
        self._recorder.wake()

    def doubt_nic(self, machine_id: UUID, mac: str) -> None:
        """Record that a NIC which is not known to be a machine's asks for what is the machine's."""
        machine = self._memory.machine(machine_id)
        if (doubted := machine.with_unsure(mac)) != machine:
            self._memory.put(doubted)
            self._recorder.wake()

    def note_inspection(self, machine_id: UUID, inspection: Inspection, detail: str = "") -> None:
        """Take in what was read of a machine's hardware; ``detail`` in words, for its boot. Raises InventoryError when it is no more."""
        self._memory.put(replace(self._memory.machine(machine_id), inspection=inspection))
        if detail:
            self._memory.note(machine_id, Happening.INSPECTED, detail)
        self._recorder.wake()

    def note_report(self, machine_id: UUID, report: Report) -> None:
        """Take in what a machine's operating system reports of itself; raises InventoryError when it is no more."""
        self._memory.put(replace(self._memory.machine(machine_id), report=report))
        self._recorder.wake()

    def note_seed(self, machine_id: UUID, seed: Seed) -> None:
        """Take in what a machine was given to configure itself with; raises InventoryError when it is no more."""
        self._memory.put(replace(self._memory.machine(machine_id), seed=seed))
        self._recorder.wake()

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Give a machine its name and role, unless it has what ``place`` says; return it. See ``assigner.assign``."""
        return await self._assignments.assign(self._memory.machine(machine_id), place, fleet)

    async def retired_names(self) -> list[Reservation]:
        """Return the retired names, which stay taken."""

        async def work() -> list[Reservation]:
            return await self._recorder.save_with(partial(read_retired, path=self._store.path))

        return await self._recorder.perform(work, save_first=False)

    async def release(self, machine_ids: Collection[UUID], why: str) -> None:
        """Take the names and roles of machines away; the names stay taken. For what the fleet has taken back."""

        async def work() -> None:
            await self._recorder.save_with(partial(retire, machine_ids=machine_ids))
            for machine_id in machine_ids:
                self._memory.released(machine_id, why)
            await self._recorder.save(durably=True)

        await self._recorder.perform(work, save_first=False)

    async def record_commit(self, record: CommitRecord) -> None:
        """Record that a commit of the fleet was applied or refused."""

        async def work() -> None:
            await self._recorder.save_with(
                lambda connection: write_commit(connection, record, self._store.server_id)
            )

        await self._recorder.perform(work, save_first=False)

    async def past_commits(
        self, *, before: int | None, most: int, most_changes: int
    ) -> tuple[PastCommit, ...]:
        """Return what was recorded of the fleet's commits, the latest first; see ``fleet_history.read_commits``."""
        return await asyncio.to_thread(
            read_only.past_commits, self._url, before=before, most=most, most_changes=most_changes
        )

    async def last_boots(self, machine_id: UUID, most: int) -> tuple[BootRecord, ...]:
        """Return a machine's last boots as far as they are written, the latest first; see ``history.read_boots``."""
        return await asyncio.to_thread(read_only.last_boots, self._url, machine_id, most)

    async def change(
        self,
        machine_id: UUID,
        edit: Callable[[Machine], Machine],
        happening: Happening,
        detail: str,
        by: str,
    ) -> Machine:
        """Change what is wanted or known of a machine, as a person asked for; return it."""

        def work() -> Machine:
            machine = edit(self._memory.machine(machine_id))
            self._memory.put(machine)
            self._memory.record(machine, happening, detail, by)
            return machine

        return await self._command(work)

    async def forget(self, machine_id: UUID, by: str) -> None:
        """Remove a machine and its boots; the name that it was assigned stays taken."""

        def work() -> None:
            machine = self._memory.machine(machine_id)
            self._memory.remove(machine.id)
            _log.info("machine-forgotten", machine=machine.title, macs=machine.macs, by=by)

        await self._command(work)

    async def merge(self, one_id: UUID, other_id: UUID, by: str) -> Machine:
        """Make one machine of two, as a person said that they are; return it."""

        def work() -> Machine:
            one, other = self._memory.machine(one_id), self._memory.machine(other_id)
            if one.id == other.id:
                raise InventoryError(f"{one.title}: both names are the same machine; name two")
            latest = max(one, other, key=lambda machine: machine.last_seen)
            machine, done = merge(one, other, latest.id)
            self._memory.absorb(done)
            self._memory.put(machine)
            absorbed = one if done.absorbed == one.id else other
            self._memory.record(machine, Happening.MERGED, merge_text(absorbed), by)
            return machine

        return await self._command(work)

    async def split(self, machine_id: UUID, mac: str, by: str) -> tuple[Machine, Machine]:
        """Split one NIC off into a separate machine; return what remains, and the new machine."""

        def work() -> tuple[Machine, Machine]:
            whole = self._memory.machine(machine_id)
            try:
                rest, card = split(whole, mac, uuid4())
            except ValueError as error:
                raise InventoryError(str(error)) from error
            self._memory.put(rest)
            self._memory.put(card)
            self._memory.record(rest, Happening.SPLIT, f"{mac} is a separate machine now", by)
            self._memory.record(card, Happening.SPLIT, f"{mac} was a NIC of {rest.title}", by)
            return rest, card

        return await self._command(work)

    async def set_window(self, seconds: float, by: str) -> None:
        """Let machines that the fleet does not list join, for so many seconds from now; 0 closes the window."""
        await self._command(lambda: self._kept_window.set(seconds, by))

    def follow_window(self, stated: EnrolmentFile | None, most_age: float) -> None:
        """Take in when a commit opened or closed the window, ``most_age`` seconds ago at most; None says nothing."""
        self._kept_window.follow(stated, most_age)

    def follow_old_fleet(self) -> None:
        """Take in that the fleet is not new: an inventory that is new then opens no window, as it was lost."""
        self._kept_window.follow_old_fleet()

    async def backup(self, path: Path) -> None:
        """Write a copy of the database; see ``files.backup``. The recording goes on meanwhile."""

        async def written() -> None:
            return

        await self._recorder.perform(written)
        await asyncio.to_thread(files.backup, self._store.path, path)

    async def restore(self, path: Path) -> files.Replaced | None:
        """Put a backup in the database's place; see ``files.restore``.

        What is known then is what the backup tells, and the names that were given since.
        """

        async def work() -> files.Replaced | None:
            replaced = await asyncio.to_thread(files.restore, self._store.path, path, self._names())
            self._memory.forget_everything()
            return replaced

        return await self._recorder.replace(work, FILE_SECONDS)

    async def set_aside(self) -> files.Replaced:
        """Move a damaged file away and begin a new one, with what memory knows; see ``files.set_aside``."""

        async def work() -> files.Replaced:
            replaced = await asyncio.to_thread(files.set_aside, self._store.path, self._names())
            self._kept_window.keep()
            return replaced

        return await self._recorder.replace(work, FILE_SECONDS)

    async def open(self) -> None:
        """Open the database and load the machines, for 5 s at most; without it, boot machines all the same."""
        await self._recorder.open()

    async def run(self) -> None:
        """Record what is observed, until cancelled; opens the database when it is not open."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recorder.run())
            group.create_task(self._tick())

    async def close(self) -> None:
        """Record what is left, for 3.5 s at most, and close the database. For when ``run`` has ended."""
        self._kept_window.save()
        await self._recorder.close()

    def _names(self) -> list[Row]:
        machines = self.snapshot.by_id.values()
        return [assignment_row(one.id, one.assignment) for one in machines if one.assignment]

    async def _command(self, work: Callable[[], T]) -> T:
        """Do what a person asked for once the database answers, and write it before returning."""

        async def done_and_written() -> T:
            result = work()
            try:
                await self._recorder.save(durably=True)
            except InventoryError as error:
                raise InventoryError(
                    f"{error}; the change is applied, and recorded once the database can be written"
                ) from error
            return result

        return await self._recorder.perform(done_and_written)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._memory.drop_expired()
            self._kept_window.tick()
            if self._pending:
                self._recorder.wake()

    def _adopt(self, stored: Stored) -> None:
        self._memory.adopt(stored.snapshot)
        self._kept_window.resume(stored.window)
