"""Pages that are rendered for all who wait for them."""

import asyncio
from collections.abc import Awaitable

import pytest

from iluvatar_pxe.web.shared_pages import MOST_PAGES, SharedPages


class Rendering:
    """Renders when it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> str:
        self.count += 1
        number = self.count
        await self.may_end.wait()
        return f"page {number}"


async def test_who_asks_while_a_page_is_rendered_gets_the_next_one_and_all_of_them_the_same() -> None:
    pages, render = SharedPages(), Rendering()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(pages.get("list", render))
        await asyncio.sleep(0)
        others = [group.create_task(pages.get("list", render)) for _ in range(50)]
        await asyncio.sleep(0)
        render.may_end.set()
    assert (first.result(), {one.result() for one in others}) == ("page 1", {"page 2"})


async def test_who_asks_later_gets_a_new_page() -> None:
    pages, render = SharedPages(), Rendering()
    render.may_end.set()
    assert [await pages.get("list", render) for _ in range(3)] == ["page 1", "page 2", "page 3"]


async def test_pages_that_differ_are_rendered_each_and_only_some_are_kept() -> None:
    pages, render = SharedPages(), Rendering()
    render.may_end.set()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pages.get(number, render)) for number in range(MOST_PAGES + 5)]
    assert len({task.result() for task in tasks}) == MOST_PAGES + 5
    assert len(pages._pages) == MOST_PAGES


async def test_who_hangs_up_or_finds_a_fault_leaves_the_others_their_page() -> None:
    pages, render = SharedPages(), Rendering()

    async def fails() -> str:
        raise ValueError("no such page")

    gone = asyncio.ensure_future(pages.get("list", render))
    await asyncio.sleep(0)
    async with asyncio.TaskGroup() as group:
        faulty = group.create_task(_fault_of(pages.get("list", fails)))
        other = group.create_task(pages.get("list", render))
        await asyncio.sleep(0)
        gone.cancel()
        render.may_end.set()
    assert (faulty.result(), other.result()) == ("no such page", "page 2")
    with pytest.raises(asyncio.CancelledError):
        await gone


async def _fault_of(getting: Awaitable[str]) -> str:
    with pytest.raises(ValueError, match="no such page") as caught:
        await getting
    return str(caught.value)
