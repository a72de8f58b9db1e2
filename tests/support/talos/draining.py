"""How Talos itself empties a node before it resets or shuts down; what fails of it is only logged."""

from typing import TYPE_CHECKING

from support.talos import running
from support.talos.kubernetes import MIRROR, Object

if TYPE_CHECKING:
    from support.talos.boot import Boot

_LIMIT_SECONDS = 300.0
_LOOK_SECONDS = 1.0


async def cordon_and_drain(boot: "Boot") -> None:
    """Cordon the node, and evict its pods until none is left that can be, or the time is over."""
    configuration = boot.configuration
    assert configuration is not None
    if not boot.is_member_of_kubernetes or not running.has_kubernetes(boot, configuration.os_ca.crt):
        boot.log.write("cordonAndDrainNode: no connection to the Kubernetes API", "error")
        return
    kubernetes, name = boot.machine.site.kubernetes(configuration.os_ca.crt), configuration.hostname
    kubernetes.cordon(name)
    left = _LIMIT_SECONDS
    while pods := [pod for pod in kubernetes.pods.values() if _is_in_the_way(pod, name)]:
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"] and kubernetes.may_evict(pod):
                kubernetes.evict(pod)
        await boot.clock.sleep(_LOOK_SECONDS)
        left -= _LOOK_SECONDS
        if left <= 0:
            boot.log.write("cordonAndDrainNode: pods are left: context deadline exceeded", "error")
            return


def _is_in_the_way(pod: Object, node: str) -> bool:
    owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", ())}
    is_static = MIRROR in pod["metadata"].get("annotations", {})
    return pod["spec"].get("nodeName") == node and "DaemonSet" not in owners and not is_static
