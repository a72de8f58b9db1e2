"""Work in threads of which somebody is cancelled who waits for it: it is done, or what came of it is taken back."""

import asyncio
from threading import Event

import pytest
from support.one_thread import OneThread, begin, cancel
from support.waiting import PATIENCE, until

from iluvatar_pxe.host.threads import begun, ended, finished, handed, to_the_end


async def test_what_a_thread_makes_is_handed_over() -> None:
    taken_back: list[int] = []
    assert await handed(lambda: 7, taken_back.append) == 7
    assert taken_back == []


async def test_what_nobody_waits_for_any_more_is_taken_back_once_it_is_there() -> None:
    thread, taken_back = OneThread(), list[int]()
    with thread.busy():
        await cancel(await begin(handed(lambda: 7, taken_back.append)))
        assert taken_back == [], "nobody waits for a thread that hangs"
    await until(lambda: taken_back == [7])


async def test_it_is_handed_over_or_taken_back_whenever_that_is() -> None:
    """Also while the thread has ended, and whoever waits for it has not run since."""
    thread, ends = OneThread(), []
    for turns in range(6):
        taken_back: list[int] = []
        task = await begin(handed(lambda: 7, taken_back.append))
        thread.catch_up()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await begun(int)
        ends.append((not task.cancelled(), taken_back == [7]))
    assert set(ends) == {(False, True), (True, False)}


async def test_of_what_fails_nothing_is_taken_back() -> None:
    thread, taken_back = OneThread(), list[int]()
    with thread.busy():
        await cancel(await begin(handed(lambda: int("none"), taken_back.append)))
    await begun(int)
    assert taken_back == []


async def test_work_is_done_though_it_was_cancelled_before_it_began() -> None:
    thread, done = OneThread(), Event()
    with thread.busy():
        task = await begin(asyncio.shield(begun(done.set)))
        await cancel(task)
    await until(done.is_set)


async def test_whoever_is_cancelled_again_and_again_waits_for_the_end() -> None:
    thread, done = OneThread(), Event()
    with thread.busy():
        task = await begin(to_the_end(done.set))
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
    await asyncio.wait([task], timeout=PATIENCE)
    assert (task.cancelled(), done.is_set()) == (True, True)


async def test_the_end_may_be_a_failure_or_have_been() -> None:
    failing = begun(lambda: int("none"))
    await ended(failing)
    await ended(failing)
    with pytest.raises(ValueError, match="none"):
        await finished(failing)
