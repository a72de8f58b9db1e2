"""The commit that gives a listed machine another name: its file is moved. Pure."""

from collections.abc import Sequence

from iluvatar_pxe.boot.assign import Reservation, is_free_again
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.source import cluster_file, layer_file
from iluvatar_pxe.gitops.changes.machine_file import machine_path
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision


def rename(revision: Revision, old: str, new: str, taken: Sequence[Reservation], by: str) -> Changes:
    """Return the commit after which the file of ``old`` is that of ``new``, to the letter.

    ``taken`` are names that the fleet's files do not show. Raises OperationError where there is no such file, the name
    is taken, or the record of a cluster names the machine.
    """
    text = revision.tree.texts.get(machine_path(old))
    if text is None:
        raise OperationError(f"{old}: the fleet has no {machine_path(old)}")
    if machine_path(new) in revision.tree.texts:
        raise OperationError(f"{new}: {machine_path(new)} has this name; choose another")
    for one in taken:
        if one.name == new and not (one.machine_id is None and is_free_again(one, revision.fleet)):
            remedy = f"choose another, or add it to reuseNames in {layer_file(one.layer)}"
            raise OperationError(f"{new}: a machine has or had this name; {remedy}")
    for layer, cluster in revision.fleet.clusters.items():
        if old in {cluster.founder, cluster.recovery and cluster.recovery.server}:
            raise OperationError(f"{old}: {cluster_file(layer)} names it as a founder; it keeps its name")
    files: dict[str, bytes | None] = {machine_path(old): None, machine_path(new): text.encode()}
    return Changes(f"{old} is renamed to {new}\n\nBy {by}.\n", files)
