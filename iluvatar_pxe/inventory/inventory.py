"""The observed state: one immutable snapshot, replaced at every sighting and recorded a moment later."""

from collections import OrderedDict
from datetime import UTC, datetime
from ipaddress import IPv4Address
from types import MappingProxyType
from uuid import uuid4

from iluvatar_pxe.inventory.adopt import Adoption, adopt
from iluvatar_pxe.inventory.recorder import Recorder
from iluvatar_pxe.inventory.store import Store
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine, Snapshot
from iluvatar_pxe.machines.observe import observed
from iluvatar_pxe.machines.sighting import Sighting

MOST_ADDRESSES = 4096
"""Addresses remembered: more than the leases of any home network, and the least recently seen goes first."""


class Inventory:
    """What was seen. Answers from memory alone; the database lags by a fraction of a second, or is away for days.

    Belongs to one event loop. ``await open()``, then ``run()`` in a task group, ``await close()`` after it ended.
    """

    def __init__(self, url: str) -> None:
        """``url`` is SQLAlchemy's, of a SQLite file not opened yet; raises SettingsError for any other."""
        self._by_mac: dict[str, Machine] = {}
        self._snapshot = Snapshot()
        self._macs: OrderedDict[IPv4Address, str] = OrderedDict()
        self._recorder = Recorder(Store(url), self._adopt)

    @property
    def snapshot(self) -> Snapshot:
        """All machines as known now."""
        return self._snapshot

    @property
    def health(self) -> str | None:
        """None when what is seen gets recorded, else one line: file, cause and remedy."""
        return self._recorder.health

    @property
    def dropped_events(self) -> int:
        """How many boot events will never be recorded, because the database was away for too long."""
        return self._recorder.dropped_events

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine last seen at ``address`` since the start, or None; addresses change hands."""
        mac = self._macs.get(address)
        return None if mac is None else self._snapshot.machine(mac)

    def observe(
        self, sighting: Sighting, stage: Stage, *, detail: str = "", size: int = 0, milliseconds: float = 0.0
    ) -> Machine:
        """Take in that a machine came to ``stage`` and return it as now known; neither blocks nor raises.

        ``detail`` says what was served, ``size`` how many bytes of it, ``milliseconds`` how long that took.
        """
        now = datetime.now(UTC)
        machine = self._see(sighting, stage, now)
        self._recorder.record(
            machine,
            BootEvent(
                at=now,
                machine_id=machine.id,
                generation=machine.generation,
                stage=stage,
                detail=detail,
                bytes=size,
                milliseconds=milliseconds,
            ),
        )
        return machine

    def touch(self, sighting: Sighting, stage: Stage) -> Machine:
        """Take in a sighting like ``observe``, but without an event: nothing new happened."""
        machine = self._see(sighting, stage, datetime.now(UTC))
        self._recorder.record(machine)
        return machine

    async def open(self) -> None:
        """Open the database and load the machines, for 5 s at most; without it, boot machines all the same."""
        await self._recorder.open()

    async def run(self) -> None:
        """Record what is observed, until cancelled; opens the database when it is not open."""
        await self._recorder.run()

    async def close(self) -> None:
        """Record what is left, for 3.5 s at most, and close the database. For when ``run`` has ended."""
        await self._recorder.close()

    def _see(self, sighting: Sighting, stage: Stage, now: datetime) -> Machine:
        known = self._snapshot.machine(sighting.mac)
        machine = observed(known, sighting, stage, now=now, fresh_id=uuid4())
        self._replace_snapshot(self._by_mac | dict.fromkeys(machine.macs, machine))
        self.learn_address(sighting)
        return machine

    def _adopt(self, stored: Snapshot) -> Adoption:
        adoption = adopt(self._snapshot, stored)
        self._replace_snapshot(dict(adoption.snapshot.by_mac))
        return adoption

    def _replace_snapshot(self, by_mac: dict[str, Machine]) -> None:
        """``by_mac`` is never changed from now on; copying it is quick because it is a plain dict."""
        self._by_mac = by_mac
        self._snapshot = Snapshot(MappingProxyType(by_mac))

    def learn_address(self, sighting: Sighting) -> None:
        """Remember which machine has an address, when a sighting tells one."""
        if sighting.address is None:
            return
        self._macs[sighting.address] = sighting.mac
        self._macs.move_to_end(sighting.address)
        if len(self._macs) > MOST_ADDRESSES:
            self._macs.popitem(last=False)
