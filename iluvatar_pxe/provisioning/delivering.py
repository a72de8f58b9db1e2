"""Gives each founded cluster the objects that the daemon owes it: it looks from time to time, and mends what differs.

Any daemon of the fleet does this. What they apply is the same, or as good.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import structlog
from msgspec import Struct

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.argocd_clusters import register_clusters
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.k3s_clusters import k3s_layers
from iluvatar_pxe.provisioning.longhorn_backups import give_backups
from iluvatar_pxe.provisioning.plane import plane_of

_log = structlog.get_logger()


class FoundedLayers(Struct, frozen=True):
    """The layers whose clusters are founded, and looked after by the daemon."""

    context: ClusterContext

    @property
    def changed(self) -> Changed:
        """See ``ClusterContext``."""
        return self.context.changed

    def layers(self) -> Sequence[str]:
        """Return their names."""
        fleet = self.context.fleet()
        records = (fleet.clusters.get(name) for name in [*self.context.layers(), *k3s_layers(fleet)])
        return [one.layer for one in records if one and one.founded]


class Delivery:
    """Looks after one layer's cluster."""

    def __init__(self, layer: str, context: ClusterContext) -> None:
        self.layer = layer
        self._context = context
        self._told = Problem(lambda why: _log.warning("cluster.objects", layer=layer, why=why))

    @property
    def line(self) -> str | None:
        """Why the cluster does not have everything, in one line, or None."""
        return self._told.text

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._context.observes:
            return
        with Subscription(self._context.changed) as news:
            while True:
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._context.pace.founded):
                        await news.wait()

    async def _look(self) -> None:
        if self._context.fleet_problem() is not None:
            return
        try:
            plane = await plane_of(self.layer, self._context)
        except IluvatarError:
            self._told.clear()  # who looks after the cluster itself says so
            return
        backups = partial(give_backups, plane, self._context.fleet())
        steps = backups, partial(register_clusters, plane, self._context)
        whys = [why for step in steps if (why := await _trouble(step))]
        if whys:
            self._told.set(f"{self.layer}: {'; '.join(whys)}")
        else:
            self._told.clear()


async def _trouble(step: Callable[[], Awaitable[None]]) -> str:
    """Return why a step has failed; empty where it has not. One that fails keeps no other from being done."""
    try:
        await step()
    except IluvatarError as error:
        return str(error)
    return ""
