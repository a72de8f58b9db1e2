"""A machine's boots as segments, part by part, and what is unusual in each compared to the earlier ones."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from msgspec import Struct

from iluvatar_pxe.admin.boot_parts import PART_OF, Part
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.events import Event, EventKind
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.values import replace

_SLOWER_BY, _SLOWER_THAN = 0.5, 1000.0
"""A part is slower than usual if it takes half as long again, and a second more."""
_SAME = timedelta(milliseconds=20)
"""An event is told to the log a moment after its time was taken."""
_STAGES = {one.label: one for one in Stage}
_MILLISECOND = timedelta(milliseconds=1)


class Segment(Struct, frozen=True, kw_only=True):
    """One part of one boot; times are in milliseconds, ``start`` from the boot's first event."""

    part: Part
    start: float
    milliseconds: float
    """From the end of the part before to the last event of this one, waiting included."""
    transfer: float = 0.0
    """What of that its files took on the network."""
    bytes: int = 0
    retries: int = 0
    """How often something was asked for again."""
    usual: float | None = None
    """The median of the earlier boots; None if none of them came so far."""

    @property
    def is_slow(self) -> bool:
        """Say whether it took clearly longer than usual."""
        more = self.milliseconds - self.usual if self.usual is not None else 0.0
        return more > max(_SLOWER_THAN, _SLOWER_BY * (self.usual or 0.0))


class Boot(Struct, frozen=True, kw_only=True):
    """One boot. ``missing`` are parts that most earlier boots of its kind had, and this one passed by or never reached."""

    number: int
    started: datetime
    reached: Stage
    is_current: bool
    segments: tuple[Segment, ...]
    missing: tuple[Part, ...] = ()
    to_come: tuple[Part, ...] = ()
    """Of a boot that may still get there."""

    @property
    def milliseconds(self) -> float:
        """How long it took until its last part."""
        return max((one.start + one.milliseconds for one in self.segments), default=0.0)

    def segment(self, part: Part) -> Segment | None:
        """Return the segment of a part, if the boot has one."""
        return next((one for one in self.segments if one.part is part), None)


def boots_of(records: Sequence[BootRecord], current: int) -> tuple[Boot, ...]:
    """Return boots, the latest first like ``records``; ``current`` is the number of the machine's last one."""
    plain = [_boot(one, is_current=one.generation == current) for one in records if one.events]
    return tuple(_compared(boot, plain[place + 1 :]) for place, boot in enumerate(plain))


def boot_data(boot: Boot) -> Data:
    """Return a boot as plain data; times are in milliseconds."""
    return {
        "boot": boot.number,
        "started_at": utc(boot.started),
        "reached": boot.reached.label,
        "current": boot.is_current,
        "milliseconds": boot.milliseconds,
        "parts": [
            {
                "part": one.part.words,
                "start": one.start,
                "milliseconds": one.milliseconds,
                "transfer": one.transfer,
                "bytes": one.bytes,
                "retries": one.retries,
                "usual": one.usual,
                "slower": one.is_slow,
            }
            for one in boot.segments
        ],
        "missing": [one.words for one in boot.missing],
        "to_come": [one.words for one in boot.to_come],
    }


def with_latest(
    records: Sequence[BootRecord], events: Iterable[Event], machine: Machine
) -> tuple[BootRecord, ...]:
    """Return boots with what the log of events has besides: the database lags by a moment, or is away."""
    found = {one.generation: one for one in records}
    for event in events:
        if event.subject == str(machine.id) and event.kind in _OF_BOOTS:
            happened = _boot_event(event, machine)
            boot = found.get(happened.generation) or BootRecord(
                happened.generation, happened.at, Stage.DISCOVER, ()
            )
            if not any(_is_same(happened, one) for one in boot.events):
                found[boot.generation] = _with_event(boot, happened)
    return tuple(found[number] for number in sorted(found, reverse=True))


_OF_BOOTS = frozenset({EventKind.BOOT_STAGE, EventKind.BOOT_HAPPENING})


def _boot_event(event: Event, machine: Machine) -> BootEvent:
    facts = event.facts
    name = str(facts["stage"])
    return BootEvent(
        at=event.at,
        machine_id=machine.id,
        generation=int(facts["boot"] or 0),
        stage=_STAGES.get(name) or Happening(name),
        detail=str(facts["detail"] or ""),
        cause=str(facts["cause"] or ""),
        bytes=int(facts["bytes"] or 0),
        milliseconds=float(facts["milliseconds"] or 0),
    )


def _is_same(one: BootEvent, other: BootEvent) -> bool:
    return abs(one.at - other.at) < _SAME and replace(one, at=other.at) == other


def _with_event(boot: BootRecord, event: BootEvent) -> BootRecord:
    reached = max(boot.reached, event.stage) if isinstance(event.stage, Stage) else boot.reached
    return replace(boot, reached=reached, events=(*boot.events, event))


def _boot(record: BootRecord, *, is_current: bool) -> Boot:
    return Boot(
        number=record.generation,
        started=record.events[0].at,
        reached=record.reached,
        is_current=is_current,
        segments=_segments(record.events),
    )


def _segments(events: Sequence[BootEvent]) -> tuple[Segment, ...]:
    """Cut a boot where another part begins; what belongs to a part that is over is asked for again."""
    start, end = events[0].at, events[0].at
    found: dict[Part, Segment] = {}
    asked: set[tuple[Stage, str]] = set()
    last: Part | None = None
    for event in events:
        if not isinstance(event.stage, Stage):
            continue
        part, question = PART_OF[event.stage], (event.stage, event.detail)
        known = found.get(part) or Segment(part=part, start=(end - start) / _MILLISECOND, milliseconds=0.0)
        if part not in found or part is last:
            last, end = part, event.at
            known = replace(known, milliseconds=(end - start) / _MILLISECOND - known.start)
        found[part] = replace(
            known,
            bytes=known.bytes + event.bytes,
            transfer=known.transfer + event.milliseconds,
            retries=known.retries + (question in asked),
        )
        asked.add(question)
    return tuple(found.values())


def _compared(boot: Boot, earlier: Sequence[Boot]) -> Boot:
    """Return a boot with what is usual; boots from the disk and from the network are not of one kind."""
    alike = [one for one in earlier if _begins_with(one) == _begins_with(boot)]
    had = {part: [one.milliseconds for each in alike if (one := each.segment(part))] for part in Part}
    segments = tuple(
        replace(one, usual=median(had[one.part]) if had[one.part] else None) for one in boot.segments
    )
    lacking = [part for part in Part if boot.segment(part) is None and len(had[part]) * 2 > len(alike)]
    furthest = max((one.part for one in boot.segments), default=Part.DHCP)
    passed = [part for part in lacking if part < furthest or not boot.is_current]
    return replace(
        boot,
        segments=segments,
        missing=tuple(passed),
        to_come=tuple(part for part in lacking if part not in passed),
    )


def _begins_with(boot: Boot) -> Part | None:
    return boot.segments[0].part if boot.segments else None
