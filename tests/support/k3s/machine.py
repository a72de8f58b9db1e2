"""One node: its power, its disk, and k3s under systemd, which starts it again whenever it ends."""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from support.k3s.configuration import Configuration
from support.k3s.fatal import FatalError
from support.k3s.kubelet import Kubelet
from support.k3s.membership import NEW_CLUSTER
from support.k3s.server import Server
from support.k3s.site import Site
from support.k3s.tokens import Token
from support.talos.clock import Clock

HAS_SERVER = (
    "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting"
)
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


class Machine:
    """A node that lives in the test's event loop while it has power; ``root`` stands for its ``/``."""

    def __init__(
        self,
        site: Site,
        root: Path,
        address: str,
        *,
        clock: Clock | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``prepare`` is run before each start of k3s, as the unit's ``ExecStartPre``; raises FatalError."""
        self.site, self.root, self.address, self.clock = site, root, address, clock or Clock()
        self._prepare = prepare
        self.before_k3s: Callable[[], Awaitable[None]] | None = None
        """As ``prepare``, after it; no failure of it keeps k3s down."""
        self.journal: list[str] = []
        self._uid = ""
        self._server: Server | None = None
        self._life: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        """One start of k3s."""

    @property
    def is_on(self) -> bool:
        if self._life is not None and self._life.done() and not self._life.cancelled():
            self._life.result()  # a defect of the stand-in is no machine that is off
        return self._life is not None and not self._life.done()

    @property
    def is_ready(self) -> bool:
        """Say whether its kubelet posts the status of a Node."""
        uid = self._server.uid if self._server is not None else self._uid
        return self.is_on and uid in self.site.kubelets

    @property
    def inits(self) -> int:
        """Return how often it has made a new cluster."""
        return self.journal.count(NEW_CLUSTER)

    def said(self, words: str) -> bool:
        """Say whether a line of the journal has these words."""
        self.is_on  # noqa: B018  # raises what broke the stand-in
        return any(words in line for line in self.journal)

    async def __aenter__(self) -> Self:
        await self.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.power_cut()

    async def power_on(self) -> None:
        assert not self.is_on
        self.site.boots[self.address] = str(uuid4())
        self._life = asyncio.create_task(self._live(), name=f"k3s {self.address}")

    async def power_off(self) -> None:
        """Stop in order, as systemd does."""
        await self._stop(signal.SIGTERM)

    async def power_cut(self) -> None:
        """Take the power away: nobody is told."""
        await self._stop(signal.SIGKILL)

    def restart(self) -> None:
        """Restart k3s, as ``systemctl restart`` does; nothing where it is off."""
        if self.is_on and self._running is not None:
            self._running.cancel()

    async def cluster_reset(self, snapshot: str = "", config: Path | None = None) -> None:
        """Run ``k3s server --cluster-reset [--cluster-reset-restore-path=…] [--config=…]`` to its end; raises FatalError.

        k3s is down, also where it is only about to be started.
        """
        assert self._server is None or not self.is_on
        configuration = Configuration.read(self.root, config)
        if configuration.text("server"):
            raise FatalError(HAS_SERVER)
        place = configuration.path(snapshot) if snapshot else None
        if place and not place.is_file():  # one look
            raise FatalError(f"etcd: snapshot path does not exist: {snapshot}")
        await self._server_of(configuration).reset(place)

    def lose_disk(self) -> None:
        """Lose what k3s has written, as when a disk is replaced and the node installed again."""
        assert not self.is_on
        for directory in ("var/lib/rancher", "etc/rancher/node"):
            shutil.rmtree(self.root / directory, ignore_errors=True)

    async def _stop(self, how: signal.Signals) -> None:
        life, self._life = self._life, None
        if life is None:
            return
        if self._server is not None:
            self._server.how_to_stop = how
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life

    async def _live(self) -> None:
        """Start k3s again and again: ``Restart=always``."""
        try:
            await self._start_always()
        finally:
            if self._running is not None:
                self._running.cancel()
                await asyncio.wait([self._running])

    async def _start_always(self) -> None:
        while True:
            self._running = asyncio.create_task(self._run())
            await asyncio.wait([self._running])
            if not self._running.cancelled():
                self._told(self._running)
            await self.site.pause()

    def _told(self, ended: "asyncio.Task[None]") -> None:
        """Log why k3s has ended; a defect of the stand-in is raised."""
        try:
            ended.result()
        except* FatalError as ends:
            for end in _leaves(ends):
                self._log(f"level=fatal {end}")

    async def _run(self) -> None:
        self._uid, self._server = "", None
        if self._prepare:
            await self._prepare()
        if self.before_k3s:
            await self.before_k3s()
        if self.clock.now() < _EARLIEST:
            raise FatalError(f"server time isn't set properly: {self.clock.now()}")
        configuration = Configuration.read(self.root)
        for key in configuration.skipped:
            self._log(f"Unknown flag --{key} found in config.yaml, skipping")
        if (own := configuration.text("node-ip", self.address)) != self.address:
            raise FatalError(f"node-ip {own} is no address of this node")
        if configuration.is_server:
            self._server = self._server_of(configuration)
            await self._server.run()
        else:
            await self._run_agent(configuration)

    async def _run_agent(self, configuration: Configuration) -> None:
        url, token = configuration.text("server"), configuration.token
        if not url or not token:
            raise FatalError(f"--{'token' if url else 'server'} is required")
        kubelet = Kubelet(configuration, self.site, self.address, self._log, {}, {})
        async with kubelet.registered(url, Token.parse(token)) as self._uid:
            await asyncio.Event().wait()

    def _server_of(self, configuration: Configuration) -> Server:
        return Server(configuration, self.site, self.address, self.clock, self._log)

    def _log(self, line: str) -> None:
        self.journal.append(line)


def _leaves(group: BaseExceptionGroup[FatalError]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one
