"""A signal that something changed: told by whoever changes it, waited for by whoever follows it."""

import asyncio
from typing import Self


class Changed:
    """Carries no data: what changed is read where it lies. Belongs to one event loop, like what changes."""

    def __init__(self) -> None:
        self.subscribers: set[asyncio.Event] = set()
        """Set by every ``tell``; see ``Subscription``."""

    def tell(self) -> None:
        """Wake every subscription; never blocks, and needs no running event loop."""
        for event in self.subscribers:
            event.set()


class Subscription:
    """Waits for some signals, as a context manager, for one task.

    Any number of tells since the last ``wait`` returned are one. The first ``wait`` returns at once: whoever has just
    subscribed has read nothing yet.
    """

    def __init__(self, *signals: Changed) -> None:
        self._signals = signals
        self._event = asyncio.Event()
        self._event.set()

    def __enter__(self) -> Self:
        for signal in self._signals:
            signal.subscribers.add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        for signal in self._signals:
            signal.subscribers.discard(self._event)

    async def wait(self) -> None:
        """Return once one of the signals was told since this returned last; read what changed after that."""
        await self._event.wait()
        self._event.clear()
