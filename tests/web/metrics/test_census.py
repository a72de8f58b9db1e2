"""Machines are counted by layer and phase, and few of them are named."""

import asyncio
from datetime import UTC, datetime, timedelta

from support.machines import machine_of, snapshot_of

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Attempts, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.web.metrics.census import AT_ONCE, MOST_NAMED, Census, CensusTaker, UnderWay

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def machine(number: int, phase: Phase, chain: str = "talos", layer: str = "arda") -> Machine:
    """Return a machine that was last seen so many minutes ago; without a chain it boots a script of the fleet."""
    return replace(
        machine_of(f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", phase=phase),
        last_seen=NOW - timedelta(minutes=number),
        furthest=Stage.SCRIPT,
        attempts=Attempts(chain=chain),
        assignment=Assignment(name=f"m{number}", layer=layer, role=Role.WORKER, rule="", at=NOW),
    )


async def census_of(*machines: Machine) -> Census:
    return await CensusTaker().take(snapshot_of(*machines), Fleet())


async def test_machines_are_counted_where_they_are() -> None:
    census = await census_of(
        machine(1, Phase.JOINED),
        machine(2, Phase.JOINED, layer="ainur"),
        machine(3, Phase.FAILED),
        machine_of("52:54:00:00:00:04"),
    )
    assert census.machines == {
        ("arda", Phase.JOINED): 1,
        ("ainur", Phase.JOINED): 1,
        ("arda", Phase.FAILED): 1,
    }
    assert census.passing == 1


async def test_who_is_under_way_is_named_unless_it_is_to_wait_or_tells_nothing() -> None:
    held = replace(machine(3, Phase.INSTALLING), directive=Directive(Intent.HOLD))
    nameless = replace(machine(4, Phase.BOOTING), assignment=None)
    census = await census_of(
        machine(1, Phase.BOOTING),
        machine(2, Phase.JOINED),
        held,
        nameless,
        machine(5, Phase.BOOTING, chain=""),
        machine(6, Phase.INSTALLED),
    )
    assert census.under_way == [
        UnderWay(NOW - timedelta(minutes=6), "m6", "arda", Phase.INSTALLED),
        UnderWay(NOW - timedelta(minutes=1), "m1", "arda", Phase.BOOTING),
    ]


async def test_of_many_those_are_named_that_are_silent_for_longest() -> None:
    census = await census_of(*(machine(number, Phase.BOOTING) for number in range(1000)))
    assert [one.name for one in census.under_way] == [
        f"m{number}" for number in range(999, 999 - MOST_NAMED, -1)
    ]


async def test_others_have_their_turn_while_many_are_counted() -> None:
    snapshot = snapshot_of(*(machine(number, Phase.JOINED) for number in range(10 * AT_ONCE)))
    counting = asyncio.create_task(CensusTaker().take(snapshot, Fleet()))
    turns = 0
    while not counting.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 10


async def test_a_census_stands_while_nothing_changes() -> None:
    taker, fleet, snapshot = CensusTaker(), Fleet(), snapshot_of(machine(1, Phase.JOINED))
    assert await taker.take(snapshot, fleet) is await taker.take(snapshot, fleet)
    later = snapshot.with_machine(machine(2, Phase.JOINED))
    assert (await taker.take(later, fleet)).machines["arda", Phase.JOINED] == 2
    assert (await taker.take(snapshot, Fleet())).machines["arda", Phase.JOINED] == 1
