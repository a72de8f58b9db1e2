"""One task for each layer whose configurations the daemon makes, for as long as the applied fleet has it."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.provisioning.cluster_context import ClusterContext


class _Runs(Protocol):
    async def run(self) -> None: ...


Work = TypeVar("Work", bound=_Runs)


class LayerTasks(Generic[Work]):
    """Begins the work of a layer that comes, and cancels that of one that goes."""

    def __init__(self, context: ClusterContext, begin: Callable[[str], Work]) -> None:
        """``begin`` makes the work of a layer by its name."""
        self._context = context
        self._begin = begin
        self.by_layer: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the applied fleet, until cancelled."""
        with Subscription(self._context.changed) as news:
            async with asyncio.TaskGroup() as group:
                while True:
                    await news.wait()
                    self._follow(group)

    def _follow(self, group: asyncio.TaskGroup) -> None:
        wanted = self._context.layers()
        for layer in self.by_layer.keys() - set(wanted):
            del self.by_layer[layer]
            self._tasks.pop(layer).cancel()
        for layer in wanted:
            if layer not in self.by_layer:
                self.by_layer[layer] = work = self._begin(layer)
                self._tasks[layer] = group.create_task(work.run())
