"""Turns are shared between holders, and each that was held comes back."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.servers.http.git.turns import Turns

NONE = 0.0
"""Seconds: who gets no turn at once gets none."""


async def taken(turns: Turns, stack: AsyncExitStack, holder: str) -> bool:
    try:
        await stack.enter_async_context(turns.turn(holder, NONE))
    except TimeoutError:
        return False
    return True


async def test_each_holder_gets_half_of_what_is_left() -> None:
    turns = Turns(8)
    async with AsyncExitStack() as stack:
        counts = [
            sum([await taken(turns, stack, who) for _ in range(9)]) for who in ("a", "b", "c", "d", "e")
        ]
    assert counts == [4, 2, 1, 1, 0]


async def test_one_turn_is_for_whoever_comes_first() -> None:
    turns = Turns(1)
    async with AsyncExitStack() as stack:
        assert await taken(turns, stack, "a")
        assert not await taken(turns, stack, "b")


async def test_who_waits_gets_what_another_gives_back() -> None:
    turns = Turns(2)
    order: list[str] = []

    async def serve(holder: str, end: asyncio.Event) -> None:
        async with turns.turn(holder, 30):
            order.append(holder)
            await end.wait()

    one, two, rest = asyncio.Event(), asyncio.Event(), asyncio.Event()
    rest.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve("a", one))
        group.create_task(serve("b", two))
        await asyncio.sleep(0)
        group.create_task(serve("a", rest))
        group.create_task(serve("c", rest))
        await asyncio.sleep(0)
        assert order == ["a", "b"]
        two.set()
        one.set()
    assert sorted(order) == ["a", "a", "b", "c"]
    assert turns._held == Counter()


async def test_a_turn_comes_back_from_who_fails_and_from_who_gives_up() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="failed"):
            async with turns.turn("a", NONE):
                raise ValueError("failed")
        async with turns.turn("a", NONE):
            waiting = asyncio.create_task(turns.turn("b", 30).__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert turns._held == Counter()
    assert not turns._freed.subscribers


@given(st.integers(1, 16), st.lists(st.sampled_from("abcdef"), max_size=60))
def test_never_more_than_all_and_always_one_for_somebody_new(most: int, holders: list[str]) -> None:
    async def take() -> None:
        turns = Turns(most)
        async with AsyncExitStack() as stack:
            for holder in holders:
                held, free = turns._held[holder], most - turns._held.total()
                assert await taken(turns, stack, holder) is (held < free)
                assert turns._held.total() <= most
                if len(turns._held) == 1 and most > 1:
                    assert turns._held.total() <= (most + 1) // 2

    asyncio.run(take())
