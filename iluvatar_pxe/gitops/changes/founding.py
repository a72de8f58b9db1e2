"""A cluster is founded once: its record is committed before the call that founds it, and by one daemon only. Pure."""

import json

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.sealing import SEALED

_HEAD = "# Written by iluvatar-pxe before this cluster was founded. While this file exists, the cluster is not founded again.\n"


def cluster_path(name: str) -> str:
    """Return the path of a cluster's record."""
    return f"clusters/{name}.yaml"


def secrets_path(name: str) -> str:
    """Return the path of a cluster's sealed secrets."""
    return f"clusters/{name}{SEALED}"


def found(revision: Revision, name: str, cluster: ClusterFile, sealed: bytes) -> Changes:
    """Return the commit that founds a cluster, for ``Follower.commit``; raises OperationError where that was done.

    ``sealed`` are its secrets. The loser of the push race is refused on its retry.
    """
    if name in revision.fleet.clusters or secrets_path(name) in revision.tree.texts:
        remedy = f"to found it again, remove {cluster_path(name)} and {secrets_path(name)} in a commit"
        raise OperationError(f"{name}: is already founded; {remedy}")
    told = cluster.model_dump(mode="json", by_alias=True)
    record = _HEAD + "".join(f"{key}: {json.dumps(value)}\n" for key, value in told.items())
    files: dict[str, bytes | None] = {cluster_path(name): record.encode(), secrets_path(name): sealed}
    return Changes(f"{name} is founded by {cluster.founder}\n", files)
