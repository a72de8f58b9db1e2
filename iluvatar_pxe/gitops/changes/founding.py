"""The commits on a cluster's way: its secrets, who founds it, and that it is founded. Pure but for sealing.

Each is made by one daemon only. Machines need the secrets before one of them can be chosen to found the cluster, so the
founder is named by a second commit, before it is asked to.
"""

import json
from datetime import UTC, datetime

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.fleet.source import cluster_file, cluster_secrets
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.sealing import seal

_HEAD = """\
# yaml-language-server: $schema=../schemas/cluster.schema.json
# Written by iluvatar-pxe: this cluster has its secrets, and is founded once, by the founder. Keep this file.
"""


def give_secrets(revision: Revision, layer: str, fingerprint: str, secrets: str) -> Changes | None:
    """Return the commit that gives a layer's cluster its secrets; None where it has some, which then count.

    ``fingerprint`` is that of the CA among them. Raises SealError where nobody could open them.
    """
    if layer in revision.fleet.clusters:
        return None
    cluster = ClusterFile.model_validate({"layer": layer, "caFingerprint": fingerprint})
    sealed = seal(secrets.encode(), revision.fleet.recipients.keys)
    return cluster_changes(f"{layer} has its secrets\n", cluster, {cluster_secrets(layer): sealed})


def name_founder(revision: Revision, layer: str, founder: str) -> Changes | None:
    """Return the commit that names who founds a cluster; None where one is named, who then counts.

    Raises OperationError where the cluster has no secrets.
    """
    cluster = _known(revision, layer)
    if cluster.founder:
        return None
    return cluster_changes(
        f"{layer} is founded by {founder}\n", cluster.model_copy(update={"founder": founder})
    )


def note_founded(revision: Revision, layer: str, generation: int, at: datetime) -> Changes | None:
    """Return the commit that says when it was proved that a cluster is founded; None where that is said already.

    None, too, where its generation is another than ``generation``. Raises OperationError where it has no secrets.
    """
    cluster = _known(revision, layer)
    if cluster.founded or cluster.generation != generation:
        return None
    founded: dict[str, object] = {"founded": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    if (k3s := revision.fleet.k3s(layer)) and k3s.k3s.is_chosen:
        founded["version"] = k3s.k3s.version
    return cluster_changes(f"{layer} is founded\n", cluster.model_copy(update=founded))


def found_again(revision: Revision, layer: str, generation: int) -> Changes | None:
    """Return the commit after which a cluster is founded again, with the same secrets, by whoever is named next.

    None where its generation is another than ``generation`` already. Raises OperationError where the cluster has no
    secrets.
    """
    cluster = _known(revision, layer)
    if cluster.generation != generation:
        return None
    fresh = cluster.model_copy(
        update={"generation": generation + 1, "founder": None, "founded": None, "version": None}
    )
    return cluster_changes(f"{layer} is founded again\n", fresh)


def _known(revision: Revision, layer: str) -> ClusterFile:
    if cluster := revision.fleet.clusters.get(layer):
        return cluster
    raise OperationError(
        f"{cluster_file(layer)}: is not there, so {layer} has no secrets; restore it from the repository's history"
    )


def cluster_changes(
    message: str, cluster: ClusterFile, files: dict[str, bytes | None] | None = None
) -> Changes:
    """Return the commit that makes a cluster's record say this, and adds ``files``."""
    return Changes(message, {cluster_file(cluster.layer): cluster_record(cluster), **(files or {})})


def cluster_record(cluster: ClusterFile) -> bytes:
    """Return the file that records a cluster."""
    told = cluster.model_dump(mode="json", by_alias=True, exclude_none=True)
    return (_HEAD + "".join(f"{key}: {json.dumps(value)}\n" for key, value in told.items())).encode()
