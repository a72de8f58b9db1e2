"""Boots as segments: what belongs to which part, and what stands out beside earlier boots."""

from datetime import UTC, datetime, timedelta

import pytest
from support.machines import machine_of

from iluvatar_pxe.admin.boot_parts import PART_OF, Part
from iluvatar_pxe.admin.boots import Boot, Segment, boots_of, with_latest
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import BootEvent
from iluvatar_pxe.values import replace

MACHINE = machine_of("52:54:00:64:00:01")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
S = Stage
Told = tuple[float, Stage | Happening, str, int]
"""Seconds since the boot began, what happened, a detail, and bytes that took as many milliseconds."""
NETWORK: tuple[Told, ...] = (
    (0.0, S.DISCOVER, "a", 0),
    (0.5, S.NBP, "b", 100),
    (1.0, S.IPXE_DISCOVER, "c", 0),
    (1.5, S.SCRIPT, "d", 10),
    (3.5, S.KERNEL, "e", 1000),
    (7.5, S.INITRAMFS, "f", 2000),
    (20.0, S.CONFIG, "g", 30),
    (80.0, S.INSTALLED, "h", 0),
)


def record(number: int, *told: Told) -> BootRecord:
    events = tuple(
        BootEvent(
            at=BEGAN + timedelta(seconds=seconds),
            machine_id=MACHINE.id,
            generation=number,
            stage=stage,
            detail=detail,
            bytes=size,
            milliseconds=float(size),
        )
        for seconds, stage, detail, size in told
    )
    stages = [one.stage for one in events if isinstance(one.stage, Stage)]
    return BootRecord(number, BEGAN, max(stages, default=Stage.DISCOVER), events)


def boot(*told: Told) -> Boot:
    (one,) = boots_of([record(1, *told)], current=1)
    return one


def later(told: Told, by: float) -> Told:
    return (told[0] + by, *told[1:])


def test_every_stage_belongs_to_a_part() -> None:
    assert set(PART_OF) == set(Stage)
    assert set(PART_OF.values()) == set(Part)


def test_a_boot_is_cut_where_another_part_begins() -> None:
    seen = [(one.part, one.start, one.milliseconds, one.bytes) for one in boot(*NETWORK).segments]
    assert seen == [
        (Part.DHCP, 0.0, 0.0, 0),
        (Part.PROGRAM, 0.0, 500.0, 100),
        (Part.SCRIPT, 500.0, 1000.0, 10),
        (Part.KERNEL, 1500.0, 2000.0, 1000),
        (Part.INITRAMFS, 3500.0, 4000.0, 2000),
        (Part.CONFIGURATION, 7500.0, 12_500.0, 30),
        (Part.INSTALL, 20_000.0, 60_000.0, 0),
    ]
    assert boot(*NETWORK).milliseconds == 80_000.0


def test_a_pi_gets_its_script_before_its_program() -> None:
    parts = [
        one.part for one in boot((0, S.DISCOVER, "", 0), (1, S.SCRIPT, "", 1), (2, S.NBP, "", 1)).segments
    ]
    assert parts == [Part.DHCP, Part.SCRIPT, Part.PROGRAM]


@pytest.mark.parametrize(
    ("told", "part", "retries", "milliseconds"),
    [
        (((0, S.DISCOVER, "", 0), (1, S.NBP, "x", 5), (3, S.NBP, "x", 5)), Part.PROGRAM, 1, 3000.0),
        (((0, S.DISCOVER, "", 0), (1, S.NBP, "x", 5), (3, S.NBP, "y", 5)), Part.PROGRAM, 0, 3000.0),
        (
            ((0, S.DISCOVER, "", 0), (1, S.NBP, "x", 5), (3, S.KERNEL, "", 5), (9, S.NBP, "x", 5)),
            Part.PROGRAM,
            1,
            1000.0,
        ),
    ],
)
def test_what_is_asked_for_again_is_counted(
    told: tuple[Told, ...], part: Part, retries: int, milliseconds: float
) -> None:
    found = boot(*told).segment(part)
    assert found
    assert (found.retries, found.milliseconds) == (retries, milliseconds)


