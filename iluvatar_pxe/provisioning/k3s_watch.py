"""Has one layer's k3s cluster founded, and tells its machines in turn what they are to do.

Any daemon of the fleet does this. They see the same, and the commit that names the founder decides between them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import IluvatarError, NotYetError, RepositoryError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.gitops.changes.founding import found_again, name_founder, note_founded
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.founding import (
    Asks,
    Foreign,
    FoundAgain,
    Founded,
    Initialise,
    NameFounder,
    NoteFounded,
    Refuse,
    Starts,
    Step,
    Unproved,
    Wait,
    next_step,
)
from iluvatar_pxe.layers.ainur.part import K3sPart, NotYet, part_of
from iluvatar_pxe.layers.ainur.proving import Said, ask
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.k3s_removing import K3sRemoval

ASKED_SECONDS = 90.0
"""For which a server that has asked for its secrets is known to have none: it asks again after seconds."""
JOIN_SECONDS = 600.0
"""For which a server that was told to join keeps others from being told."""
_NO_NODE = "it has its secrets, and no Node of it is ready; on it run: journalctl -u 'k3s*'"
MOST_STEPS = 3
"""That are done for one that asks: its cluster's founder is named, and named again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    at: float
    """By the monotonic clock."""
    asks: Asks
    why: str = ""
    """Why it was told nothing."""


@dataclass(frozen=True, slots=True)
class _Told:
    at: float
    """By the monotonic clock."""
    joins: bool
    """It is to join as a server, without data."""


