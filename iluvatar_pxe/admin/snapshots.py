"""Commands on snapshots of etcd, and what is told of them."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import clusters as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.amount import amount
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.etcd.snapshots import KeptSnapshot
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots


class TakeSnapshot(requests.TakeSnapshot, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        layer = self.layer or _only(context.fleet)
        kept = await of_daemon(context.snapshots).take(layer)
        told = f"{layer}: {kept.name}, {amount(kept.size)}, is verified and sealed"
        return {"message": told, "snapshot": _told(kept)}


async def snapshots_of(snapshots: EtcdSnapshots, layer: str) -> CommandResult:
    """Return which snapshots of a layer's etcd this host keeps, the newest first, and why the last one failed, if so."""
    why = snapshots.why_not(layer)
    try:
        kept = await snapshots.kept(layer)
    except OperationError as error:
        kept, why = (), str(error)
    return {"kept": [_told(one) for one in reversed(kept)], "problem": why}


def _only(fleet: Fleet) -> str:
    """Return the only cluster's layer; raises OperationError where there are none or several."""
    match list(fleet.clusters):
        case [layer]:
            return layer
        case []:
            raise OperationError("the fleet has no cluster with secrets of its own")
        case layers:
            raise OperationError(f"the fleet has several clusters; name one: {', '.join(layers)}")


def _told(kept: KeptSnapshot) -> CommandResult:
    return {"file": kept.name, "taken": f"{kept.taken:%Y-%m-%dT%H:%M:%SZ}", "bytes": kept.size}