def test_what_else_happens_is_no_part() -> None:
    assert not boot((0, Happening.FAULT, "no", 0)).segments
    assert boot((0, Happening.FAULT, "no", 0)).milliseconds == 0.0


@pytest.mark.parametrize(
    ("took", "usual", "is_slow"),
    [(900.0, 10.0, False), (1100.0, 10.0, True), (61_000, 60_000, False), (91_000, 60_000, True)],
)
def test_slow_is_half_as_long_again_and_a_second_more(took: float, usual: float, *, is_slow: bool) -> None:
    segment = Segment(part=Part.KERNEL, start=0.0, milliseconds=took, usual=usual)
    assert segment.is_slow is is_slow
    assert not replace(segment, usual=None).is_slow


def test_a_boot_is_compared_with_the_median_of_earlier_ones() -> None:
    slow = (*NETWORK[:4], *(later(one, 60) for one in NETWORK[4:]))
    latest, *_ = boots_of([record(3, *slow), record(2, *NETWORK), record(1, *NETWORK)], current=3)
    assert [one.part for one in latest.segments if one.is_slow] == [Part.KERNEL]
    kernel = latest.segment(Part.KERNEL)
    assert kernel
    assert (kernel.milliseconds, kernel.usual) == (62_000.0, 2000.0)


def test_what_a_boot_passed_by_is_missing_and_what_it_may_still_reach_is_to_come() -> None:
    without = (*NETWORK[:5], *NETWORK[6:7])
    latest, *_ = boots_of([record(2, *without), record(1, *NETWORK)], current=2)
    assert latest.missing == (Part.INITRAMFS,)
    assert latest.to_come == (Part.INSTALL,)


def test_a_boot_that_is_over_lacks_what_it_never_reached() -> None:
    _, ended, _ = boots_of([record(3, *NETWORK), record(2, *NETWORK[:6]), record(1, *NETWORK)], current=3)
    assert ended.missing == (Part.CONFIGURATION, Part.INSTALL)
    assert not ended.to_come


def test_a_boot_from_the_disk_is_not_compared_with_one_from_the_network() -> None:
    disk = record(2, (0, S.STARTED, "", 0), (30, S.RUNNING, "", 0))
    latest, *_ = boots_of([disk, record(1, *NETWORK)], current=2)
    assert not latest.missing
    assert not latest.to_come


def told(log: EventLog, number: int, stage: str) -> None:
    facts = {"stage": stage, "boot": number, "detail": "x", "cause": "", "bytes": 3, "milliseconds": 1.5}
    log.publish(EventKind.BOOT_STAGE, str(MACHINE.id), "words", **facts)  # type: ignore[arg-type]


def test_the_log_of_events_adds_what_the_database_lacks() -> None:
    log = EventLog()
    told(log, 2, "kernel")
    log.publish(EventKind.BOOT_STAGE, "another", "words", stage="joined", boot=2)
    (both, old) = with_latest([record(1, *NETWORK)], log.after(0), MACHINE)
    assert (both.generation, both.reached, old.generation) == (2, Stage.KERNEL, 1)
    assert (both.events[0].bytes, both.events[0].milliseconds) == (3, 1.5)


def test_what_both_have_is_there_once() -> None:
    log = EventLog()
    told(log, 1, "kernel")
    (known,) = with_latest([], log.after(0), MACHINE)
    recorded = replace(
        known, events=tuple(replace(one, at=one.at - timedelta(milliseconds=3)) for one in known.events)
    )
    assert with_latest([recorded], log.after(0), MACHINE) == (recorded,)
    elsewhen = replace(
        known, events=tuple(replace(one, at=one.at - timedelta(seconds=3)) for one in known.events)
    )
    assert len(with_latest([elsewhen], log.after(0), MACHINE)[0].events) == 2
