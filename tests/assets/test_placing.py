"""Work on large files tells the event loop how far it is, but not with each piece."""

import asyncio
import time

import pytest

from iluvatar_pxe.assets.placing import Done, unhurried
from iluvatar_pxe.errors import AssetError


async def test_few_of_many_reports_reach_the_event_loop_and_the_last_one_does() -> None:
    heard: list[tuple[int, int | None]] = []

    def work(report: Done) -> float:
        began = time.monotonic()
        for done in range(10_001):
            report(done, 10_000)
        return time.monotonic() - began

    seconds = await unhurried(work, lambda done, size: heard.append((done, size)))
    await asyncio.sleep(0)
    assert (heard[0], heard[-1]) == ((0, 10_000), (10_000, 10_000))
    assert len(heard) <= seconds / 0.1 + 2


async def test_work_that_goes_on_is_heard_of_again() -> None:
    heard: list[int] = []

    def work(report: Done) -> None:
        for done in range(4):
            report(done, None)
            time.sleep(0.11)

    await unhurried(work, lambda done, _: heard.append(done))
    assert heard == [0, 1, 2, 3]


async def test_who_gives_up_is_obeyed_with_the_next_report_even_if_it_is_not_told() -> None:
    ended: list[str] = []

    def work(report: Done) -> None:
        try:
            while True:
                report(0, None)
        except AssetError as error:
            ended.append(str(error))
            raise

    task = asyncio.create_task(unhurried(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["was given up, since nobody wants it any more"]
