"""Takes machines out of a cluster whose files have left the fleet: one at a time, and their disks are left alone.

Any daemon of the fleet does this that has seen the machine, and one at a time (``removal_turn``). What is next is read
from the cluster at each look.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import structlog

from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import IluvatarError, TalosNotFoundError
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.asking import ask
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.expected import Expected, Who
from iluvatar_pxe.layers.arda.proving import prove
from iluvatar_pxe.layers.arda.removal import Act, Leaver, next_act, way_back
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.longhorn import only_on
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.leaving import FILE_GONE, Hold, unlisted
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.draining import left_on
from iluvatar_pxe.provisioning.leavers import Found, View, view_of
from iluvatar_pxe.provisioning.reaching import expected_of, opened
from iluvatar_pxe.provisioning.removal_turn import RemovalTurn

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi

_log = structlog.get_logger()


class Removal:
    """Looks after one layer's cluster."""

    def __init__(self, layer: str, context: ClusterContext) -> None:
        self.layer = layer
        self._context = context
        self.leaving: Mapping[str, str] = {}
        """By the names of the machines that leave, what is done, or what it waits for."""
        self._staying: Mapping[str, str] = {}
        """The same of control planes whose files are back, and which are not members of etcd again yet."""
        self._restarted: dict[str, str] = {}
        """By their names, in which boot they were told to restart."""
        self._since: dict[tuple[str, str], float] = {}
        """By what it is and a MAC, since when that is so without a break; by the monotonic clock."""
        self._drained: set[str] = set()
        """Names of nodes that have no pods any more."""
        self._turn = RemovalTurn(context.pace.turn)
        self._cleared: frozenset[str] = frozenset()
        """MACs of machines that have left the fleet, of which nothing was left in the cluster at the last look."""
        self._told = Problem(lambda why: _log.warning("machine.leaves", layer=layer, why=why))

    @property
    def lines(self) -> list[str]:
        """What leaves, one line for each machine, and why that cannot be found out."""
        stuck = [self._told.text] if self._told.text else []
        leaving = [f"{self.layer}: {name} leaves: {why}" for name, why in self.leaving.items()]
        return leaving + [f"{self.layer}: {name} stays: {why}" for name, why in self._staying.items()] + stuck

    @property
    def steps(self) -> Mapping[str, str]:
        """By the names of machines, what is done with those that leave or stay after all."""
        return {
            **self.leaving,
            **{name: f"its file is back, so it stays: {why}" for name, why in self._staying.items()},
        }

    def keeps(self, machine: Machine) -> str:
        """Say why something of a machine may be left in the cluster that has left the fleet; empty where nothing is."""
        is_gone = any(machine.id == one.id for one in self._gone()[1])
        if (
            not is_gone
            or machine.macs[0] in self._cleared
            or not self._context.fleet().has_cluster(self.layer)
        ):
            return ""
        return "; ".join(self.lines) or f"{self.layer}: the cluster has not been asked yet what is left of it"

    async def run(self) -> None:
        """Look again and again, until cancelled; where nothing leaves, only when another fleet is applied."""
        pace = self._context.pace
        with Subscription(self._context.changed) as news:
            await news.wait()
            is_new = True
            while True:
                await self._look(is_new=is_new)
                is_pressing = self.leaving or self._staying or is_new  # files go a moment before names
                pause = pace.first if is_pressing else pace.founded
                try:
                    async with asyncio.timeout(pause):
                        await news.wait()
                    is_new = True
                except TimeoutError:
                    is_new = False

    async def _look(self, *, is_new: bool) -> None:
        members, machines = self._gone()
        self._cleared &= {one.macs[0] for one in machines}
        is_idle = not (machines or self.leaving or self._staying or is_new)
        if is_idle or not self._context.fleet().has_cluster(self.layer):
            self.leaving, self._staying = {}, {}
            self._told.clear()
            return
        if machines and (why := self._context.fleet_problem()):
            self._told.set(f"{self.layer}: no machine leaves while the newest fleet is not applied: {why}")
            return
        ours = [one for one in members if one.layer == self.layer]
        try:
            view = await view_of(self.layer, machines, ours, self._context)
            await self._take_back(view, ours)
            await self._advance(view)
            left = {one.mac for one in view.found if one.name in self.leaving}
            self._cleared = frozenset(one.macs[0] for one in machines) - left
            self._told.clear()
        except IluvatarError as error:
            if machines or self.leaving or self._staying:
                self._told.set(f"{self.layer}: {error}")

    def _gone(self) -> tuple[tuple[Member, ...], tuple[Machine, ...]]:
        """Return the machines that have a place in the fleet, and those that have none any more."""
        fleet, snapshot = self._context.fleet(), self._context.snapshot()
        members = members_of(snapshot, fleet)
        return members, unlisted(snapshot, fleet, members)

    async def _take_back(self, view: View, members: list[Member]) -> None:
        """Have machines whose files have come back be as before."""
        known = {one.name: one for one in members}
        noted = [
            (known[node.name], node) for node in view.nodes if node.note == FILE_GONE and node.name in known
        ]
        ways = {one.name: await self._way_back(one, node, members) for one, node in noted}
        self._staying = {name: way.why if isinstance(way, Hold) else way for name, way in ways.items() if way}
        self._restarted = {name: boot for name, boot in self._restarted.items() if name in ways}
        for one, node in noted:
            way = ways[one.name]
            if not (self._context.observes or isinstance(way, Hold)) and await self._is_our_turn(view):
                await self._bring_back(way, one, node, view)

    async def _way_back(self, one: Member, node: Node, members: list[Member]) -> Act | Hold | None:
        if one not in control_planes(members, self.layer):
            return None
        credentials = await self._context.credentials(self.layer, ApiRole.READER)
        said = await ask(expected_of(one.name, self._context), one.address, credentials)
        return way_back(one.name, said, is_restarting=self._restarted.get(one.name) == node.boot)

    async def _bring_back(self, way: Act | None, one: Member, node: Node, view: View) -> None:
        if way is None:
            await kubernetes.uncordon(view.plane, await self._context.kubernetes(self.layer), one.name)
            _log.info("machine.stays", machine=one.name, layer=self.layer, why="its file is back")
        elif way is Act.RESTART:
            _log.warning("machine.stays", machine=one.name, layer=self.layer, step=str(way))
            async with opened(self.layer, one.name, ApiRole.ADMIN, self._context) as api:
                await api.reboot()
            self._restarted[one.name] = node.boot

    async def _advance(self, view: View) -> None:
        """Do what is next for the first machine for which something can be done."""
        self._drained &= {one.name for one in view.found}
        cards = {one.mac for one in view.found}
        self._since = {key: since for key, since in self._since.items() if key[1] in cards}
        acts = {one.name: next_act(await self._leaver(one, view), view.etcd) for one in view.found}
        self.leaving = {name: act.why if isinstance(act, Hold) else act for name, act in acts.items() if act}
        for one in view.found:
            act = acts[one.name]
            if isinstance(act, Act):
                is_gone = any(one.mac in machine.macs for machine in self._gone()[1])  # also by now
                if is_gone and not self._context.observes:
                    await self._begin(act, one, view)
                return

    async def _begin(self, act: Act, one: Found, view: View) -> None:
        """Do it, unless another daemon does."""
        if not await self._is_our_turn(view):
            self.leaving = {**self.leaving, one.name: f"{act}, by another daemon"}
            return
        _log.info("machine.leaves", machine=one.name, layer=self.layer, step=str(act))
        await self._do(act, one, view)

    async def _is_our_turn(self, view: View) -> bool:
        return await self._turn.take(view.plane, await self._context.kubernetes(self.layer))

    async def _leaver(self, found: Found, view: View) -> Leaver:
        is_drained = found.name in self._drained
        needs = found.runs and found.node is not None and not is_drained
        return Leaver(
            name=found.name,
            runs=found.runs,
            is_due=self._lasts("gone", found, is_so=True),
            waits_for=view.claimant if view.claimant != found.name else "",
            is_lost=self._lasts("silent", found, is_so=not found.runs),
            is_namesake=found.is_namesake,
            is_going_down=found.is_going_down,
            is_node=found.node is not None,
            is_drained=is_drained,
            member=found.member,
            last_replicas=await self._last_replicas(found.name, view) if needs else (),
        )

    def _lasts(self, what: str, found: Found, *, is_so: bool) -> bool:
        """Say whether something has been so for long enough."""
        key, now = (what, found.mac), time.monotonic()
        if not is_so:
            self._since.pop(key, None)
            return False
        return now - self._since.setdefault(key, now) >= self._context.pace.gone

    async def _last_replicas(self, name: str, view: View) -> tuple[str, ...]:
        credentials = await self._context.kubernetes(self.layer)
        return only_on(name, await kubernetes.replicas(view.plane, credentials), view.staying)

    async def _do(self, act: Act, one: Found, view: View) -> None:
        match act:
            case Act.DRAIN:
                await self._drain(one, view)
            case Act.LEAVE_ETCD:
                async with self._api(one) as api:
                    await api.etcd.forfeit()
                    await api.etcd.leave()
            case Act.REMOVE_MEMBER:
                credentials = await self._context.credentials(self.layer, ApiRole.ADMIN)
                async with talos_api(view.healthy[0], credentials) as api:
                    with suppress(TalosNotFoundError):  # another daemon was quicker
                        await api.etcd.remove(one.member or 0)
            case Act.SHUT_DOWN:
                async with self._api(one) as api:
                    await api.shut_down()
            case Act.DELETE_NODE:
                credentials = await self._context.kubernetes(self.layer)
                await kubernetes.delete_node(view.plane, credentials, one.name)
                if view.claimant == one.name:
                    await kubernetes.release(view.plane, credentials, one.name)

    @asynccontextmanager
    async def _api(self, one: Found) -> "AsyncIterator[TalosApi]":
        credentials = await self._context.credentials(self.layer, ApiRole.ADMIN)
        async with talos_api(one.address, credentials, name=one.name) as api:
            known = Who(name=one.name, macs=frozenset({one.mac}))
            await prove(api, Expected(known), IPv4Address(one.address))
            yield api

    async def _drain(self, one: Found, view: View) -> None:
        if one.node and (
            left := await left_on(one.node, view.plane, await self._context.kubernetes(self.layer), FILE_GONE)
        ):
            self.leaving = {**self.leaving, one.name: f"{Act.DRAIN}; {left}"}
        else:
            self._drained.add(one.name)
