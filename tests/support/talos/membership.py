"""How a control plane's etcd is founded, joins, and leaves: Talos' rules around the real etcd."""

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from support.etcd import CLIENT_PORT, EtcdError
from support.talos.clock import Clock
from support.talos.etcd import Etcd, Member, listens
from support.talos.services import Services

JOIN_SECONDS = 3.0
LEAVE_SECONDS = 30.0
"""Of real time, as etcd's own intervals are; Talos tries for five minutes."""
WAITING = (
    "etcd is waiting to join the cluster, if this node is the first node of the cluster, please run "
    "`talosctl bootstrap` against one of the following IPs:"
)


class NotAMemberError(Exception):
    """This machine's etcd is not there to be asked."""


class Membership:
    """The part of one control plane in etcd's cluster, for one boot."""

    def __init__(
        self,
        etcd: Etcd,
        services: Services,
        clock: Clock,
        log: Callable[[str], None],
        others: Callable[[], Awaitable[Iterable[str]]],
        may_write: asyncio.Event,
        on_new: Callable[[], None],
    ) -> None:
        """``on_new`` is called when etcd starts as a new cluster, without data."""
        self.etcd = etcd
        self._services, self._clock, self._log = services, clock, log
        self._others, self._may_write, self._on_new = others, may_write, on_new
        self._founding = asyncio.Event()
        self._has_left = False
        self.is_voting = False
        self.id = 0

    def found(self) -> None:
        """Have etcd started as the first member; that it shall is in memory only, until etcd writes."""
        self._founding.set()

    async def run(self) -> None:
        """Start etcd as soon as there is a way, and keep it until cancelled."""
        self._services.set("etcd", "Preparing", "Running pre state")
        if not self.etcd.is_empty:
            await self._start([(self.etcd.name, self.etcd.peer_url)], "existing")
        else:
            self._log(f"{WAITING} [{self.etcd.address}]")
            await self._found_or_join()
        await self._settle()
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """Take this member out of the cluster and empty its directory; raises EtcdError, also for the last one."""
        if len(await self.etcd.members()) == 1:
            raise EtcdError("etcdserver: re-configuration failed due to not enough started members")
        deadline = time.monotonic() + LEAVE_SECONDS
        while not await self._is_removed():
            if time.monotonic() > deadline:
                raise EtcdError("etcdserver: unhealthy cluster")
            await self._clock.sleep(1)
        await self.etcd.stop()
        shutil.rmtree(self.etcd.data, ignore_errors=True)
        self._has_left, self.is_voting = True, False
        self._services.set("etcd", "Finished", "Service finished successfully")

    async def _is_removed(self) -> bool:
        """Have this member removed, and say whether it is; the one that is removed may stop before it answers."""
        for url in await self._reachable():
            with suppress(EtcdError, TimeoutError):
                own = next(
                    (one for one in await self.etcd.members(url) if self.etcd.peer_url in one.peer_urls), None
                )
                if own is None:
                    return True
                await self._remove(own, url)
        return False

    async def stop(self, *, cut: bool) -> None:
        await self.etcd.stop(signal.SIGKILL if cut else signal.SIGTERM)

    async def _found_or_join(self) -> None:
        while True:
            if self._founding.is_set():
                await self._may_write.wait()
                self._on_new()
                await self._start([(self.etcd.name, self.etcd.peer_url)], "new")
                return
            for url in await self._reachable():
                if await self._joined_by(url):
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(JOIN_SECONDS / self._clock.speed):
                    await self._founding.wait()

    async def _joined_by(self, url: str) -> bool:
        try:
            for member in await self.etcd.members(url):
                if member.name == self.etcd.name or self.etcd.peer_url in member.peer_urls:
                    await self._remove(member, url)
            await self.etcd.call(
                "member", "add", self.etcd.name, "--learner", f"--peer-urls={self.etcd.peer_url}", url=url
            )
            members = await self.etcd.members(url)
        except (EtcdError, TimeoutError):
            return False
        names = [(member.name or self.etcd.name, peer) for member in members for peer in member.peer_urls]
        await self._start(names, "existing")
        return True

    async def _start(self, members: Iterable[tuple[str, str]], state: str) -> None:
        await self.etcd.start(members, state)
        self._services.set("etcd", "Running", "Started task etcd (PID 1000) for container etcd")

    async def _settle(self) -> None:
        """Wait until this member is healthy and votes; a learner is promoted by the others."""
        while not self._has_left:
            own = await self._own()
            if own is not None and not own.is_learner and await self.etcd.is_healthy():
                self.is_voting, self.id = True, own.id
                self._services.set("etcd", "Running", "Health check successful", healthy=True)
                return
            if own is not None and own.is_learner:
                await self._promote(own)
            await self._clock.sleep(1)

    async def members(self) -> tuple[Member, ...]:
        """Return the members; a learner says nothing, so that the others are asked. Raises EtcdError."""
        try:
            return await self.etcd.members()
        except EtcdError as error:
            for url in await self._reachable():
                with suppress(EtcdError, TimeoutError):
                    return await self.etcd.members(url)
            raise error from None

    async def _own(self) -> Member | None:
        with suppress(EtcdError, TimeoutError):
            members = await self.members()
            return next((member for member in members if self.etcd.peer_url in member.peer_urls), None)
        return None

    async def _reachable(self) -> list[str]:
        """Return the client URLs of the other control planes whose etcd listens; asking one that does not takes seconds."""
        return [
            f"https://{address}:{CLIENT_PORT}"
            for address in await self._others()
            if await listens(address, CLIENT_PORT)
        ]

    async def _promote(self, own: Member) -> None:
        for url in await self._reachable():
            with suppress(EtcdError, TimeoutError):
                await self.etcd.order("member", "promote", f"{own.id:x}", url=url)
                return

    async def _remove(self, member: Member, url: str | None = None) -> None:
        await self.etcd.call("member", "remove", f"{member.id:x}", url=url)
