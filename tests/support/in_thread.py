"""A server of the tests that runs in an event loop and a thread of its own, for as long as a block lasts."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self

from support.waiting import PATIENCE


class InThread:
    """``_start`` and ``_stop`` are what a server does in its loop."""

    _loop: asyncio.AbstractEventLoop

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._call(self._loop.shutdown_asyncgens())
        self._call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _start(self) -> None:
        raise NotImplementedError

    async def _stop(self) -> None:
        raise NotImplementedError
