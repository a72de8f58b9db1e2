"""Has the nodes of a k3s cluster upgraded and restarted in turn.

Any daemon of the fleet does this, one at a time, and the same one takes nodes out (``removal_turn``). What is next is read
from the cluster and from what nodes say at each look; what was asked for is in the cluster's record.
"""

import time
from collections.abc import Collection, Mapping

import structlog

from iluvatar_pxe.errors import ConfigurationError, IluvatarError
from iluvatar_pxe.fleet.lookup import root_of
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.bundle_check import k3s_ends_of
from iluvatar_pxe.layers.ainur.cloud_config import k3s_assets
from iluvatar_pxe.layers.ainur.node_tasks import Facts
from iluvatar_pxe.layers.ainur.proving import Said
from iluvatar_pxe.layers.ainur.reboots import REBOOT
from iluvatar_pxe.layers.ainur.turns import Drain, Free, Step, Stop, Tell, TurnNode, Wait
from iluvatar_pxe.layers.ainur.upgrade import UPGRADE, Plan
from iluvatar_pxe.layers.ainur.upkeep import Hindrances, next_step, unwell, words
from iluvatar_pxe.layers.kubernetes import client
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.draining import left_on
from iluvatar_pxe.provisioning.k3s_leavers import K3sView, k3s_view
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.provisioning.removal_turn import RemovalTurn

_log = structlog.get_logger()


