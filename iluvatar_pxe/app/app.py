"""Runs the parts in one TaskGroup, and stops them in stages."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from iluvatar_pxe.app.parts import Parts
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.errors import FleetError, RepositoryError, ServerError
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.origin import HostedOrigin, Origin
from iluvatar_pxe.gitops.prepare import prepare
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.gitops.secrets.first_keys import FirstKeys
from iluvatar_pxe.host.garbage import freeze_garbage, give_back_memory
from iluvatar_pxe.host.lock import lock_directory
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.tickets import load_key
from iluvatar_pxe.servers.listeners import Foretell
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.tls.mending import has_authority

TRANSFER_GRACE = 4.0
"""Seconds that running transfers get to finish after SIGTERM."""
INVENTORY_GRACE = 3.5
"""Seconds that the inventory then gets to record what is left; together, stopping stays below 10 s."""

_log = structlog.get_logger()


class App:
    """One daemon: its parts, from the first socket that listens to the last one that is closed."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._stop = asyncio.Event()
        self._kept = AsyncExitStack()
        """Closed when nothing runs any more."""
        self._kept.push_async_callback(self._close_inventory)
        self._kept.callback(parts.neighbours.close)
        self._open = AsyncExitStack()
        self._open.push_async_callback(self._drain)
        for part in parts.intakes:
            self._open.callback(part.close)

    @classmethod
    async def build(cls, settings: Settings) -> "App":
        """Read everything that the daemon needs; raises SettingsError, FleetError, RepositoryError or ServerError."""
        await asyncio.to_thread(_make_directories, settings)
        await asyncio.to_thread(lock_directory, settings.state_directory)
        origin = await prepare(settings)
        key = await asyncio.to_thread(load_key, settings.state_directory / "ticket.key")
        certificates = await asyncio.to_thread(
            Certificates.load, settings.http, settings.state_directory / "tls", await _domain(settings)
        )
        store = AssetStore(settings.assets_directory, settings.state_directory)
        await store.refresh()
        events = EventLog()
        inventory = Inventory(settings.database_url, events=events)
        try:
            await inventory.open()
            app = cls(Parts(settings, origin, key, certificates, store, inventory, events))
            await app._start(origin)
        except BaseException:
            await inventory.close()
            raise
        return app

    async def serve(
        self,
        foretell: Foretell,
        ready: Callable[[], None],
        show: Callable[[FirstKeys], None],
    ) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reloads the fleet. Raises ServerError when a port is taken.

        ``foretell`` is called with interfaces before anybody on them is answered, ``ready`` once when
        everything listens, ``show`` with keys that the owner has to see now.
        """
        async with self._kept, self._open:
            reload = self._listen_to_signals()
            await self.bind(foretell)
            freeze_garbage()
            give_back_memory()
            self.parts.manager.ready()
            ready()
            await self._run(foretell, reload, show)
        _log.info("stopped")

    async def bind(self, foretell: Foretell) -> None:
        """Listen on all sockets, once ``foretell`` has told what follows; raises ServerError."""
        await self.parts.control.bind()
        await self.parts.watch.start(partial(self.parts.listeners.serve, foretell))

    async def close(self) -> None:
        """Close what takes work, then let transfers end, then close the rest, the inventory last."""
        await self._open.aclose()
        await self._kept.aclose()

    async def _start(self, origin: Origin | None) -> None:
        await self.parts.fleet_source.start()
        if self.parts.fleet_source.was_applied or await self._others():
            self.parts.inventory.follow_old_fleet()
        applied = self.parts.fleet_source.cluster_repository.revision()
        if isinstance(origin, HostedOrigin) and await self.parts.keys.make(applied):
            await self.parts.fleet_source.refresh()
        await self.parts.supply.start()

    async def _others(self) -> bool:
        """Say whether another daemon has served this fleet, or that cannot be told: then no window opens by itself."""
        recipients = self.parts.applied.fleet.recipients
        if not recipients.daemons:
            return self.parts.origin is not None and self.parts.fleet_source.problem is not None
        return await self.parts.keys.are_anothers(recipients)

    async def _run(
        self, foretell: Foretell, reload: asyncio.Event, show: Callable[[FirstKeys], None]
    ) -> None:
        """Run all parts until the stop signal, then stop in stages: no new work, the transfers' end, the rest."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run()) for part in self.parts.runs]
            tasks += [
                group.create_task(self._reload_when(reload)),
                group.create_task(self.parts.keys.show(show)),
            ]
            group.create_task(self.parts.tftp.run())
            following = group.create_task(self.parts.watch.run(partial(self.parts.listeners.serve, foretell)))
            supervising = group.create_task(self.parts.supervision.run())
            await self._stop.wait()
            supervising.cancel()
            following.cancel()
            await asyncio.wait([following])
            self.parts.manager.stopping()
            _log.info("stopping", grace_seconds=TRANSFER_GRACE)
            await self._open.aclose()
            for task in tasks:
                task.cancel()

    def _listen_to_signals(self) -> asyncio.Event:
        """Return the event that SIGHUP sets."""
        loop = asyncio.get_running_loop()
        reload = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        return reload

    async def _drain(self) -> None:
        """Let running transfers finish, all within the same time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.parts.control.close())
            group.create_task(self.parts.tftp.drain(TRANSFER_GRACE))
            group.create_task(self.parts.http.close(TRANSFER_GRACE))

    async def _close_inventory(self) -> None:
        try:
            async with asyncio.timeout(INVENTORY_GRACE):
                await self.parts.inventory.close()
        except TimeoutError:
            _log.error("inventory-not-saved", problem=self.parts.inventory.health)

    async def _reload_when(self, wanted: asyncio.Event) -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            self.parts.manager.reloading()
            await self.parts.fleet_source.refresh()
            self.parts.manager.ready()


async def _domain(settings: Settings) -> str:
    """Return the fleet's domain for a CA that is to be made or mended; the default if the fleet is not valid, as its reader tells."""
    if await asyncio.to_thread(has_authority, settings.state_directory / "tls"):
        return Fleet().settings.domain
    try:
        return (await fleet_in_force(settings)).settings.domain
    except (FleetError, RepositoryError):
        return Fleet().settings.domain


def _make_directories(settings: Settings) -> None:
    for directory in (settings.state_directory, settings.assets_directory):
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            remedy = "make it writable or set [state] directory"
            raise ServerError(f"{directory}: cannot be created: {error.strerror}; {remedy}") from error
