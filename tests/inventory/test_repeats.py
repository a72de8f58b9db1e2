"""A machine that asks the same again and again changes nothing but when it was seen, and is news to nobody."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory.samples import MAC, Clock, known, running, script, sighting, until, url_of

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.inventory import inventory as inventory_module
from iluvatar_pxe.inventory import memory, repeats
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Listed, Machine
from iluvatar_pxe.machines.observe import Step
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.values import replace

OTHER = "52:54:00:00:00:02"
HERE = IPv4Address("192.168.1.57")
Passes = Callable[[float], None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    """Stand in for the wall clock, which goes on by so many seconds."""
    now = memory.wall_clock()

    def passes(seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=seconds)

    monkeypatch.setattr(inventory_module, "wall_clock", lambda: now)
    return passes


def tells(signal: Changed, work: Callable[[], object]) -> bool:
    """Say whether a signal is told of what ``work`` does."""
    told = asyncio.Event()
    signal.subscribers.add(told)
    work()
    signal.subscribers.discard(told)
    return told.is_set()


def ask(inventory: Inventory, mac: str = MAC, address: IPv4Address | None = None) -> Machine:
    return inventory.touch(sighting(mac, address=address), Stage.DISCOVER, listed=Listed((mac,)))


async def test_when_it_was_seen_is_known_to_the_second(inventory: Inventory, passes: Passes) -> None:
    first = ask(inventory)
    passes(0.9)
    assert ask(inventory) is first
    passes(0.1)
    assert ask(inventory).last_seen - first.last_seen == timedelta(seconds=1)


async def test_it_is_told_only_when_it_was_not_seen_for_a_while(inventory: Inventory, passes: Passes) -> None:
    assert tells(inventory.changed, lambda: ask(inventory))
    passes(2)
    assert not tells(inventory.changed, lambda: ask(inventory))
    passes(10)
    assert tells(inventory.changed, lambda: ask(inventory))
    assert not tells(inventory.renamed, lambda: ask(inventory))


async def test_what_is_new_of_it_is_told_at_once(inventory: Inventory) -> None:
    ask(inventory)
    ask(inventory)
    inventory.touch(sighting(), Stage.NBP)
    assert tells(inventory.changed, lambda: ask(inventory)), "its next boot"
    assert not tells(inventory.changed, lambda: ask(inventory))
    assert tells(inventory.renamed, lambda: ask(inventory, address=HERE))


def test_a_boot_is_counted_that_was_asked_for_in_the_same_words_while_it_was_held(
    inventory: Inventory, passes: Passes
) -> None:
    for chain in ("", "", "talos"):
        passes(0.3)
        machine = inventory.observe(script(MAC), Stage.SCRIPT, chain=chain, listed=Listed((MAC,)))
    assert machine.phase is Phase.BOOTING
    assert machine.attempts.boot == machine.generation


async def test_a_name_follows_the_machine_that_has_its_address_now(
    inventory: Inventory, passes: Passes
) -> None:
    assert tells(inventory.renamed, lambda: ask(inventory, MAC, HERE))
    assert tells(inventory.renamed, lambda: ask(inventory, OTHER, HERE))
    passes(2)
    assert not tells(inventory.renamed, lambda: ask(inventory, OTHER, HERE))
    assert tells(inventory.renamed, lambda: ask(inventory, MAC, HERE))


async def test_a_name_follows_the_machine_of_its_file_that_was_seen_last(
    inventory: Inventory, passes: Passes
) -> None:
    for mac in (MAC, OTHER):
        ask(inventory, mac)
    passes(2)
    both = Listed((MAC, OTHER))
    assert tells(inventory.renamed, lambda: inventory.touch(sighting(), Stage.DISCOVER, listed=both))
    assert tells(inventory.renamed, lambda: inventory.touch(sighting(OTHER), Stage.NBP, listed=both))


async def test_machines_that_come_and_go_are_told(inventory: Inventory) -> None:
    assert tells(inventory.renamed, lambda: ask(inventory))
    machine = ask(inventory)
    told = asyncio.Event()
    inventory.renamed.subscribers.add(told)
    await inventory.forget(machine.id, "anna")
    assert told.is_set()


def test_of_passers_by_nothing_is_remembered(inventory: Inventory) -> None:
    for _ in range(3):
        inventory.touch(sighting(), Stage.DISCOVER)
    assert not inventory._memory._repeats._known


async def test_it_is_written_later_with_what_is_new(file: Path, passes: Passes) -> None:
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        first = ask(inventory)
        await until(lambda: MAC in known(file))
        passes(2)
        again = ask(inventory)
        assert again.last_seen > first.last_seen
        assert inventory.unwritten == 1
        ask(inventory, OTHER)
        await until(lambda: OTHER in known(file))
        assert known(file)[MAC].last_seen == again.last_seen


@given(
    st.lists(
        st.tuples(
            st.sampled_from([sighting(), sighting(OTHER), script(MAC, OTHER), script(MAC, serial="7")]),
            st.sampled_from([Stage.DISCOVER, Stage.FIRST_SCRIPT, Stage.SCRIPT]),
            st.booleans(),
            st.sampled_from([Listed(), Listed((MAC, OTHER))]),
        ),
        max_size=12,
    )
)
def test_what_is_known_is_the_same_as_if_nothing_were_remembered(
    asked: list[tuple[Sighting, Stage, bool, Listed]],
) -> None:
    began = memory.wall_clock()

    def seen(*, forgets: bool) -> list[Machine]:
        one = memory.Memory(Pending(), Clock(), Changed(), Changed(), EventLog())
        for number, (said, stage, vouched, listed) in enumerate(asked):
            if forgets:
                one._repeats = repeats.Repeats()
            one.see(said, Step(stage, began + timedelta(seconds=2 * number)), vouched=vouched, listed=listed)
        machines = (replace(machine, id=UUID(int=0)) for machine in one.snapshot.by_id.values())
        return sorted(machines, key=lambda machine: (machine.macs, machine.first_seen))

    assert seen(forgets=False) == seen(forgets=True)
