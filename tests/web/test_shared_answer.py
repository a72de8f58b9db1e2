"""One answer for all who look: asked for while somebody does, and never twice at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.waiting import PATIENCE, until

from iluvatar_pxe.errors import TalosError
from iluvatar_pxe.web.shared_answer import SharedAnswer


class Machines:
    """Answer when they are let, and count how often they were asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.problem = ""

    async def ask(self) -> int:
        self.asked += 1
        await self.may_answer.wait()
        if self.problem:
            raise TalosError(self.problem)
        return self.asked


@asynccontextmanager
async def running(machines: Machines, seconds: float) -> AsyncIterator[SharedAnswer[int]]:
    shared = SharedAnswer(machines.ask, seconds)
    task = asyncio.create_task(shared.run())
    try:
        yield shared
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_all_who_look_within_a_while_get_the_same() -> None:
    machines = Machines()
    async with running(machines, 3600) as shared:
        found = await asyncio.gather(*(shared.get(PATIENCE) for _ in range(50)))
        found += [await shared.get(PATIENCE)]
    assert {one.answer for one in found if one} == {1}
    assert (len(found), machines.asked) == (51, 1)


async def test_nobody_is_asked_while_nobody_looks() -> None:
    machines = Machines()
    async with running(machines, 0) as shared:
        for _ in range(10):
            await asyncio.sleep(0)
        assert machines.asked == 0
        assert await shared.get(PATIENCE)
        for _ in range(10):
            await asyncio.sleep(0)
        assert machines.asked == 1


async def test_who_does_not_wait_gets_the_last_answer() -> None:
    machines = Machines()
    machines.may_answer.clear()
    async with running(machines, 0) as shared:
        assert await shared.get(0) is None
        machines.may_answer.set()
        told = await shared.get(PATIENCE)
        assert told
        assert told.answer == 1
        machines.may_answer.clear()
        await until(lambda: not shared._answered.is_set())
        again = await shared.get(0)
        assert again == told


async def test_why_there_is_no_answer_is_told_and_it_is_asked_again() -> None:
    machines = Machines()
    machines.problem = "10.0.0.1 cannot be reached"
    async with running(machines, 0) as shared:
        told = await shared.get(PATIENCE)
        assert told
        assert (told.answer, told.problem) == (None, machines.problem)
        machines.problem = ""
        await until(lambda: not shared._answered.is_set())
        told = await shared.get(PATIENCE)
        assert told
        assert told.answer == 2
