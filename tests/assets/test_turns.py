"""Whose turn it is: a few at a time, and what somebody waits for goes past them."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from support.waiting import until

from iluvatar_pxe.assets.turns import Haste, Turn, Turns


def begun(turns: Sequence[Turn]) -> list[int]:
    return [number for number, turn in enumerate(turns) if turn.begun.is_set()]


async def test_as_many_at_once_as_there_is_room_and_the_first_comes_first() -> None:
    turns = Turns(2)
    files = [turns.turn() for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.begin()) for one in files]
        await until(lambda: begun(files) == [0, 1])
        tasks[3].cancel()  # it is given up while it waits
        files[3].end()
        files[1].end()
        await until(lambda: begun(files) == [0, 2])
        files[0].end()
        await until(files[4].begun.is_set)


async def test_what_somebody_waits_for_is_behind_nobody() -> None:
    turns = Turns(1)
    files = [turns.turn(), turns.turn(), turns.turn(), turns.turn(Haste.ASKED), turns.turn(Haste.ASKED)]
    async with asyncio.TaskGroup() as group:
        for one in files:
            group.create_task(one.begin())
        await until(lambda: begun(files) == [0, 3])
        files[2].hasten(Haste.AWAITED)
        assert begun(files) == [0, 2, 3]
        files[4].hasten(Haste.AWAITED)
        assert begun(files) == [0, 2, 3, 4]
        files[0].hasten(Haste.AWAITED)  # there is room for another one then
        assert begun(files) == [0, 1, 2, 3, 4]


async def test_whoever_waits_knows_how_many_come_before_him() -> None:
    turns = Turns(2)
    files = [turns.turn() for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.begin()) for one in files]
        await until(lambda: begun(files) == [0, 1])
        assert [one.before for one in files] == [0, 0, 2, 3]
        files[0].end()
        assert [one.before for one in files] == [0, 0, 0, 2]
        tasks[3].cancel()


async def test_builds_have_a_room_of_their_own_which_is_never_exceeded() -> None:
    turns = Turns(1)
    files = [turns.turn() for _ in range(4)]
    built: list[int] = []

    async def build(number: int) -> None:
        await files[number].begin()
        await files[number].begin_build()
        built.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(build(number))
        await until(lambda: [one.before for one in files] == [0, 1, 2, 3])
        files[3].hasten(Haste.AWAITED)
        assert built == [0]
        other = turns.turn()
        await other.begin()  # nothing is downloaded meanwhile, so others may be
        other.end()
        for done in (0, 3, 1):
            files[done].end()
            await until(partial(built.__contains__, done))
        await until(lambda: built == [0, 3, 1, 2])


async def test_others_have_their_turn_during_a_pause() -> None:
    turns = Turns(1)
    first, second = turns.turn(), turns.turn()
    await first.begin()
    async with asyncio.TaskGroup() as group:
        group.create_task(second.begin())
        pausing = group.create_task(first.pause(0.01))
        await until(second.begun.is_set)
        await asyncio.sleep(0.05)
        assert not pausing.done()
        second.end()
    assert first.begun.is_set()


@pytest.mark.parametrize(("is_built", "expected"), [(False, [0, 1, 2, 0, 1]), (True, [0, 3, 4, 1, 2])])
async def test_those_that_have_to_wait_longer_do_not_come_before(
    expected: list[int], *, is_built: bool
) -> None:
    """What people ask for has a room of its own, but at the factory, where it comes first."""
    turns = Turns(1)
    files = [turns.turn() for _ in range(3)] + [turns.turn(Haste.ASKED) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.begin_build() if is_built else one.begin()) for one in files]
        await until(lambda: files[-1].before)
        assert [one.before for one in files] == expected
        for task in tasks:
            task.cancel()