class K3sUpkeep:
    """Looks after one layer's cluster."""

    def __init__(self, layer: str, context: ClusterContext, tasks: NodeTasks, turn: RemovalTurn) -> None:
        self.layer = layer
        self._context = context
        self._tasks = tasks
        self._turn = turn
        self._given = ""
        """The node that was given a task here."""
        self._since: tuple[str, str, float] = ("", "", 0.0)
        """The node that was told to do something last, by which id, and since when, by the monotonic clock."""
        self._drained: set[tuple[str, str]] = set()
        """Names of nodes that have no pods any more, with what they were cordoned for: another daemon may free them."""
        self._step: Step | None = None
        self._line = ""

    @property
    def is_busy(self) -> bool:
        """Say whether something is being done."""
        return isinstance(self._step, Drain | Tell | Free)

    @property
    def is_waiting(self) -> bool:
        """Say whether something is to be done, but not now."""
        return isinstance(self._step, Wait | Stop)

    @property
    def line(self) -> str | None:
        """What is done, in one line; None where that is nothing."""
        return f"{self.layer}: {self._line}" if self._line else None

    @property
    def problem(self) -> str | None:
        """What a person has to mend, in one line; None where that is nothing."""
        return self.line if isinstance(self._step, Stop) else None

    @property
    def awaited(self) -> dict[str, str]:
        """By the name of the node at which this has stopped, why."""
        stopped = self._step.name if isinstance(self._step, Stop) else ""
        return {stopped: self.line or ""} if stopped else {}

    async def look(self, said: Mapping[str, Said], without_data: Collection[str], joining: str) -> None:
        """Look once, and do what is next; see ``K3sRemoval.look``."""
        try:
            if self._is_recovered:
                self._withdraw("")
                self._show(None, "")
                return
            view = await k3s_view(self.layer, said, without_data, self._context)
            step = await self._next(view, joining) if view else None
            done = await self._do(step, view) if view and step and not self._context.observes else ""
            self._show(step, done)
        except IluvatarError as error:
            self._show(Wait(str(error)), "")

    @property
    def _is_recovered(self) -> bool:
        """Say whether the cluster is being recovered, which nothing else is done beside."""
        record = self._context.fleet().clusters.get(self.layer)
        return record is not None and record.recovery is not None

    async def _next(self, view: K3sView, joining: str) -> Step | None:
        plan = self._plan()
        facts = {name: one for name, one in self._tasks.facts.items() if name in view.listed}
        nodes = tuple(self._node(one, view, facts.get(one.name), plan) for one in self._listed(view))
        lacking = [
            one.name for one in await client.volumes(view.plane, view.credentials) if not one.is_healthy
        ]
        learners = [one.node for one in view.members if one.is_learner]
        ends = k3s_ends_of(view.bundle)
        return next_step(
            nodes,
            plan,
            facts,
            Hindrances(
                busy=_busy(view, joining), unwell=unwell(nodes, view.servers.members, learners, lacking)
            ),
            min(ends.values()),
            wall_clock(),
        )

    def _listed(self, view: K3sView) -> list[Node]:
        return [one for name, one in view.nodes.items() if name in view.listed and name not in view.leaving]

    def _plan(self) -> Plan | None:
        """Return what the cluster is to run; None where that is not in its record."""
        record = self._context.fleet().clusters.get(self.layer)
        if record is None or record.version is None:
            return None
        try:
            assets = k3s_assets(record.version, self._tasks.sums())
        except ConfigurationError as error:
            return Plan(record.version, record.upgrade or 0, missing=str(error))
        return Plan(record.version, record.upgrade or 0, assets)

    def _node(self, node: Node, view: K3sView, facts: Facts | None, plan: Plan | None) -> TurnNode:
        fleet = self._context.fleet()
        layer = fleet.k3s(self.layer)
        listed = next((one for one in fleet.listed if one.name == node.name), None)
        return TurnNode(
            name=node.name,
            is_server=view.is_server(node.name),
            is_ready=node.is_ready and (node.name in view.servers.healthy or not view.is_server(node.name)),
            version=node.version,
            boot=node.boot,
            note=node.note,
            is_drained=(node.name, node.note) in self._drained and node.is_unschedulable,
            is_heard=facts is not None,
            is_late=self._is_late(node, plan),
            in_memory=layer is not None and root_of(layer, listed).kind is RootKind.MEMORY,
            reboot_required=bool(
                layer and layer.reboots and facts and facts.reboot_required and facts.boot == node.boot
            ),
            told=facts.task if facts else None,
        )

    def _is_late(self, node: Node, plan: Plan | None) -> bool:
        """Say whether a node was told so long ago that it is stuck; a restart is tried again after as long."""
        (name, task, since), late = self._since, self._context.pace.late
        passed = time.monotonic() - since
        if name != node.name:
            return False
        if task.startswith(REBOOT):
            return passed % (2 * late) > late
        return plan is not None and task == plan.id and passed > late

    async def _do(self, step: Step, view: K3sView) -> str:
        """Do it, unless another daemon does; return in words what is left of it."""
        if not isinstance(step, Drain | Tell | Free):
            self._withdraw("")
            return ""
        if not await self._turn.take(view.plane, view.credentials):
            self._withdraw("")
            return "by another daemon"
        self._withdraw(step.name if isinstance(step, Tell) else "")
        if isinstance(step, Free):
            self._drained = {one for one in self._drained if one[0] != step.name}
            await client.uncordon(view.plane, view.credentials, step.name)
            return ""
        if self._since[:2] != (step.name, step.task.id):
            self._since = step.name, step.task.id, time.monotonic()
        if isinstance(step, Tell):
            self._tasks.give(step.name, step.task)
            self._given = step.name
            return ""
        return await self._drain(step, view)

    async def _drain(self, step: Drain, view: K3sView) -> str:
        node = view.nodes[step.name]
        if node.note != step.note:
            await client.cordon(view.plane, view.credentials, step.name, step.note)
        left = await left_on(node, view.plane, view.credentials, step.note)
        if not left:
            self._drained.add((step.name, step.note))
        return left

    def _withdraw(self, but: str) -> None:
        """Have the node that was given a task here do nothing any more, if it has not begun."""
        if self._given and self._given != but:
            self._tasks.withdraw(self._given)
            self._given = ""

    def _show(self, step: Step | None, more: str) -> None:
        """Take in what is done, and log what is new of it."""
        if isinstance(step, Stop) and self._since[1].startswith(UPGRADE):
            more = f"then run: iluvatar-pxe cluster upgrade --layer {self.layer}"
        line = "; ".join(filter(None, [words(step), more])) if step else ""
        if line and line != self._line:
            log = _log.error if isinstance(step, Stop) else _log.info
            log("cluster.upkeep", layer=self.layer, step=line)
        self._step, self._line = step, line


def _busy(view: K3sView, joining: str) -> str:
    if view.leaving:
        return f"{', '.join(sorted(view.leaving))} leaves first"
    if joining:
        return f"{joining} joins first"
    return f"{view.claimant} is changed first" if view.claimant else ""
