"""The commits of a k3s cluster's recovery: that it begins, that its server was reset, and how it ends. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from iluvatar_pxe.fleet.daemon_files import ClusterFile, Recovery
from iluvatar_pxe.fleet.source import cluster_file
from iluvatar_pxe.gitops.changes.founding import cluster_record
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision


def begin_recovery(
    revision: Revision, cluster: ClusterFile, server: str, at: datetime, snapshot: datetime | None
) -> Changes | None:
    """Return the commit after which ``server`` is reset; None where the record is another than ``cluster`` by now.

    ``snapshot`` is when that was taken which it restores; None where it has its own data.
    """
    if revision.fleet.clusters.get(cluster.layer) != cluster:
        return None
    recovery = Recovery.model_validate(
        {"server": server, "at": _time(at), "snapshot": snapshot and _time(snapshot)}
    )
    return _changes(f"{cluster.layer} is recovered with {server}\n", cluster, {"recovery": recovery})


def note_reset(revision: Revision, cluster: ClusterFile, at: datetime) -> Changes | None:
    """Return the commit that says when the server was proved to be reset; None as ``begin_recovery``."""
    recovery = cluster.recovery
    if recovery is None or revision.fleet.clusters.get(cluster.layer) != cluster:
        return None
    changed = recovery.model_copy(update={"reset": _time(at)})
    message = f"{recovery.server} is the only member of {cluster.layer}'s etcd\n"
    return _changes(message, cluster, {"recovery": changed})


def end_recovery(revision: Revision, cluster: ClusterFile, why: str) -> Changes | None:
    """Return the commit that ends a recovery; None as ``begin_recovery``."""
    if cluster.recovery is None or revision.fleet.clusters.get(cluster.layer) != cluster:
        return None
    return _changes(f"The recovery of {cluster.layer} is over\n\n{why}\n", cluster, {"recovery": None})


def give_up_recovery(revision: Revision, cluster: ClusterFile, why: str) -> Changes | None:
    """Return the commit after which a recovery that has failed is none any more; None as ``begin_recovery``."""
    if cluster.recovery is None or revision.fleet.clusters.get(cluster.layer) != cluster:
        return None
    return _changes(f"The recovery of {cluster.layer} is given up\n\n{why}\n", cluster, {"recovery": None})


def try_again(revision: Revision, cluster: ClusterFile, at: datetime) -> Changes | None:
    """Return the commit after which servers are told anew what they were told before; None as ``begin_recovery``."""
    recovery = cluster.recovery
    if recovery is None or revision.fleet.clusters.get(cluster.layer) != cluster:
        return None
    changed = recovery.model_copy(update={"at": _time(at)})
    return _changes(f"The recovery of {cluster.layer} is tried again\n", cluster, {"recovery": changed})


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _changes(message: str, cluster: ClusterFile, update: Mapping[str, Any]) -> Changes:
    record = cluster_record(cluster.model_copy(update=dict(update)))
    return Changes(message, {cluster_file(cluster.layer): record})
