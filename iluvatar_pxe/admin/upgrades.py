"""The command that has a k3s cluster upgraded."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import clusters as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import layer_file

_TALOS = "is a layer of Talos: run talosctl upgrade-k8s for Kubernetes, and machines reinstall for Talos, as docs/talos.md says"


class UpgradeCluster(requests.UpgradeCluster, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        version = _wanted(self.layer, context.fleet)
        watch = of_daemon(context.clusters).k3s.watches.get(self.layer)
        if watch is None:
            raise OperationError(
                f"{self.layer}: the daemon configures none of its machines, so it upgrades none"
            )
        await watch.upgrade(version)
        return {
            "message": f"{self.layer} is upgraded to k3s {version}; iluvatar-pxe cluster status shows how far it is"
        }


def _wanted(layer: str, fleet: Fleet) -> str:
    """Return the version of k3s that a layer's file names, or the one that was chosen for it."""
    if fleet.talos(layer):
        raise OperationError(f"{layer}: {_TALOS}")
    found = fleet.k3s(layer)
    if found is None:
        raise OperationError(f"{layer_file(layer)}: there is no layer of kind k3s; create it")
    if not found.k3s.is_chosen:
        raise OperationError(
            f"which version of k3s is 'stable' for {layer_file(layer)} is not known yet; write a version"
        )
    return found.k3s.version
