"""Has one layer's k3s cluster founded, and tells its machines in turn what they are to do.

Any daemon of the fleet does this. They see the same, and the commit that names the founder decides between them.
"""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import IluvatarError, NotYetError, OperationError
from iluvatar_pxe.gitops.changes.upgrading import ask_for_upgrade
from iluvatar_pxe.layers.ainur.founding import Asks, Serves, Starts, next_step
from iluvatar_pxe.layers.ainur.part import K3sPart, NotYet, part_of
from iluvatar_pxe.layers.ainur.proving import Said, ask
from iluvatar_pxe.layers.ainur.recovery import Plan, mark_of
from iluvatar_pxe.layers.ainur.removal import Servers
from iluvatar_pxe.layers.ainur.upgrade import refusal
from iluvatar_pxe.layers.founding import (
    Foreign,
    Founded,
    Refuse,
    Step,
    TellFounder,
    Unproved,
    Wait,
)
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning import k3s_askers
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.founding_step import FoundingStep
from iluvatar_pxe.provisioning.joining_turn import JoiningTurn
from iluvatar_pxe.provisioning.k3s_askers import K3sAskers
from iluvatar_pxe.provisioning.k3s_leavers import k3s_view
from iluvatar_pxe.provisioning.k3s_recovery import K3sRecovery
from iluvatar_pxe.provisioning.k3s_removing import K3sRemoval
from iluvatar_pxe.provisioning.k3s_upkeep import K3sUpkeep
from iluvatar_pxe.provisioning.node_tasks import NodeTasks

_NO_NODE = "it has its secrets, and no Node of it is ready; on it run: journalctl -u 'k3s*'"
MOST_STEPS = 3
"""That are done for one that asks: its cluster's founder is named, and named again."""


