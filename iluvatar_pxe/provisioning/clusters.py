"""Has the clusters founded whose configurations the daemon makes: one task for each, that looks and does what is next.

Any daemon of the fleet does this. They see the same, and the commit that names the founder decides between them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import (
    IluvatarError,
    TalosError,
    TalosExistsError,
    TalosRefusedError,
)
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.arda.asking import ask
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.expected import expected_machines
from iluvatar_pxe.layers.arda.founding import PREPARING, Answered, Found, next_step
from iluvatar_pxe.layers.founding import (
    Founded,
    NoteFounded,
    Refuse,
    Step,
    TellFounder,
    Wait,
)
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.problem import first_of
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport, report_of
from iluvatar_pxe.provisioning.delivering import Delivery, FoundedLayers
from iluvatar_pxe.provisioning.founding_step import FoundingStep
from iluvatar_pxe.provisioning.k3s_clusters import K3sClusters
from iluvatar_pxe.provisioning.layer_tasks import LayerTasks
from iluvatar_pxe.provisioning.one_look import OneLook
from iluvatar_pxe.provisioning.reaching import opened
from iluvatar_pxe.provisioning.removing import Removal
from iluvatar_pxe.values import replace

_log = structlog.get_logger()


class ClusterWatch:
    """Looks after one layer's cluster."""

    def __init__(self, layer: str, context: ClusterContext) -> None:
        self.layer = layer
        self._context = context
        self._preparing: dict[str, float] = {}
        """Since when each control plane was seen preparing its etcd, without a break; by the monotonic clock."""
        self._next = FoundingStep(layer, context.repository)
        self.found: Mapping[str, Found] = {}
        """What the control planes said last, by their names."""

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
        """By the names of the machines that the cluster waits for, why; a refusal concerns all of its machines."""
        match self.step:
            case Wait(_, names):
                return dict.fromkeys(names, self.line or "")
            case Refuse():
                members = members_of(self._context.snapshot(), self._context.fleet())
                return {one.name: self.line or "" for one in members if one.layer == self.layer}
        return {}

    @property
    def _is_settling(self) -> bool:
        """Say whether something is to change soon by itself: an etcd has only begun to prepare."""
        answers = (one for one in self.found.values() if isinstance(one, Answered))
        return any(one.etcd == PREPARING and not one.is_settled for one in answers)

    async def report(self) -> ClusterReport:
        """Ask all machines of the cluster how they are."""
        return await report_of(self.layer, self.step, self._context)

    async def run(self) -> None:
        """Look again and again, until cancelled; less often the longer nothing changes."""
        pace, pause = self._context.pace, 0.0
        with Subscription(self._context.changed) as news:
            await news.wait()
            while True:
                before = self.step
                if await self._look():
                    continue
                if isinstance(self.step, Founded):
                    pause = pace.founded
                elif self._is_settling:
                    pause = pace.first
                else:
                    pause = min(pause * 2, pace.most) if self.step == before and pause else pace.first
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await news.wait()

    async def _look(self) -> bool:
        """Look once, and do what is next; say whether another look is worth it at once."""
        try:
            cluster, members = self._declared()
            if cluster is None or not cluster.founded:
                await self._context.check(self.layer)
            self.found = await self._ask(members) if cluster else {}
            self._next.show(next_step(cluster, self.found))
            return not self._context.observes and await self._carry_out(cluster)
        except IluvatarError as error:
            self._next.show(Refuse(str(error)))
            return False

    def _declared(self) -> tuple[ClusterFile | None, tuple[Member, ...]]:
        """Return the cluster's record, and its control planes."""
        fleet = self._context.fleet()
        members = members_of(self._context.snapshot(), fleet)
        return fleet.clusters.get(self.layer), control_planes(members, self.layer)

    async def _ask(self, members: Sequence[Member]) -> Mapping[str, Found]:
        credentials = await self._context.credentials(self.layer, ApiRole.READER)
        held = self._context.held_machines()
        expected = expected_machines(self._context.snapshot(), self._context.fleet())
        answers = await asyncio.gather(
            *(ask(expected[one.name], one.address, credentials, held.get(one.name)) for one in members)
        )
        found = {one.name: answer for one, answer in zip(members, answers, strict=True)}
        return self._settled(found)

    def _settled(self, found: Mapping[str, Found]) -> Mapping[str, Found]:
        """Return it with whether each has prepared its etcd for long enough."""
        now = time.monotonic()
        preparing = {
            name: one for name, one in found.items() if isinstance(one, Answered) and one.etcd == PREPARING
        }
        self._preparing = {name: self._preparing.get(name, now) for name in preparing}
        settled = self._context.pace.settled
        return {
            **found,
            **{
                name: replace(one, is_settled=now - self._preparing[name] >= settled)
                for name, one in preparing.items()
            },
        }

    async def _carry_out(self, cluster: ClusterFile | None) -> bool:
        """Do what is next; say whether another look is worth it at once."""
        if cluster is None:
            return False
        match self.step:
            case NoteFounded(why) if self._context.repository.commit is None:
                self._next.show(Founded(why))
            case TellFounder(founder):
                await self._bootstrap(founder)
            case _:
                return await self._next.commit(cluster)
        return False

    async def _bootstrap(self, founder: str) -> None:
        _log.info("cluster.bootstrap", layer=self.layer, founder=founder)
        try:
            async with opened(self.layer, founder, ApiRole.ADMIN, self._context) as api:
                await api.bootstrap()
        except TalosRefusedError as error:
            self._next.show(Refuse(str(error)))
        except TalosExistsError:
            self._next.show(
                Wait(f"{founder} says that its etcd has data; its members are to prove it", (founder,))
            )
        except TalosError as error:
            self._next.show(Wait(str(error), (founder,)))


