"""The state of the daemon's parts: database, fleet, boot files, certificates."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.metrics_core import Metric

from iluvatar_pxe.admin.command import AssetsAdmin
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.dhcp_servers import DhcpServers
from iluvatar_pxe.web.metrics.cluster_ends import Ends
from iluvatar_pxe.web.metrics.families import counter, gauge


def health_families(health: Health) -> Iterator[Metric]:
    """Return which parts are healthy, and how much is amiss, as ``/readyz`` says."""
    yield gauge(
        "part_healthy",
        "1 for a part of the daemon that works, 0 for one that has a problem.",
        ["part"],
        (([part], check() is None) for part, check in health.parts.items()),
    )
    yield gauge(
        "troubles",
        "Lines of /readyz on what keeps machines from booting, clusters from being founded, or the time from being told.",
        ["about"],
        [
            (["boot"], len(health.boot())),
            (["clusters"], len(health.clusters())),
            (["time"], len(health.time())),
        ],
    )


def database_families(inventory: Inventory) -> Iterator[Metric]:
    """Return what waits to be written."""
    yield gauge("database_up", "1 while what is seen gets recorded.", [], [([], inventory.health is None)])
    yield gauge(
        "database_pending_machines",
        "Machines whose changes are not written yet.",
        [],
        [([], inventory.unwritten)],
    )
    yield counter(
        "database_dropped_events",
        "Events of boots that were never written, for lack of room while the database was away.",
        [],
        [([], inventory.dropped_events)],
    )


def fleet_families(events: EventLog, commit_time: datetime | None) -> Iterator[Metric]:
    """Return what became of commits and what else happened; the applied commit's age where there is one."""
    yield counter(
        "events",
        "Events for whoever watches, by kind.",
        ["kind"],
        (([kind.value], events.counts[kind]) for kind in EventKind),
    )
    yield gauge(
        "fleet_commit_timestamp_seconds",
        "When the commit in force was made.",
        [],
        [([], commit_time.timestamp())] if commit_time else [],
    )


def network_families(servers: DhcpServers) -> Iterator[Metric]:
    """Return how many other DHCP servers were heard within a day."""
    kinds = Counter("daemon" if one.is_ours else "surplus" if one.why else "router" for one in servers.all)
    yield gauge(
        "dhcp_servers",
        "Other DHCP servers heard: daemons of the fleet, the one that gives addresses, and those that are one too many.",
        ["kind"],
        (([kind], kinds[kind]) for kind in ("daemon", "router", "surplus")),
    )


def asset_families(assets: AssetsAdmin) -> Iterator[Metric]:
    """Return how many of the wanted boot files are in which state."""
    wanted = [*(one.progress for one in assets.files()), *assets.unresolved().values()]
    states = Counter(one.state for one in wanted)
    coming = [one for one in wanted if one.state is State.LOADING]
    yield gauge(
        "assets",
        "Boot files that the fleet wants, by state.",
        ["state"],
        (([state.value], states[state]) for state in State),
    )
    yield gauge(
        "assets_loading_bytes",
        "Bytes that are there of the files that are being downloaded.",
        [],
        [([], sum(one.done for one in coming))],
    )
    yield gauge(
        "assets_loading_size_bytes",
        "Size of the files that are being downloaded, as far as it is known.",
        [],
        [([], sum(one.size or 0 for one in coming))],
    )


def certificate_families(own: Mapping[str, datetime], clusters: Ends) -> Iterator[Metric]:
    """Return when certificates end: the daemon's own, and the CAs of clusters."""
    yield gauge(
        "certificate_expiry_timestamp_seconds",
        "When a certificate of this daemon ends.",
        ["certificate"],
        (([name], end.timestamp()) for name, end in own.items()),
    )
    yield gauge(
        "cluster_authority_expiry_timestamp_seconds",
        "When a CA of a cluster ends.",
        ["layer", "authority"],
        (([*key], end.timestamp()) for key, end in sorted(clusters.items())),
    )