@dataclass
class K3sWatch:
    """Looks after one layer's cluster; belongs to one event loop."""

    layer: str
    context: ClusterContext
    on_nodes: Callable[[str, tuple[Node, ...]], None]
    """Hears of a layer's Nodes each time that they are looked at."""
    step: Step = field(default_factory=lambda: Wait("it has not been looked at yet"))
    said: Mapping[str, Said] = field(default_factory=dict)
    """What the servers said last, by their names."""

    def __post_init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        self._told_part: dict[str, _Told] = {}
        self._looking = asyncio.Lock()
        self._news = Changed()
        self._told = Problem(self._tell)
        self.removal = K3sRemoval(self.layer, self.context)

    @property
    def line(self) -> str | None:
        """What the cluster waits for, in one line; None once it is founded."""
        return None if isinstance(self.step, Founded) else f"{self.layer}: {words(self.step)}"

    @property
    def awaited(self) -> dict[str, str]:
        """By the names of the machines that the cluster waits for, or that wait for it, why.

        A refusal concerns all of its machines.
        """
        names = {one.name for one in self._members}
        told = {
            name: f"{self.layer}: {one.why}"
            for name, one in self._asked.items()
            if one.why and self._asks(name)
        }
        match self.step:
            case Wait(_, awaited):
                return told | dict.fromkeys(awaited, self.line or "")
            case Refuse():
                return dict.fromkeys(names, self.line or "")
        leaving = {name: f"{self.layer}: it leaves: {why}" for name, why in self.removal.leaving.items()}
        silent = dict.fromkeys(self._unready - self._starting.keys(), _NO_NODE)
        found = silent | self._troubles | told | leaving
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
        with Subscription(self.context.changed, self._news) as news:
            await news.wait()
            while True:
                before = self.step
                if await self._look():
                    continue
                if isinstance(self.step, Founded):
                    await self.removal.look(self.said, self._without_data, self._joining(""))
                if self.removal.is_busy:
                    pause = pace.first
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
            self._asked[name] = _Asked(time.monotonic(), asks)
            await self._advance()
            if isinstance(self.step, Initialise):
                await self._be_sure()
        told = part_of(
            name, role, self.step, self.line or "", has_data=asks.has_data, joining=self._joining(name)
        )
        joins = told is K3sPart.JOIN_SERVER and not asks.has_data
        if joins and (left := await self.removal.left_of(name, self.said)):
            told = NotYet(left)
        if isinstance(told, NotYet):
            self._asked[name] = _Asked(time.monotonic(), asks, told.why)
            self._news.tell()
            raise NotYetError(told.why)
        self._told_part[name] = _Told(time.monotonic(), joins)
        return told

    def has_secrets(self, name: str) -> None:
        """Take in that a machine has stored its secrets, so that k3s starts on it."""
        self._asked.pop(name, None)
        self._news.tell()

    async def harm(self, name: str) -> str:
        """Say why a machine is not to be installed again now; empty where nothing is in the way. Raises IluvatarError."""
        await self._look()
        if not isinstance(self.step, Founded):
            return f"{self.line}, or add --force"
        why = await self.removal.harm(name, self.said)
        return f"{name}: {why}, or add --force" if why else ""

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
    def _unready(self) -> AbstractSet[str]:
        """The names of the machines that were told what to do, and are not ready yet."""
        ready = self.step.ready if isinstance(self.step, Founded) else frozenset()
        self._told_part = {name: told for name, told in self._told_part.items() if name not in ready}
        return self._told_part.keys()

    @property
    def _starting(self) -> dict[str, _Told]:
        """Those of them that were told so lately, by their names."""
        since = time.monotonic() - JOIN_SECONDS
        return {name: self._told_part[name] for name in self._unready if self._told_part[name].at > since}

    def _joining(self, but: str) -> str:
        """Return which other server is joining; empty where none is."""
        return next((name for name, told in self._starting.items() if told.joins and name != but), "")

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
                self._show(next_step(cluster, {name: one.found for name, one in self.said.items()}))
                return not self.context.observes and await self._carry_out(cluster)
            except IluvatarError as error:
                self._show(Refuse(str(error)))
                return False

    async def _ask(self) -> Mapping[str, Said]:
        """Ask all servers; one that has asked for its secrets runs no k3s."""
        bundle = await self.context.secrets.known_k3s(self.layer)
        credentials = await self.context.kubernetes(self.layer)
        members = control_planes(self._members, self.layer)

        async def said(member: Member) -> Said:
            if asks := self._asks(member.name):
                return Said(asks)
            return await ask(member.name, member.address, bundle, credentials)

        answers = await asyncio.gather(*map(said, members))
        if nodes := next((one.nodes for one in answers if one.nodes), ()):
            self.on_nodes(self.layer, nodes)
        return {member.name: one for member, one in zip(members, answers, strict=True)}

    def _asks(self, name: str) -> Asks | None:
        asked = self._asked.get(name)
        if asked is None or time.monotonic() - asked.at > ASKED_SECONDS:
            return None
        return asked.asks

    async def _carry_out(self, cluster: ClusterFile | None) -> bool:
        """Do what is next; say whether another look is worth it at once."""
        step, layer = self.step, self.layer
        if cluster is None:
            return False
        match step:
            case NameFounder(founder, why):
                _log.info("cluster.founder", layer=layer, founder=founder, why=why)
                return await self._commit(lambda newest: name_founder(newest, layer, founder))
            case FoundAgain(why):
                _log.warning("cluster.founded_again", layer=layer, why=why)
                return await self._commit(lambda newest: found_again(newest, layer, cluster.generation))
            case NoteFounded(why):
                _log.info("cluster.founded", layer=layer, why=why)
                now = wall_clock()
                return await self._commit(lambda newest: note_founded(newest, layer, cluster.generation, now))
        return False

    async def _commit(self, draw: Draw) -> bool:
        commit = self.context.repository.commit
        if commit is None:
            raise RepositoryError(
                f"{words(self.step)}, but this daemon may not commit that; set [fleet] read_only = false, or have "
                "another daemon do it"
            )
        await commit(draw)
        return True

    def _show(self, step: Step) -> None:
        self.step = step
        self._told.set(self.line if isinstance(step, Wait | Refuse) else None)

    def _tell(self, line: str) -> None:
        if isinstance(self.step, Refuse):
            _log.error("cluster.refused", why=line)
        else:
            _log.info("cluster.waits", why=line)


def words(step: Step) -> str:
    """Return a step in words."""
    match step:
        case NameFounder(founder, why):
            return f"{founder} is to found it: {why}"
        case Initialise(founder, _):
            return f"{founder} is told to found it"
        case NoteFounded(why):
            return f"it is founded: {why}"
        case FoundAgain(why):
            return f"another founder is to be named: {why}"
        case Wait(why) | Founded(why) | Refuse(why):
            return why
