"""Takes snapshots of the etcd of founded clusters: nightly, and when asked to. Each daemon does so for itself.

Two daemons of one fleet have two copies. None of them needs more than the repository and the role that may take snapshots.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec import Struct

from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import EtcdError, IluvatarError, OperationError, TalosError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.sealing import seal
from iluvatar_pxe.gitops.secrets.sealing_stream import seal_stream
from iluvatar_pxe.layers.ainur.bundle import full_token, token_mark
from iluvatar_pxe.layers.etcd.model import EtcdAlarm, EtcdStatus
from iluvatar_pxe.layers.etcd.snapshots import KeptSnapshot, is_due, name_of, sources
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.problem import Problem, first_of
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets
from iluvatar_pxe.provisioning.snapshot_sources import SnapshotSource, source_of
from iluvatar_pxe.provisioning.snapshot_store import SnapshotStore

_log = structlog.get_logger()


class SnapshotPace(Struct, frozen=True):
    """Seconds."""

    look: float = 60.0
    """Between two looks whether one is due: the clock may be set meanwhile."""
    retry: float = 900.0
    """After one that has failed."""


class SnapshotContext(Struct, frozen=True):
    """What snapshots are taken with."""

    fleet: Callable[[], Fleet]
    snapshot: Callable[[], Snapshot]
    secrets: ClusterSecrets
    directory: Path
    host: str
    """This host's name, which its copies are kept under."""
    observes: bool = False
    """None is taken by itself."""
    pace: SnapshotPace = SnapshotPace()
    clock: Callable[[], datetime] = lambda: datetime.now().astimezone()
    """In the host's time zone."""


