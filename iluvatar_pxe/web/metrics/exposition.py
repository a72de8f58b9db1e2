"""Puts the families together. Loads ``prometheus_client``."""

import asyncio
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from prometheus_client import ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.metrics.boots import boot_families
from iluvatar_pxe.web.metrics.census import Census, CensusTaker
from iluvatar_pxe.web.metrics.cluster_ends import Ends, cluster_ends
from iluvatar_pxe.web.metrics.families import gauge, histogram
from iluvatar_pxe.web.metrics.machines import machine_families
from iluvatar_pxe.web.metrics.protocols import dns_families, protocol_families
from iluvatar_pxe.web.metrics.state import (
    asset_families,
    certificate_families,
    database_families,
    fleet_families,
    health_families,
    network_families,
)

_PROCESS = ProcessCollector(registry=None)
_BUILD = {"version": version("iluvatar-pxe"), "python": platform.python_version()}


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Sequence[Metric]:
        return (self._family,)


async def exposition(context: WebContext, taker: CensusTaker) -> bytes:
    """Return all metrics, in the text format; others have their turn between two families."""
    fleet, text = context.fleet, b""
    census = await taker.take(context.inventory.snapshot, fleet)
    ends = await cluster_ends(context.commands.secrets, fleet)
    for family in _families(context, census, ends):
        text += generate_latest(_One(family))
        await asyncio.sleep(0)
    return text


def _families(context: WebContext, census: Census, ends: Ends) -> Iterator[Metric]:
    measured = context.measured
    yield gauge("build_info", "What runs; the value is 1.", list(_BUILD), [(list(_BUILD.values()), 1)])
    yield from _PROCESS.collect()
    yield histogram(
        "event_loop_lag_seconds",
        "For how long the event loop kept a timer waiting, each second.",
        [],
        [([], measured.loop_lag)],
    )
    yield from protocol_families(measured.protocols)
    yield from dns_families(context.health.dns())
    yield from boot_families(measured.boots)
    yield from machine_families(census, tuple(context.fleet.layers))
    yield from health_families(context.health)
    yield from database_families(context.inventory)
    yield from fleet_families(context.events, measured.commit_time())
    if context.commands.dhcp_servers:
        yield from network_families(context.commands.dhcp_servers)
    if context.commands.assets:
        yield from asset_families(context.commands.assets)
    yield from certificate_families(measured.certificates(), ends)