@dataclass
class K3sWatch:
    """Looks after one layer's cluster; belongs to one event loop."""

    layer: str
    context: ClusterContext
    on_nodes: Callable[[str, tuple[Node, ...]], None]
    """Hears of a layer's Nodes each time that they are looked at."""
    tasks: NodeTasks
    said: Mapping[str, Said] = field(default_factory=dict)
    """What the servers said last, by their names."""

    def __post_init__(self) -> None:
        self._next = FoundingStep(self.layer, self.context.repository)
        self._askers = K3sAskers()
        self._looking = asyncio.Lock()
        self._news = Changed()
        self._turn = JoiningTurn(k3s_askers.JOIN_SECONDS)
        self.removal = K3sRemoval(self.layer, self.context)
        self.recovery = K3sRecovery(self.layer, self.context, self.tasks)
        self.upkeep = K3sUpkeep(self.layer, self.context, self.tasks, self.removal.turn)

    @property
    def step(self) -> Step:
        """What is next."""
        return self._next.now

    @property
    def line(self) -> str | None:
        """What the cluster waits for, in one line; None once it is founded."""
        return self._next.line

    @property
    def awaited(self) -> dict[str, str]:
        """By the names of the machines that the cluster waits for, or that wait for it, why.

        A refusal concerns all of its machines.
        """
        names = {one.name for one in self._members}
        told = {name: f"{self.layer}: {why}" for name, why in self._askers.refused.items()}
        match self.step:
            case Wait(_, awaited):
                return told | dict.fromkeys(awaited, self.line or "")
            case Refuse():
                return dict.fromkeys(names, self.line or "")
        leaving = {name: f"{self.layer}: it leaves: {why}" for name, why in self.removal.leaving.items()}
        silent = dict.fromkeys(self._askers.unready(self._ready) - set(self._starting), _NO_NODE)
        recovered = dict.fromkeys(self.recovery.names, self.recovery.line or "")
        found = silent | self._troubles | self.upkeep.awaited | told | leaving | recovered
        return {name: why for name, why in found.items() if name in names}

    @property
    def _troubles(self) -> dict[str, str]:
        """By the names of servers that are not as they should be, why."""
        return {
            name: one.found.why
            for name, one in self.said.items()
            if isinstance(one.found, Foreign | Starts | Unproved)
        }

    @property
    def _members(self) -> list[Member]:
        members = members_of(self.context.snapshot(), self.context.fleet())
        return [one for one in members if one.layer == self.layer]

    async def run(self) -> None:
        """Look again and again, until cancelled; less often the longer nothing changes."""
        pace, pause = self.context.pace, 0.0
        with Subscription(self.context.changed, self._news, self.tasks.changed) as news:
            await news.wait()
            while True:
                before = self.step
                if await self._look():
                    continue
                if isinstance(self.step, Founded):
                    joining = self._askers.joining(self._ready)
                    await self.removal.look(self.said, self._without_data, joining)
                    await self.upkeep.look(self.said, self._without_data, joining)
                if self.removal.is_busy or self.upkeep.is_busy or self.recovery.line:
                    pause = pace.first
                elif isinstance(self.step, Founded) and self.upkeep.is_waiting:
                    pause = pace.most
                elif isinstance(self.step, Founded) and not self._starting:
                    pause = pace.founded
                else:
                    pause = min(pause * 2, pace.most) if self.step == before and pause else pace.first
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await news.wait()

    async def part_of(self, name: str, role: Role, asks: Asks) -> K3sPart:
        """Return what a machine is told that asks for its secrets; raises NotYetError where it is to wait."""
        if role.leads:
            self._askers.heard(name, asks)
            await self._advance()
            if isinstance(self.step, TellFounder):
                await self._be_sure()
        told = part_of(
            name,
            role,
            self.step,
            self.line or "",
            has_data=asks.has_data,
            joining=self._askers.joining(self._ready, name),
        )
        if isinstance(told, NotYet) and role.leads and self.recovery.restores(name):
            return K3sPart.JOIN_SERVER
        joins = told is K3sPart.JOIN_SERVER and not asks.has_data
        if joins and (why := await self._keeps_out(name)):
            told = NotYet(why)
        if isinstance(told, NotYet):
            self._askers.heard(name, asks, told.why)
            self._news.tell()
            raise NotYetError(told.why)
        self._askers.told(name, joins=joins)
        return told

    async def recover(self, server: str, agreed: str | None = None) -> Plan:
        """Return what is to be done for a cluster that cannot come back by itself, and begin that where it is ``agreed``.

        ``agreed`` is the plan's mark. ``server`` is the one whose data counts; empty: the newest. Raises IluvatarError.
        """
        await self.context.repository.refresh()
        await self._look()
        plan = await self.recovery.plan(self.said, server)
        if agreed is not None:
            if mark_of(plan) != agreed:
                raise OperationError(f"{self.layer}: something has changed meanwhile; look at the plan again")
            await self.recovery.begin(plan)
            self._news.tell()
        return plan

    async def _keeps_out(self, name: str) -> str:
        """Say why a server without data is not to join now; empty where nothing is in the way, and it is its turn."""
        if left := await self.removal.left_of(name, self.said):
            return left
        serving = {server for server, one in self.said.items() if isinstance(one.found, Serves)}
        address = next((str(one.address) for one in self._members if one.name in serving), None)
        if address is None:
            return "no server serves Kubernetes"
        credentials = await self.context.kubernetes(self.layer)
        other = await self._turn.of_another(address, credentials, name, self._ready)
        return f"{other} joins first" if other else ""

    def has_secrets(self, name: str) -> None:
        """Take in that a machine has stored its secrets, so that k3s starts on it."""
        self._askers.has_secrets(name)
        self._news.tell()

    async def upgrade(self, version: str) -> None:
        """Have the cluster upgraded to a version of k3s, again also where that has failed; raises IluvatarError."""
        running = {node.name: node.version for one in self.said.values() for node in one.nodes}
        if why := refusal(running, version):
            raise OperationError(why)
        await self._next.make(lambda newest: ask_for_upgrade(newest, self.layer, version))
        self._news.tell()

    async def harm(self, name: str) -> str:
        """Say why a machine is not to be installed again now; empty where nothing is in the way. Raises IluvatarError."""
        await self._look()
        if not isinstance(self.step, Founded):
            return f"{self.line}, or add --force"
        why = await self.removal.harm(name, self.said)
        return f"{name}: {why}, or add --force" if why else ""

    async def servers(self) -> Servers | None:
        """Ask which servers are etcd's members, and which are healthy; None where none serves. Raises IluvatarError."""
        await self._look()
        view = await k3s_view(self.layer, self.said, (), self.context)
        return view.servers if view else None

    async def _advance(self) -> None:
        """Do what is next until that needs time, or somebody else."""
        for _ in range(MOST_STEPS):
            if not await self._look():
                return

    async def _be_sure(self) -> None:
        """Look by the newest record: another daemon may have noted that the cluster is founded, and this disk is lost."""
        await self.context.repository.refresh()
        if trouble := self.context.fleet_problem():
            raise NotYetError(f"{self.layer} is not founded now: {trouble}")
        await self._advance()

    @property
    def _ready(self) -> AbstractSet[str]:
        return self.step.ready if isinstance(self.step, Founded) else frozenset()

    @property
    def _starting(self) -> list[str]:
        return self._askers.starting(self._ready)

    @property
    def _without_data(self) -> list[str]:
        """The names of the servers that ask for their secrets, and have no data of an etcd."""
        return [name for name, one in self.said.items() if one.found == Asks(has_data=False)]

    async def _look(self) -> bool:
        """Look once, and do what is next; say whether another look is worth it at once."""
        async with self._looking:
            try:
                cluster = self.context.fleet().clusters.get(self.layer)
                self.said = await self._ask() if cluster else {}
                recovering = await self.recovery.look(self.said)
                found = {name: one.found for name, one in self.said.items()}
                self._next.show(recovering or next_step(cluster, found))
                return bool(cluster and not self.context.observes and await self._next.commit(cluster))
            except IluvatarError as error:
                self._next.show(Refuse(str(error)))
                return False

    async def _ask(self) -> Mapping[str, Said]:
        """Ask all servers; one that has asked for its secrets runs no k3s."""
        bundle = await self.context.secrets.known_k3s(self.layer)
        credentials = await self.context.kubernetes(self.layer)
        members = control_planes(self._members, self.layer)

        async def said(member: Member) -> Said:
            if asks := self._askers.asks(member.name):
                return Said(asks)
            return await ask(member.name, member.address, bundle, credentials)

        answers = await asyncio.gather(*map(said, members))
        if nodes := next((one.nodes for one in answers if one.nodes), ()):
            self.on_nodes(self.layer, nodes)
        return {member.name: one for member, one in zip(members, answers, strict=True)}
