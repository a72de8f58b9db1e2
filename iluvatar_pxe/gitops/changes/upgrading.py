"""The commit that has a k3s cluster upgraded. Pure."""

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.gitops.changes.founding import cluster_changes
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision


def ask_for_upgrade(revision: Revision, layer: str, version: str) -> Changes:
    """Return the commit after which a cluster's nodes are upgraded to a version of k3s, tried anew also where one has failed.

    Raises OperationError where the cluster is not founded.
    """
    cluster = revision.fleet.clusters.get(layer)
    if cluster is None or not cluster.founded:
        raise OperationError(f"{layer} is not founded, so there is nothing to upgrade")
    asked = cluster.model_copy(update={"version": version, "upgrade": (cluster.upgrade or 0) + 1})
    return cluster_changes(f"{layer} is upgraded to k3s {version}\n", asked)
