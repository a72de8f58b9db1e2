"""Takes nodes out of a k3s cluster that are gone, or join again under the same name: one at a time.

A node leaves whose file has left the fleet, that is to be installed again, or whose server has lost its data. Any daemon
of the fleet does this, and one at a time (``removal_turn``). What is next is read from the cluster at each look.
"""

import time
from collections.abc import Collection, Mapping

import structlog

from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.layers.ainur.proving import Said, ask
from iluvatar_pxe.layers.ainur.removal import Act, Leaver, Why, doubts, gone_nodes, harm, next_act
from iluvatar_pxe.layers.founding import Unproved
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.longhorn import only_on
from iluvatar_pxe.layers.leaving import Hold, last_copies, unlisted
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.draining import left_on
from iluvatar_pxe.provisioning.k3s_leavers import K3sView, k3s_view
from iluvatar_pxe.provisioning.removal_turn import RemovalTurn
from iluvatar_pxe.values import replace

_HAS_LEFT = "its node has left the cluster; restart it, so that it is installed again"
_log = structlog.get_logger()


class K3sRemoval:
    """Looks after one layer's cluster."""

    def __init__(self, layer: str, context: ClusterContext) -> None:
        self.layer = layer
        self._context = context
        self.leaving: Mapping[str, str] = {}
        """By the names of the nodes that leave, what is done, or what it waits for."""
        self._since: dict[tuple[str, str], float] = {}
        """By what it is and a name, since when that is so without a break; by the monotonic clock."""
        self._drained: set[str] = set()
        """Names of nodes that have no pods any more."""
        self.turn = RemovalTurn(context.pace.turn)
        self._cleared: frozenset[str] = frozenset()
        """MACs of machines that have left the fleet, of which nothing was left in the cluster at the last look."""
        self._doubts: tuple[str, ...] = ()
        """Lines on nodes of which it is not known whether they are to leave."""
        self._told = Problem(lambda why: _log.warning("machine.leaves", layer=layer, why=why))
        self.is_busy = False
        """Something of a node that leaves was left in the cluster at the last look."""

    @property
    def lines(self) -> list[str]:
        """What leaves, one line for each node, and why that cannot be found out."""
        stuck = [self._told.text] if self._told.text else []
        leaving = [f"{self.layer}: {name} leaves: {why}" for name, why in self.leaving.items()]
        return [*leaving, *(f"{self.layer}: {line}" for line in self._doubts), *stuck]

    def keeps(self, machine: Machine) -> str:
        """Say why something of a machine may be left in the cluster that has left the fleet; empty where nothing is."""
        is_founded = self._context.fleet().has_k3s_cluster(self.layer)
        is_pi = machine.firmware is Firmware.RASPBERRY_PI
        is_gone = is_pi and any(machine.id == one.id for one in self._gone())
        if not (is_founded and is_gone) or machine.macs[0] in self._cleared:
            return ""
        return "; ".join(self.lines) or f"{self.layer}: the cluster has not been asked yet what is left of it"

    async def look(self, said: Mapping[str, Said], without_data: Collection[str], joining: str) -> None:
        """Look once, and do what is next.

        ``said`` and ``without_data`` as of ``k3s_view``; ``joining`` is a server that was told to join, or empty.
        """
        try:
            view = await k3s_view(self.layer, said, without_data, self._context)
            if view is None:
                self._show({})
                self.is_busy = False
                return
            await self._take_back(view)
            await self._advance(view, joining)
            self._clear(view)
            self._doubt(view.doubts)
            self._told.clear()
        except IluvatarError as error:
            self._told.set(f"{self.layer}: {error}")

    async def left_of(self, name: str, said: Mapping[str, Said]) -> str:
        """Say what a cluster still has of a server that is to join it without data; empty where that is nothing."""
        view = await k3s_view(self.layer, said, [name], self._context)
        if view is None:
            return "no server serves Kubernetes"
        act = next_act(await self._leaver(name, view, ""), view.servers)
        return act.why if isinstance(act, Hold) else act or ""

    async def harm(self, name: str, said: Mapping[str, Said]) -> str:
        """Say what the cluster would lose by an installation of a node, and what to do; nothing where that is nothing."""
        view = await k3s_view(self.layer, said, (), self._context)
        if view is None:
            return "no server serves Kubernetes; mend one"
        if name not in view.nodes and not view.members_of(name):
            return ""
        going = view.leaving.keys() & view.servers.members
        servers = replace(view.servers, away=view.servers.away | going)
        replicas = only_on(name, view.replicas, view.staying)
        return harm(name, Why.REINSTALL, servers, is_server=view.is_server(name)) or last_copies(replicas)

    def _gone(self) -> tuple[Machine, ...]:
        """Return the machines that have no place in the fleet any more."""
        fleet, snapshot = self._context.fleet(), self._context.snapshot()
        return unlisted(snapshot, fleet, members_of(snapshot, fleet))

    def _clear(self, view: K3sView) -> None:
        """Take in of which machines nothing is left; whose a member of etcd without a Node is, cannot be told."""
        is_clear = not any(why is Why.GONE and name not in view.nodes for name, why in view.leaving.items())
        others = [node for name, node in view.nodes.items() if name not in view.listed]
        left = (
            one.macs[0]
            for one in self._gone()
            if not gone_nodes(self.layer, others, [one]) and not doubts(others, [one])
        )
        self._cleared = frozenset(left) if is_clear else frozenset()

    def _doubt(self, doubts: tuple[str, ...]) -> None:
        """Take in which nodes are left alone, and log what is new of that."""
        for line in sorted({*doubts} - {*self._doubts}):
            _log.warning("machine.doubtful", layer=self.layer, why=line)
        self._doubts = doubts

    async def _take_back(self, view: K3sView) -> None:
        """Uncordon nodes that are not to leave any more."""
        ours = {Why.GONE, Why.REINSTALL}
        for name, node in view.nodes.items():
            is_back = name in view.listed and name not in view.leaving and node.note in ours
            if is_back and not self._context.observes and await self._is_our_turn(view):
                await kubernetes.uncordon(view.plane, view.credentials, name)
                _log.info("machine.stays", machine=name, layer=self.layer)

    async def _advance(self, view: K3sView, joining: str) -> None:
        """Do what is next for the first node for which something can be done."""
        self._drained &= view.leaving.keys() & view.nodes.keys()
        self._since = {key: since for key, since in self._since.items() if key[1] in view.leaving}
        acts: dict[str, Act | Hold | None] = {}
        first = joining
        for name in view.order:
            waits = first if view.is_server(name) and first != name else ""
            acts[name] = next_act(await self._leaver(name, view, waits), view.servers)
            if view.is_server(name) and acts[name]:
                first = first or name
        steps = {name: act.why if isinstance(act, Hold) else str(act) for name, act in acts.items() if act}
        self.is_busy = bool(steps)
        again = [name for name, act in acts.items() if act is None and view.leaving[name] is Why.REINSTALL]
        steps |= dict.fromkeys(again, _HAS_LEFT)
        due = next(((name, act) for name, act in acts.items() if isinstance(act, Act)), None)
        try:
            if due and not self._context.observes:
                steps[due[0]] = await self._do(due[1], due[0], view)
        finally:
            self._show(steps)

    async def _do(self, act: Act, name: str, view: K3sView) -> str:
        """Do it, unless another daemon does; return in words what is done."""
        if view.leaving[name] is Why.GONE and (why := self._context.fleet_problem()):
            return f"not while the newest fleet is not applied: {why}"
        if not await self._is_our_turn(view):
            return f"{act}, by another daemon"
        if act is Act.DELETE_NODE:
            await kubernetes.delete_node(view.plane, view.credentials, name)
            return str(act)
        left = await left_on(view.nodes[name], view.plane, view.credentials, view.leaving[name])
        if not left:
            self._drained.add(name)
        return f"{act}; {left}" if left else str(act)

    async def _is_our_turn(self, view: K3sView) -> bool:
        return await self.turn.take(view.plane, view.credentials)

    async def _leaver(self, name: str, view: K3sView, waits_for: str) -> Leaver:
        why, node = view.leaving[name], view.nodes.get(name)
        is_ready = bool(node and node.is_ready)
        asks_password = node is None and why is not Why.GONE
        return Leaver(
            name=name,
            why=why,
            is_server=view.is_server(name),
            is_node=node is not None,
            is_ready=is_ready,
            is_drained=name in self._drained,
            is_due=self._lasts("gone", name, is_so=why is Why.GONE),
            is_lost=self._lasts("silent", name, is_so=not is_ready),
            is_answering=why is Why.LOST and node is not None and await self._answers(name, view),
            waits_for=waits_for or (view.claimant if view.claimant != name else ""),
            members=view.members_of(name),
            has_password=asks_password
            and await kubernetes.has_node_password(view.plane, view.credentials, name),
            last_replicas=only_on(name, view.replicas, view.staying),
        )

    async def _answers(self, name: str, view: K3sView) -> bool:
        """Say whether k3s runs on a server that has asked for its secrets: another daemon may have given them."""
        at = view.listed[name].address
        said = await ask(name, at, view.bundle, view.credentials)
        return not isinstance(said.found, Unproved)

    def _lasts(self, what: str, name: str, *, is_so: bool) -> bool:
        """Say whether something has been so for long enough."""
        key, now = (what, name), time.monotonic()
        if not is_so:
            self._since.pop(key, None)
            return False
        return now - self._since.setdefault(key, now) >= self._context.pace.gone

    def _show(self, leaving: Mapping[str, str]) -> None:
        """Take in what is done, and log what is new of it."""
        for name, step in leaving.items():
            if self.leaving.get(name) != step:
                _log.info("machine.leaves", machine=name, layer=self.layer, step=step)
        self.leaving = leaving
