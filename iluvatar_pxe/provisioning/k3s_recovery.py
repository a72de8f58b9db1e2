"""Recovers one layer's k3s cluster as its record says, until all servers are members again.

Any daemon of the fleet does this. They see the same, and the record decides: exactly one server is ever told to reset.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from iluvatar_pxe.dns.members import Member, members_of
from iluvatar_pxe.errors import OperationError, RepositoryError
from iluvatar_pxe.fleet.daemon_files import ClusterFile, Recovery
from iluvatar_pxe.gitops.changes.founding import found_again
from iluvatar_pxe.gitops.changes.recovering import (
    begin_recovery,
    end_recovery,
    give_up_recovery,
    note_reset,
    try_again,
)
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.asking_etcd import etcd_members
from iluvatar_pxe.layers.ainur.founding import Serves
from iluvatar_pxe.layers.ainur.node_tasks import Kind, Task
from iluvatar_pxe.layers.ainur.proving import Said
from iluvatar_pxe.layers.ainur.recovery import (
    Act,
    Failed,
    Give,
    GiveUp,
    NewFounder,
    NoteReset,
    Nothing,
    Over,
    Plan,
    Restore,
    TryAgain,
    Waits,
    forget_task,
    mark_of,
    next_act,
    plan_for,
    plan_under_way,
)
from iluvatar_pxe.layers.arda.endpoint import api_name
from iluvatar_pxe.layers.founding import Refuse, Step, Wait
from iluvatar_pxe.layers.kubernetes.client import delete_node
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.values import replace

_OURS = frozenset([Kind.RESET, Kind.FORGET_ETCD])
_log = structlog.get_logger()


@dataclass
class K3sRecovery:
    """Looks after one layer's cluster; belongs to one event loop."""

    layer: str
    context: ClusterContext
    tasks: NodeTasks
    why: str = ""
    """What a recovery waits for that is under way; empty where none is."""
    names: tuple[str, ...] = ()
    """The servers that it is about."""
    _told: Problem = field(init=False)

    def __post_init__(self) -> None:
        self._told = Problem(lambda why: _log.warning("cluster.recovers", why=why))

    async def plan(self, said: Mapping[str, Said], server: str) -> Plan:
        """Return what is to be done, by what the servers said just now; raises OperationError."""
        found = {name: one.found for name, one in said.items()}
        cluster = self._cluster
        if cluster and cluster.recovery:
            act = await self._next(cluster, cluster.recovery, said)
            return plan_under_way(cluster.recovery, act, found.keys())
        kept = self.context.snapshots
        snapshots = await kept.taken(self.layer) if kept else []
        return plan_for(cluster, found, self.tasks.facts, server, snapshots)

    async def begin(self, plan: Plan) -> None:
        """Commit what a plan begins with; raises OperationError where there is nothing to do, or the record has changed."""
        cluster = self._cluster
        if cluster is None or isinstance(plan, Nothing):
            raise OperationError(
                plan.why if isinstance(plan, Nothing) else f"{self.layer}: has no cluster any more"
            )
        if isinstance(plan, NewFounder):
            _log.warning("cluster.founded_again", layer=self.layer, why=f"{plan.lost} is given up")
            await self._commit(lambda newest: found_again(newest, self.layer, cluster.generation))
            return
        if isinstance(plan, GiveUp | TryAgain):
            _log.warning("cluster.recovery", layer=self.layer, server=plan.server, why=mark_of(plan))
            await self._commit(
                lambda newest: (
                    give_up_recovery(newest, cluster, plan.why)
                    if isinstance(plan, GiveUp)
                    else try_again(newest, cluster, wall_clock())
                )
            )
            return
        server, snapshot = plan.server, plan.taken if isinstance(plan, Restore) else None
        _log.warning("cluster.recovery", layer=self.layer, server=server)
        await self._commit(lambda newest: begin_recovery(newest, cluster, server, wall_clock(), snapshot))
        after = self._cluster
        if after is None or after.recovery is None or after.recovery.server != server:
            raise OperationError(
                f"{self.layer}: its record was changed meanwhile; see cluster status, and try again"
            )

    async def look(self, said: Mapping[str, Said]) -> Step | None:
        """Do what is next of a recovery that is recorded; return what its cluster waits for while it has no server.

        Raises IluvatarError.
        """
        cluster = self._cluster
        if cluster is None or cluster.recovery is None:
            self._show(None)
            self._withdraw(said)
            return None
        found = {name: one.found for name, one in said.items()}
        members = await self._members(cluster, said)
        self._withdraw(members)
        self._offer(cluster.recovery)
        self._forewarn(cluster.recovery, members, found.keys() - members - self.tasks.facts.keys(), self._api)
        act = next_act(cluster.recovery, found, self.tasks.facts, members, self._api)
        match act:
            case Give(server, task):
                if not self.context.observes and await self._is_sure(cluster):
                    self.tasks.give(server, await self._with_snapshot(task, cluster.recovery))
                self._show(f"{server} is told: {task.kind}", (server,))
            case NoteReset():
                if cluster.recovery.snapshot and not self.context.observes:
                    await self._delete_strangers(cluster.recovery.server, said)
                await self._commit(lambda newest: note_reset(newest, cluster, wall_clock()))
                self._show(f"{cluster.recovery.server} is the only member of etcd")
            case Over(why):
                await self._commit(lambda newest: end_recovery(newest, cluster, why))
                self._show(None)
                _log.info("cluster.recovered", layer=self.layer, why=why)
            case Waits(why, names):
                self._show(why, names)
            case Failed(why):
                self._show(why)
                return Refuse(f"{why}; mend that, and run: iluvatar-pxe cluster recover --layer {self.layer}")
        if cluster.recovery.reset or isinstance(act, Over):
            return None
        return Wait(self.why, self.names)

    async def _next(self, cluster: ClusterFile, recovery: Recovery, said: Mapping[str, Said]) -> Act:
        found = {name: one.found for name, one in said.items()}
        members = await self._members(cluster, said)
        return next_act(recovery, found, self.tasks.facts, members, self._api)

    @property
    def _api(self) -> str:
        return api_name(self.layer, self.context.fleet())

    def restores(self, name: str) -> bool:
        """Say whether a server without data is to start nevertheless, because it gets that of a snapshot."""
        recovery = self._cluster.recovery if self._cluster else None
        return bool(recovery and recovery.snapshot and recovery.reset is None and recovery.server == name)

    def _forewarn(
        self, recovery: Recovery, members: AbstractSet[str], silent: Iterable[str], api: str
    ) -> None:
        """Have servers that are off forget their etcd before their k3s starts: several of them might find their quorum."""
        if recovery.reset and recovery.server in members and not self.context.observes:
            for name in silent:
                self.tasks.give(name, forget_task(recovery, api))

    def _offer(self, recovery: Recovery) -> None:
        """Have the server of a recovery get the snapshot, also one that was told by this daemon before it was restarted."""
        kept, taken = self.context.snapshots, recovery.snapshot
        if kept and taken and recovery.reset is None:
            self.tasks.offer(recovery.server, lambda: kept.opened(self.layer, datetime.fromisoformat(taken)))
        else:
            self.tasks.offer(recovery.server, None)

    async def _with_snapshot(self, task: Task, recovery: Recovery) -> Task:
        """Return the task with what the server needs to get its snapshot from here; raises OperationError."""
        kept, taken = self.context.snapshots, recovery.snapshot
        if task.kind is not Kind.RESET or taken is None:
            return task
        if kept is None or datetime.fromisoformat(taken) not in await kept.taken(self.layer):
            raise OperationError(f"the snapshot of {taken} is not on this host; start the daemon that has it")
        return replace(task, details={**task.details, "snapshot": await kept.way()})

    @property
    def line(self) -> str | None:
        """What a recovery waits for that is under way, in one line."""
        return f"{self.layer}: {self.why}" if self.why else None

    @property
    def _cluster(self) -> ClusterFile | None:
        return self.context.fleet().clusters.get(self.layer)

    async def _members(self, cluster: ClusterFile, said: Mapping[str, Said]) -> frozenset[str]:
        """Return the nodes that vote in the etcd of a recovery's server; none while it does not serve."""
        recovery = cluster.recovery
        if recovery is None or recovery.server not in said:
            return frozenset()
        if not isinstance(said[recovery.server].found, Serves):
            return frozenset()
        address = str(self._listed[recovery.server].address)
        bundle = await self.context.secrets.known_k3s(self.layer)
        return frozenset(one.node for one in await etcd_members(address, bundle) if not one.is_learner)

    @property
    def _listed(self) -> dict[str, Member]:
        """By name, the machines that the fleet has in the layer."""
        everywhere = members_of(self.context.snapshot(), self.context.fleet())
        return {one.name: one for one in everywhere if one.layer == self.layer}

    async def _delete_strangers(self, server: str, said: Mapping[str, Said]) -> None:
        """Delete Nodes that a snapshot has brought back, and that the fleet lists no more."""
        listed, credentials = self._listed, await self.context.kubernetes(self.layer)
        for node in said[server].nodes:
            if node.name not in listed and not node.is_ready:
                _log.info(
                    "machine.leaves", machine=node.name, layer=self.layer, why="it is of the snapshot only"
                )
                await delete_node(str(listed[server].address), credentials, node.name)

    async def _is_sure(self, cluster: ClusterFile) -> bool:
        """Say whether the newest record is the one that was looked at."""
        await self.context.repository.refresh()
        if trouble := self.context.fleet_problem():
            raise OperationError(f"{self.layer} is not recovered now: {trouble}")
        return self._cluster == cluster

    async def _commit(self, draw: Draw) -> None:
        commit = self.context.repository.commit
        if commit is None:
            raise RepositoryError(
                f"{self.layer}: this daemon may not commit its recovery; set [fleet] read_only = false, or have another "
                "daemon do it"
            )
        if not self.context.observes:
            await commit(draw)

    def _withdraw(self, names: Iterable[str]) -> None:
        """Have servers that are members again do nothing of a recovery any more."""
        for name in names:
            if (task := self.tasks.given(name)) and task.kind in _OURS:
                self.tasks.withdraw(name)

    def _show(self, why: str | None, names: tuple[str, ...] = ()) -> None:
        self.why = f"it is recovered: {why}" if why else ""
        self.names = names
        self._told.set(self.line)
