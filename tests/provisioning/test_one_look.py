"""One look at a time, and none that began before its question."""

import asyncio

import pytest

from iluvatar_pxe.errors import TalosError
from iluvatar_pxe.provisioning.one_look import OneLook


class Site:
    """Is looked at for as long as the test wants."""

    def __init__(self) -> None:
        self.looks = 0
        self.under_way = 0
        self.most = 0
        self.may_end = asyncio.Semaphore(0)
        self.fails = False

    async def look(self) -> int:
        self.looks += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.may_end.acquire()
            if self.fails:
                raise TalosError("nobody answers")
            return self.looks
        finally:
            self.under_way -= 1


async def begun(*tasks: asyncio.Task[int]) -> None:
    """Let tasks come to where they wait."""
    await asyncio.wait(tasks, timeout=0)
    await asyncio.sleep(0)


async def test_all_who_ask_during_a_look_share_the_next() -> None:
    site = Site()
    one = OneLook(site.look)
    first = asyncio.create_task(one.result())
    await begun(first)
    others = [asyncio.create_task(one.result()) for _ in range(20)]
    await begun(*others)
    site.may_end.release()
    site.may_end.release()
    assert await first == 1
    assert set(await asyncio.gather(*others)) == {2}
    assert (site.looks, site.most) == (2, 1)


async def test_who_asks_later_looks_again() -> None:
    site = Site()
    one = OneLook(site.look)
    for number in (1, 2):
        site.may_end.release()
        assert await one.result() == number


async def test_who_shares_a_look_that_fails_or_is_given_up_looks_again() -> None:
    site = Site()
    one = OneLook(site.look)
    site.fails = True
    site.may_end.release()
    with pytest.raises(TalosError):
        await one.result()
    site.fails = False
    gives_up = asyncio.create_task(one.result())
    await begun(gives_up)
    waits = asyncio.create_task(one.result())
    await begun(waits)
    gives_up.cancel()
    site.may_end.release()
    assert await waits == 3
    assert gives_up.cancelled()
