"""The clusters of all layers of kind k3s whose machines the daemon configures."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import NotYetError, OperationError
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.ainur.recovery import Plan
from iluvatar_pxe.layers.ainur.removal import Servers
from iluvatar_pxe.layers.founding import Refuse
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.problem import first_of
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.k3s_watch import K3sWatch
from iluvatar_pxe.provisioning.layer_tasks import LayerTasks
from iluvatar_pxe.provisioning.node_tasks import NodeTasks


class _K3sLayers(Struct, frozen=True):
    context: ClusterContext

    @property
    def changed(self) -> Changed:
        return self.context.changed

    def layers(self) -> list[str]:
        return k3s_layers(self.context.fleet())


def k3s_layers(fleet: Fleet) -> list[str]:
    """Return the names of the layers of kind k3s whose machines the daemon configures."""
    found = ((name, fleet.k3s(name)) for name in fleet.layers)
    return [name for name, layer in found if layer and not layer.configures_itself]


def place_in_k3s(machine: Machine, fleet: Fleet) -> tuple[str, str] | None:
    """Return the layer and the name of a machine that may be in a k3s cluster which the daemon looks after."""
    place = listed_as(machine, fleet) or machine.assignment
    if place is None or place.layer is None or not fleet.has_k3s_cluster(place.layer):
        return None
    return (place.layer, place.name) if machine.phase in {Phase.INSTALLED, Phase.JOINED} else None


class K3sClusters:
    """All that are looked after."""

    def __init__(self, context: ClusterContext, on_nodes: Callable[[str, tuple[Node, ...]], None]) -> None:
        """``on_nodes`` hears of a layer's Nodes each time that they are looked at."""
        self._layers = _K3sLayers(context)
        self.node_tasks = NodeTasks(context.fleet, context.snapshot, context.secrets.known_k3s)
        self._watches = LayerTasks(
            self._layers, lambda layer: K3sWatch(layer, context, on_nodes, self.node_tasks)
        )

    @property
    def layers(self) -> list[str]:
        """Names of the layers, of the applied fleet."""
        return self._layers.layers()

    @property
    def watches(self) -> Mapping[str, K3sWatch]:
        """Those of the layers, by their names."""
        return self._watches.by_layer

    @property
    def lines(self) -> list[str]:
        """What each cluster waits for that is not founded, and what is done with its nodes, one line each."""
        watches = self.watches.values()
        told = [line for watch in watches for line in (watch.line, watch.upkeep.line) if line]
        leaving = [line for watch in watches for line in watch.removal.lines]
        recovering = [watch.recovery.line for watch in watches if not watch.line]
        return [*told, *leaving, *filter(None, recovering)]

    @property
    def problem(self) -> str | None:
        """What a person has to decide, in one line; None if there is nothing."""
        watches = self.watches.values()
        refused = (watch for watch in watches if isinstance(watch.step, Refuse))
        told = [*(one.line for one in refused), *(one.upkeep.problem for one in watches)]
        return first_of([*self._watches.failed.values(), *filter(None, told)])

    @property
    def awaited(self) -> dict[str, str]:
        """By the names of the machines that a cluster waits for, or that are not well, why."""
        return {name: why for watch in self.watches.values() for name, why in watch.awaited.items()}

    async def part_of(self, layer: str, name: str, role: Role, asks: Asks) -> K3sPart:
        """See ``K3sWatch``; raises NotYetError also where nobody looks after that layer yet."""
        watch = self.watches.get(layer)
        if watch is None:
            raise NotYetError(f"{layer} is not looked after yet; ask again")
        return await watch.part_of(name, role, asks)

    async def harm(self, machine: Machine) -> str:
        """Say why a machine is not to be installed again now; see ``K3sWatch``."""
        place = place_in_k3s(machine, self._layers.context.fleet())
        watch = self.watches.get(place[0]) if place else None
        return await watch.harm(place[1]) if place and watch else ""

    async def servers(self, layer: str) -> Servers | None:
        """See ``K3sWatch``; None also for a layer that is not looked after here."""
        watch = self.watches.get(layer)
        return await watch.servers() if watch else None

    async def recover(self, layer: str, server: str, agreed: str | None = None) -> Plan:
        """See ``K3sWatch``; raises OperationError also for a layer that is no k3s cluster looked after here."""
        watch = self.watches.get(layer)
        if watch is None:
            raise OperationError(f"{layer}: is no k3s cluster that this daemon looks after")
        return await watch.recover(server, agreed)

    def keeps(self, machine: Machine) -> str:
        """Say why a machine that has left the fleet may still be in a cluster; empty where it is in none."""
        return first_of([why for one in self.watches.values() if (why := one.removal.keeps(machine))]) or ""

    def has_secrets(self, layer: str, name: str) -> None:
        """Take in that a machine has stored its secrets."""
        if watch := self.watches.get(layer):
            watch.has_secrets(name)

    async def run(self) -> None:
        """Look after the clusters of the applied fleet, until cancelled."""
        await self._watches.run()