class EtcdSnapshots:
    """Keeps a few snapshots for each cluster."""

    def __init__(self, context: SnapshotContext) -> None:
        self._context = context
        self._store = SnapshotStore(context.directory)
        self._group: asyncio.TaskGroup | None = None
        self._taking: dict[str, asyncio.Task[KeptSnapshot | str]] = {}
        """By layer; the result is a snapshot, or why there is none."""
        self._problems: dict[str, Problem] = {}
        """By layer, of those that the fleet has."""
        self._copying = Problem(lambda why: _log.error("snapshot.copy", why=why))

    @property
    def problem(self) -> str | None:
        """Why a snapshot could not be taken or copied, in one line, or None."""
        found = [one.text for one in (*self._problems.values(), self._copying)]
        return first_of([text for text in found if text])

    def why_not(self, layer: str) -> str | None:
        """Return why the last attempt has failed, or None."""
        problem = self._problems.get(layer)
        return problem.text if problem else None

    async def kept(self, layer: str) -> Sequence[KeptSnapshot]:
        """Return a layer's snapshots on this host, oldest first; raises OperationError."""
        return await asyncio.to_thread(self._store.kept, layer)

    async def take(self, layer: str) -> KeptSnapshot:
        """Take one now; that goes on where the caller does not wait for its end. Raises OperationError."""
        if layer not in self._context.fleet().clusters:
            raise OperationError(f"{layer}: the fleet has no cluster of this name with secrets of its own")
        if self._group is None:
            raise OperationError("the daemon is starting; try again")
        task = self._taking.get(layer)
        if task is None or task.done():
            task = self._taking[layer] = self._group.create_task(self._attempt(layer))
        result = await asyncio.shield(task)
        if isinstance(result, str):
            raise OperationError(result)
        return result

    async def run(self) -> None:
        """Take those that are due, and copy what is not elsewhere yet, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if not self._context.observes:
                group.create_task(self._copy_always())
                await self._take_always()

    async def _take_always(self) -> None:
        pace = self._context.pace
        while True:
            failed = False
            for layer in self._founded():
                try:
                    if await self._is_due(layer):
                        await self.take(layer)
                except OperationError as error:
                    self._problem(layer).set(str(error))
                    failed = True
            await asyncio.sleep(pace.retry if failed else pace.look)

    def _founded(self) -> list[str]:
        """Return the layers whose clusters are founded."""
        clusters = self._context.fleet().clusters
        self._problems = {layer: one for layer, one in self._problems.items() if layer in clusters}
        self._taking = {layer: task for layer, task in self._taking.items() if layer in clusters}
        return [layer for layer, cluster in clusters.items() if cluster.founded]

    async def _is_due(self, layer: str) -> bool:
        taken = [one.taken for one in await self.kept(layer)]
        return is_due(taken, self._context.clock())

    async def _attempt(self, layer: str) -> KeptSnapshot | str:
        problem = self._problem(layer)
        try:
            kept = await self._take(layer)
        except OperationError as error:
            problem.set(str(error))
            return str(error)
        except IluvatarError as error:
            why = f"{layer}: no snapshot of etcd: {error}"
            problem.set(why)
            return why
        problem.clear()
        return kept

    def _problem(self, layer: str) -> Problem:
        return self._problems.setdefault(
            layer, Problem(lambda why: _log.error("snapshot.failed", layer=layer, why=why))
        )

    async def _take(self, layer: str) -> KeptSnapshot:
        """Take one from the first control plane that gives a whole one."""
        is_k3s = self._context.fleet().k3s(layer) is not None
        source = await source_of(layer, self._context.secrets, is_k3s=is_k3s)
        refused: dict[str, str] = {}
        if is_k3s:
            await self._keep_token(layer)
        for member in await self._sources(layer, source, refused):
            try:
                return await self._take_from(layer, member, source)
            except (TalosError, EtcdError) as error:
                _log.warning("snapshot.damaged", layer=layer, member=member.name, why=str(error))
                refused[member.name] = str(error)
        whys = "; ".join(refused.values()) or "the fleet declares none with an address"
        asked = "server" if is_k3s else "control plane"
        raise OperationError(f"{layer}: no {asked} gives a snapshot of etcd: {whys}")

    async def _keep_token(self, layer: str) -> None:
        """Put the token beside the snapshots of a k3s cluster, sealed as they are: without it none can be restored."""
        bundle = await self._context.secrets.known_k3s(layer)
        sealed = seal(f"{full_token(bundle, 'server')}\n".encode(), self._context.fleet().recipients.keys)
        await asyncio.to_thread(self._store.prepare, layer)
        await asyncio.to_thread(self._store.keep_token, layer, token_mark(bundle), sealed)

    async def _sources(self, layer: str, source: SnapshotSource, refused: dict[str, str]) -> Sequence[Member]:
        """Return the members to ask, best first, and note why others are not."""
        context = self._context
        planes = control_planes(members_of(context.snapshot(), context.fleet()), layer)
        known = {one.name: one for one in planes if one.address}
        answers = await asyncio.gather(*(_asked(one, source) for one in known.values()))
        asked: dict[str, EtcdStatus] = {}
        alarms: list[EtcdAlarm] = []
        for name, answer in zip(known, answers, strict=True):
            if isinstance(answer, IluvatarError):
                refused[name] = str(answer)
            else:
                asked[name] = answer[0]
                alarms += answer[1]
        healthy = sources(asked, alarms)
        refused |= {name: f"{name}: its etcd is not healthy" for name in asked if name not in healthy}
        return [known[name] for name in healthy]

    async def _take_from(self, layer: str, member: Member, source: SnapshotSource) -> KeptSnapshot:
        taken = self._context.clock().astimezone(UTC).replace(microsecond=0)
        place = await asyncio.to_thread(self._store.prepare, layer)
        file = place / name_of(taken)
        pieces = source.pieces(member)
        async with aclosing(pieces):
            await seal_stream(pieces, file, self._context.fleet().recipients.keys)
        await asyncio.to_thread(self._store.rotate, layer, file.name)
        kept = KeptSnapshot(taken, (await asyncio.to_thread(file.stat)).st_size)
        _log.info("snapshot.taken", layer=layer, member=member.name, file=str(file), bytes=kept.size)
        return kept

    async def _copy_always(self) -> None:
        while True:
            backup = self._context.fleet().settings.backup
            try:
                if backup and backup.directory:
                    layers = [name for name in self._founded() if await self.kept(name)]
                    place = Path(backup.directory)
                    await asyncio.to_thread(self._store.copy, layers, place, self._context.host)
                self._copying.clear()
            except OperationError as error:
                self._copying.set(str(error))
            await asyncio.sleep(self._context.pace.look)


async def _asked(
    member: Member, source: SnapshotSource
) -> tuple[EtcdStatus, Sequence[EtcdAlarm]] | TalosError | EtcdError:
    try:
        return await source.asked(member)
    except (TalosError, EtcdError) as error:
        return error