class Clusters:
    """All clusters that are looked after."""

    def __init__(
        self,
        context: ClusterContext,
        on_nodes: Callable[[str, tuple[Node, ...]], None] = lambda _layer, _nodes: None,
    ) -> None:
        """``on_nodes`` hears of the Nodes of a layer of kind k3s each time that they are looked at."""
        self.context = context
        self.k3s = K3sClusters(context, on_nodes)
        self._watches = LayerTasks(context, lambda layer: ClusterWatch(layer, context))
        self._removals = LayerTasks(context, lambda layer: Removal(layer, context))
        self._deliveries = LayerTasks(FoundedLayers(context), lambda layer: Delivery(layer, context))
        self._look = OneLook(self._reports)

    @property
    def watches(self) -> Mapping[str, ClusterWatch]:
        """Those of the applied fleet's layers, by their names."""
        return self._watches.by_layer

    @property
    def lines(self) -> list[str]:
        """What each cluster waits for that is not founded, which machines leave, and what is not given, one line each."""
        founding = [line for watch in self.watches.values() if (line := watch.line)]
        founding += self.k3s.lines
        founding += [line for removal in self._removals.by_layer.values() for line in removal.lines]
        return founding + [line for one in self._deliveries.by_layer.values() if (line := one.line)]

    @property
    def problem(self) -> str | None:
        """What a person has to decide, or why secrets cannot be made or opened, in one line; None if all is well."""
        refused = (watch for watch in self.watches.values() if isinstance(watch.step, Refuse))
        tasks = (self._watches, self._removals, self._deliveries)
        failed = [line for one in tasks for line in one.failed.values()]
        lines = [*failed, *(line for watch in refused if (line := watch.line))]
        return self.context.secrets.problem or first_of(lines) or self.k3s.problem

    @property
    def awaited(self) -> dict[str, str]:
        """By the names of the machines that a cluster waits for, why."""
        of_talos = {name: why for watch in self.watches.values() for name, why in watch.awaited.items()}
        return of_talos | self.k3s.awaited

    def keeps(self, machine: Machine) -> str:
        """Say why a machine that has left the fleet may still be in a cluster; empty where it is in none."""
        of_talos = [why for one in self._removals.by_layer.values() if (why := one.keeps(machine))]
        return first_of(of_talos) or self.k3s.keeps(machine)

    async def reports(self) -> tuple[ClusterReport, ...]:
        """Ask all machines of all clusters how they are: once for all who want to know at the same time."""
        return await self._look.result()

    async def _reports(self) -> tuple[ClusterReport, ...]:
        known = self.watches
        watches = [known.get(layer) or ClusterWatch(layer, self.context) for layer in self.context.layers()]
        reports = await asyncio.gather(*(watch.report() for watch in watches))
        return tuple(replace(one, leaving=self._leaving(one.layer)) for one in reports)

    def _leaving(self, layer: str) -> Mapping[str, str]:
        found = self._removals.by_layer.get(layer)
        return found.steps if found else {}

    async def run(self) -> None:
        """Look after the clusters of the applied fleet, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watches.run())
            group.create_task(self._removals.run())
            group.create_task(self._deliveries.run())
            group.create_task(self.k3s.run())
