"""Gives Longhorn of a cluster its backup target and recurring jobs, as the fleet says, and takes away what it does not."""

import structlog

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.kubernetes import objects
from iluvatar_pxe.layers.kubernetes.longhorn_backup import (
    KINDS,
    NAMESPACE,
    backup_objects,
    credentials_of,
    no_target,
)
from iluvatar_pxe.layers.kubernetes.ours import Object, is_as_wanted, path_of
from iluvatar_pxe.provisioning.plane import Plane

_log = structlog.get_logger()


async def give_backups(plane: Plane, fleet: Fleet) -> None:
    """Have a cluster's Longhorn copy its volumes as the fleet says; nothing is done while there is no Longhorn.

    What people or Argo CD made stays, but for the target, which there is only one of. Raises IluvatarError.
    """
    targets = await objects.ours(plane.address, plane.credentials, "BackupTarget", NAMESPACE)
    known = {path_of(one): one for one in targets}
    for kind in KINDS:
        found = await objects.ours(plane.address, plane.credentials, kind, NAMESPACE)
        known |= {path_of(one): one for one in found}
    wanted = {path_of(one): one for one in _wanted(fleet, has_target=bool(targets))}
    for path, one in wanted.items():
        is_new = path not in known or not is_as_wanted(known[path], one)
        if is_new and await objects.apply(plane.address, plane.credentials, one):
            _log.info("longhorn.backup", layer=plane.layer, object=path)
    for path, one in known.items():
        if path not in wanted:
            await objects.delete(plane.address, plane.credentials, one)
            _log.info("longhorn.backup_removed", layer=plane.layer, object=path)


def _wanted(fleet: Fleet, *, has_target: bool) -> list[Object]:
    backups = fleet.settings.backup
    backup = backups.longhorn if backups else None
    if backup is None:
        return [no_target()] if has_target else []
    path = backup.credentials
    return list(backup_objects(backup, credentials_of(path, fleet.texts.get(path, "")) if path else {}))
