"""Has machines of clusters reset before they are installed anew, and cleans up after them once they are down."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

import structlog

from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import (
    IluvatarError,
    InventoryError,
    KubernetesError,
    OperationError,
    TalosAnotherError,
    TalosError,
    TalosForeignError,
    TalosMaintenanceError,
)
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.changes.founding import found_again
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.absence import Absence, absences, to_be_installed
from iluvatar_pxe.layers.arda.api.model import WipeMode
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.health import MachineReport, healthy_members
from iluvatar_pxe.layers.arda.reinstall import Answer, NextBoot, Refused, Reset, Step, Target, next_step
from iluvatar_pxe.layers.founding import Wait
from iluvatar_pxe.layers.kubernetes.client import claimant, delete_node, nodes, replicas
from iluvatar_pxe.layers.kubernetes.longhorn import Replica, only_on
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import CleanUp, Phase
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport, report_of
from iluvatar_pxe.provisioning.reaching import opened
from iluvatar_pxe.values import replace

DOWN_SECONDS = 600.0
"""For Talos to drain, to leave etcd and to wipe; one that still runs then has given up."""
_log = structlog.get_logger()


async def _no_harm(_: Machine) -> str:
    """Say that the machine is in no k3s cluster."""
    return ""


def _done(machine: Machine) -> Machine:
    return replace(machine, clean_up=None)


def place_in_cluster(machine: Machine, fleet: Fleet) -> tuple[str, str] | None:
    """Return the layer and the name of a machine whose configuration the daemon makes for a cluster that has secrets."""
    listed, given = listed_as(machine, fleet), machine.assignment
    layer = listed.layer if listed else given.layer if given else None
    name = listed.name if listed else given.name if given else None
    if not layer or not name or layer not in fleet.clusters or not fleet.makes_configurations(layer):
        return None
    return layer, name


class _Seen(NamedTuple):
    """A cluster as Kubernetes has it."""

    nodes: tuple[Node, ...] = ()
    claimant: str = ""
    replicas: tuple[Replica, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.nodes)


class Reinstaller:
    """Asks a machine and its cluster, and resets it."""

    def __init__(
        self,
        context: ClusterContext,
        inventory: Inventory,
        k3s_harm: Callable[[Machine], Awaitable[str]] = _no_harm,
    ) -> None:
        """``k3s_harm`` says what keeps a machine of a k3s cluster from being installed again; raises IluvatarError."""
        self._context = context
        self._k3s_harm = k3s_harm
        self._inventory = inventory
        self._group: asyncio.TaskGroup | None = None
        self.turn = asyncio.Lock()
        """Held from ``step`` until the inventory has what was decided, which the next decision counts."""
        self._begun: set[UUID] = set()
        """Machines that were reset since the start."""

    async def run(self) -> None:
        """Look after what was begun, also before the start, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            with Subscription(self._inventory.changed) as news:
                while True:
                    await news.wait()
                    for machine in self._inventory.snapshot.by_id.values():
                        if machine.clean_up and machine.id not in self._begun:
                            self._begun.add(machine.id)
                            group.create_task(self._clean_up(machine, machine.clean_up, is_old=True))
                    await asyncio.sleep(self._context.pace.first)

    def left_by(self, machine: Machine, step: Reset | NextBoot) -> CleanUp | None:
        """Return what is left to do in its cluster after a machine that is about to be installed anew."""
        found = self._place(machine)
        if found is None:
            return None
        self._begun.add(machine.id)
        record = self._context.fleet().clusters[found[0]]
        return CleanUp(*found, machine.generation, ends=record.generation if step.ends_cluster else 0)

    async def step(self, machine: Machine, *, wipes: bool, is_forced: bool) -> Step:
        """Return how it is to be installed anew, without doing anything; raises IluvatarError."""
        found = self._place(machine)
        if found is None:
            why = "" if is_forced else await self._k3s_harm(machine)
            return Refused(why) if why else NextBoot(wipes=wipes)
        layer, name = found
        report = await report_of(layer, Wait(""), self._context)
        is_founded = bool(report.record and report.record.founded)
        planes = [one for one in report.members.values() if one.name in report.leading]
        answer, trouble = await self._answer(layer, name)
        seen = await self._in_kubernetes(layer, planes) if is_founded else None
        node = report.machines.get(name, MachineReport()).hostname or name
        away = self._away({name, node}, report, seen)
        step = next_step(
            Target(
                name=name,
                answer=answer,
                trouble=trouble,
                is_control_plane=name in report.leading,
                is_founded=is_founded,
                last_replicas=only_on(node, seen.replicas, seen.names - away.keys()) if seen else None,
                members=report.etcd_names,
                healthy=frozenset(healthy_members(report.planes)),
                away=away,
                is_on_disk=machine.phase in {Phase.INSTALLED, Phase.JOINED},
                wipes=wipes,
                is_forced=is_forced,
            )
        )
        if not isinstance(step, Refused) and step.ends_cluster and self._context.repository.commit is None:
            return Refused(
                f"{layer}: its data would be lost, and this daemon may not commit that it is founded again; "
                "set [fleet] read_only = false, or ask another daemon of the fleet"
            )
        return step

    async def reset(self, machine: Machine, step: Reset) -> None:
        """Have Talos reset itself, and clean up after it once it is down. Raises IluvatarError."""
        found = self._place(machine)
        if found is None or self._group is None:
            raise OperationError("the daemon is starting; try again")
        layer, name = found
        async with opened(layer, name, ApiRole.ADMIN, self._context) as api:
            if step.forfeits:
                await api.etcd.forfeit()
            await api.reset(WipeMode.SYSTEM_DISK, graceful=step.graceful)
        _log.info("machine.reset", machine=name, layer=layer, graceful=step.graceful)
        self.clean_up(machine)

    def clean_up(self, machine: Machine) -> None:
        """Clean up after a machine as soon as it is down; also after one that is not reset, as it does not answer."""
        if machine.clean_up and self._group:
            self._group.create_task(self._clean_up(machine, machine.clean_up))

    def _place(self, machine: Machine) -> tuple[str, str] | None:
        return place_in_cluster(machine, self._context.fleet())

    async def _answer(self, layer: str, name: str) -> tuple[Answer, str]:
        """Return what a machine's API says, and why it says nothing."""
        try:
            async with opened(layer, name, ApiRole.READER, self._context):
                return Answer.RUNS, ""
        except TalosMaintenanceError:
            return Answer.MAINTENANCE, ""
        except TalosForeignError:
            return Answer.FOREIGN, ""
        except TalosAnotherError as error:
            return Answer.ANOTHER, str(error)
        except TalosError as error:
            return Answer.SILENT, str(error)

    async def _in_kubernetes(self, layer: str, planes: Collection[Member]) -> "_Seen | None":
        """Return what the first control plane that answers has in Kubernetes; None where none does."""
        credentials = await self._context.kubernetes(layer)
        for one in planes:
            if one.address:
                at = str(one.address)
                with suppress(KubernetesError):
                    return _Seen(
                        await nodes(at, credentials),
                        await claimant(at, credentials),
                        await replicas(at, credentials),
                    )
        return None

    def _away(
        self, apart: Collection[str], report: ClusterReport, seen: "_Seen | None"
    ) -> dict[str, Absence]:
        """Return which machines of a cluster are away, but for one, by its names."""
        again = to_be_installed(self._context.snapshot(), self._context.fleet()) & report.members.keys()
        found = seen or _Seen()
        away = absences(report.machines, found.nodes, again, found.claimant)
        return {one: why for one, why in away.items() if one not in apart}

    async def _clean_up(self, machine: Machine, left: CleanUp, *, is_old: bool = False) -> None:
        """Do what is left; ``is_old``: it was begun before the start, so the machine may be in its cluster again."""
        if place_in_cluster(
            self._inventory.snapshot.machine_with_id(machine.id) or machine, self._context.fleet()
        ):
            await self._clean_up_after(machine.id, left, is_old=is_old)
        with suppress(InventoryError):  # it was forgotten, or is recorded once the database is there
            await self._inventory.change(machine.id, _done, Happening.CHANGED, "cluster cleaned up", "reset")

    async def _clean_up_after(self, machine: UUID, left: CleanUp, *, is_old: bool) -> None:
        """Do the rest once a machine is down: before that, Talos needs its Node to drain, and etcd still has its data."""
        name = left.name
        try:
            async with asyncio.timeout(DOWN_SECONDS):
                await self._down(machine, left)
        except TimeoutError:
            why = f"Talos still runs after {DOWN_SECONDS:.0f} s; look at the machine's log, and try again"
            _log.error("machine.reset", machine=name, why=why)
            return
        except IluvatarError as error:
            _log.warning("machine.reset", machine=name, why=str(error))
        if left.ends:
            await self._found_again(left)
        elif self._is_founded(left.layer):
            await self._forget_node(left, is_old=is_old)

    async def _found_again(self, left: CleanUp) -> None:
        """Commit that the cluster is founded again, until that has succeeded."""
        layer, commit = left.layer, self._context.repository.commit
        if commit is None:
            return
        while True:
            try:
                await commit(lambda newest: found_again(newest, layer, left.ends))
            except IluvatarError as error:
                _log.error("cluster.founded_again", layer=layer, why=f"{error}; it is tried again")
                await asyncio.sleep(self._context.pace.most)
            else:
                _log.warning(
                    "cluster.founded_again", layer=layer, why="its last control plane is installed again"
                )
                return

    def _is_founded(self, layer: str) -> bool:
        """Say whether there are Nodes at all."""
        record = self._context.fleet().clusters.get(layer)
        return bool(record and record.founded)

    async def _forget_node(self, left: CleanUp, *, is_old: bool) -> None:
        """Delete a machine's Node, for as long as it may take until somebody can be asked."""
        told = Problem(lambda why: _log.warning("node.delete", machine=left.name, why=why))
        with suppress(TimeoutError):
            async with asyncio.timeout(DOWN_SECONDS):
                while True:
                    try:
                        if not (is_old and await self._runs(left)):
                            await self._delete(left.layer, left.name)
                    except IluvatarError as error:
                        told.set(str(error))
                        await asyncio.sleep(self._context.pace.most)
                    else:
                        return

    async def _down(self, machine: UUID, left: CleanUp) -> None:
        """Return once Talos does not run there any more, or the machine has booted again."""
        while True:
            if self._has_booted(machine, left) or not await self._runs(left):
                return
            await asyncio.sleep(self._context.pace.down)

    async def _runs(self, left: CleanUp) -> bool:
        answer, _ = await self._answer(left.layer, left.name)
        return answer is Answer.RUNS

    def _has_booted(self, machine: UUID, left: CleanUp) -> bool:
        now = self._context.snapshot().machine_with_id(machine)
        return now is not None and now.generation > left.boot

    async def _delete(self, layer: str, name: str) -> None:
        members = members_of(self._context.snapshot(), self._context.fleet())
        planes = control_planes([one for one in members if one.name != name], layer)
        why = KubernetesError(
            f"{layer}: no other control plane has an address; later: kubectl delete node {name}"
        )
        credentials = await self._context.kubernetes(layer)
        for one in planes:
            if one.address is None:
                continue
            try:
                await delete_node(str(one.address), credentials, name)
            except KubernetesError as error:
                why = error
            else:
                _log.info("node.deleted", machine=name, layer=layer)
                return
        raise why
