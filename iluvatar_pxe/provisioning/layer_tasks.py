"""One task for each layer whose configurations the daemon makes, for as long as the applied fleet has it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from iluvatar_pxe.changed import Changed, Subscription

AGAIN_SECONDS = 60.0
"""After which work that failed unforeseen is begun again."""
_log = structlog.get_logger()


class HasLayers(Protocol):
    """Tells the applied fleet's layers, and when they may be others."""

    @property
    def changed(self) -> Changed: ...

    def layers(self) -> Sequence[str]: ...


class _Runs(Protocol):
    async def run(self) -> None: ...


Work = TypeVar("Work", bound=_Runs)


class LayerTasks(Generic[Work]):
    """Begins the work of a layer that comes, and cancels that of one that goes."""

    def __init__(self, context: HasLayers, begin: Callable[[str], Work]) -> None:
        """``begin`` makes the work of a layer by its name."""
        self._context = context
        self._begin = begin
        self.by_layer: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failed: dict[str, str] = {}
        """By layer, that its work has failed unforeseen, in one line."""

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
            self.failed.pop(layer, None)
        for layer in wanted:
            if layer not in self.by_layer:
                self.by_layer[layer] = work = self._begin(layer)
                self._tasks[layer] = group.create_task(self._survive(layer, work))

    async def _survive(self, layer: str, work: Work) -> None:
        """Begin the work again after a fault that nobody foresaw: it is this layer's alone."""
        while True:
            try:
                await work.run()
            except Exception as error:  # noqa: BLE001 - the last resort: one cluster must not end the daemon
                _log.error("cluster.failed", layer=layer, error=repr(error), again=f"{AGAIN_SECONDS:g} s")
                self.failed[layer] = (
                    f"{layer}: this server failed on its cluster, see its log; it tries again"
                )
            await asyncio.sleep(AGAIN_SECONDS)
            self.failed.pop(layer, None)
