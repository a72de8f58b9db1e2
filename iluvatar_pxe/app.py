"""The composition root: builds the parts, runs them in one TaskGroup, and stops them in stages."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.programs import programs_told
from iluvatar_pxe.errors import FleetError, RepositoryError, ServerError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.origin import HostedOrigin, Origin
from iluvatar_pxe.gitops.prepare import prepare
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.gitops.secrets.first_keys import FirstKeys
from iluvatar_pxe.host.garbage import freeze_garbage
from iluvatar_pxe.host.interface_watch import InterfaceWatch
from iluvatar_pxe.host.lock import lock_directory
from iluvatar_pxe.host.neighbours import Neighbours
from iluvatar_pxe.host.service_manager import ServiceManager
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.provisioning.adopting import Adopter
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.around import Around
from iluvatar_pxe.provisioning.booters import booters_of
from iluvatar_pxe.provisioning.cluster_network import ClusterNetwork
from iluvatar_pxe.provisioning.cluster_troubles import ClusterTroubles
from iluvatar_pxe.provisioning.convergence import Convergence
from iluvatar_pxe.provisioning.fleet_source import FleetSource
from iluvatar_pxe.provisioning.inspection import Inspector
from iluvatar_pxe.provisioning.maintenance import Maintenance
from iluvatar_pxe.provisioning.own_host import OwnHost
from iluvatar_pxe.provisioning.owner_keys import OwnerKeys
from iluvatar_pxe.provisioning.pis import PiFiles
from iluvatar_pxe.provisioning.prospects import Prospects
from iluvatar_pxe.provisioning.reinstalling import Reinstaller
from iluvatar_pxe.provisioning.silent_machines import SilentMachines
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots, SnapshotContext
from iluvatar_pxe.provisioning.supply import Supply
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.provisioning.talos_reports import note_line
from iluvatar_pxe.provisioning.tickets import TicketKey, Tickets, load_key
from iluvatar_pxe.provisioning.trying_again import TryingAgain
from iluvatar_pxe.servers.control import ControlServer
from iluvatar_pxe.servers.dhcp.pace import Pace
from iluvatar_pxe.servers.dhcp.server import DhcpServer
from iluvatar_pxe.servers.dns.service import NameService
from iluvatar_pxe.servers.http.git.site import GitSite
from iluvatar_pxe.servers.http.routes.refresh import Webhook
from iluvatar_pxe.servers.http.server import HttpServer
from iluvatar_pxe.servers.listeners import Foretell, Listeners
from iluvatar_pxe.servers.ndp.server import NdpServer
from iluvatar_pxe.servers.ntp.server import NtpServer
from iluvatar_pxe.servers.self_check import SelfCheck
from iluvatar_pxe.servers.supervision import Supervision
from iluvatar_pxe.servers.talos.server import TalosServer
from iluvatar_pxe.servers.tftp.files import TftpFiles
from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.tls.mending import has_authority

TRANSFER_GRACE = 4.0
"""Seconds that running transfers get to finish after SIGTERM."""
INVENTORY_GRACE = 3.5
"""Seconds that the inventory then gets to record what is left; together, stopping stays below 10 s."""
READER_LIFETIME = timedelta(hours=1)
"""Of the certificate that silent machines are asked with."""

_log = structlog.get_logger()


class App:
    """All parts of one daemon, built in the order in which they need each other."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin | None,
        key: TicketKey,
        certificates: Certificates,
        store: AssetStore,
        inventory: Inventory,
    ) -> None:
        self.settings = settings
        self.inventory = inventory
        self.applied = Applied()
        self._keys = OwnerKeys(settings, origin)
        self._origin = origin
        self._store = store
        around = Around(
            applied=self.applied,
            interfaces=lambda: self.watch.interfaces,
            daemons=lambda: self.supply.daemons(),  # noqa: PLW0108 - supply is made later
            ports=settings.talos,
        )
        network = ClusterNetwork(
            applied=self.applied,
            snapshot=lambda: inventory.snapshot,
            interfaces=lambda: self.watch.interfaces,
            around=around.of,
        )
        self._fleet_source = FleetSource(settings, origin, self.applied, store, inventory, network.check)
        self.supply = Supply(
            settings, self.applied, store, self._fleet_source.pins, self._fleet_source.changed
        )
        neighbours = Neighbours()
        tickets = Tickets(key.octets, time.monotonic)
        self.watch = InterfaceWatch(settings.network.interfaces, inventory.machines_in)
        booters = booters_of(
            settings,
            self.applied,
            store,
            inventory,
            neighbours,
            tickets,
            self._fleet_source,
            self.supply,
            network,
            lambda: certificates.document,
        )
        pace = Pace()
        files = TftpFiles(booters, settings.http.port, PiFiles(booters, pace.came_on))
        self.tftp = TftpServer(settings.tftp, files.open, files.report, neighbours.mac_of)
        events = TalosEvents(inventory, self.applied, booters.real.journal, neighbours.mac_of)
        talos = TalosServer(settings, events.take_event, events.take_line, note_line, neighbours.mac_of)
        ndp = NdpServer()
        ntp = NtpServer(settings.ntp, settings.http.allow)
        self.dhcp = DhcpServer(settings, booters, ndp.offered, pace)
        self.names = NameService(
            settings,
            lambda: inventory.snapshot,
            lambda: self.applied.fleet,
            (inventory.changed, self._fleet_source.changed),
        )
        self.prospects = Prospects(self.applied, store, lambda: self.supply.coming)
        reinstaller = Reinstaller(
            self._fleet_source.clusters.context, inventory, self._fleet_source.clusters.k3s.harm
        )
        convergence = Convergence(self._fleet_source.clusters.context, booters.real.configurations)
        self.snapshots = EtcdSnapshots(
            SnapshotContext(
                fleet=lambda: self.applied.fleet,
                snapshot=lambda: inventory.snapshot,
                secrets=self._fleet_source.secrets,
                directory=settings.state_directory / "snapshots",
                host=Path(os.uname().nodename).name,
                observes=settings.network.dhcp == "observe",
            )
        )
        refusals = booters.real.configurations.refusals
        health = Health(
            parts={
                "assets": lambda: store.problem,
                "boot": lambda: self.prospects.problem,
                "changes": lambda: convergence.problem,
                "clusters": lambda: self._fleet_source.clusters.problem,
                "configurations": lambda: refusals.problem,
                "control": lambda: self.control.problem,
                "database": lambda: inventory.health,
                "dhcp": lambda: self.dhcp.problem,
                "dns": lambda: self.names.problem,
                "fleet": lambda: self._fleet_source.problem,
                "keys": lambda: self._keys.problem,
                "network": lambda: self.watch.problem,
                "snapshots": lambda: self.snapshots.problem,
                "tickets": lambda: key.problem,
                "tls": lambda: certificates.problem,
            },
            programs=self.programs,
            boot=lambda: self.prospects.lines,
            clusters=lambda: [*self._fleet_source.clusters.lines, *refusals.lines, *convergence.lines],
            time=lambda: ntp.lines,
            dns=self.names.server.statistics,
        )
        context = CommandContext(
            inventory=inventory,
            fleet_in_force=lambda: self.applied.fleet,
            assigner=self._fleet_source.assigner,
            window=self._fleet_source.window,
            secrets=self._fleet_source.secrets,
            report=lambda: health.report()[1],
            dns=self.names.server,
            assets=self.supply.commands,
            clusters=self._fleet_source.clusters,
            snapshots=self.snapshots,
            reinstaller=reinstaller,
            convergence=convergence,
            troubles=ClusterTroubles(refusals, self._fleet_source.refusal, events.doubts),
            adopter=Adopter(self._fleet_source.clusters.context, network.holder),
            own_host=OwnHost(booters.real, lambda: self.watch.interfaces, settings.http.port),
        )
        self.control = ControlServer(settings.control_socket, settings.state_directory, context)
        offered, routes = self.supply.offered.open, self._routes()
        self.http = HttpServer(settings.http, booters, health, certificates, offered=offered, routes=routes)
        self._listeners = Listeners(
            settings, self.dhcp, self.names.server, self.http, ndp, ntp, neighbours, self.tftp, talos
        )
        self._manager = ServiceManager.of(os.environ)
        check = SelfCheck(settings, self.tftp, self.names.server, self.watch)
        self.supervision = Supervision(self._manager, check, health, inventory)
        silent = SilentMachines(inventory, self.applied, events, self._reader)
        maintenance = Maintenance(booters.real, self._fleet_source.secrets.known, silent.hear)
        self._runs = (
            inventory,
            store,
            self._fleet_source,
            self.snapshots,
            reinstaller,
            convergence,
            TryingAgain(booters.real),
            self.supply,
            self.http,
            self.names,
            ntp,
            Inspector(maintenance, inventory, self._fleet_source.changed),
            silent,
        )
        """What runs until the last transfer has ended."""
        self._stop = asyncio.Event()
        self._kept = AsyncExitStack()
        """Closed when nothing runs any more."""
        self._kept.push_async_callback(self._close_inventory)
        self._kept.callback(neighbours.close)
        self._open = AsyncExitStack()
        """Takes work; closed first."""
        self._open.push_async_callback(self._drain)
        for part in (ndp, ntp, talos, self.names.server, self.dhcp, self.watch):
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
        inventory = Inventory(settings.database_url)
        try:
            await inventory.open()
            app = cls(settings, origin, key, certificates, store, inventory)
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
            self._manager.ready()
            ready()
            await self._run(foretell, reload, show)
        _log.info("stopped")

    async def bind(self, foretell: Foretell) -> None:
        """Listen on all sockets, once ``foretell`` has told what follows; raises ServerError."""
        await self.control.bind()
        await self.watch.start(partial(self._listeners.serve, foretell))

    async def close(self) -> None:
        """Close what takes work, then let transfers end, then close the rest, the inventory last."""
        await self._open.aclose()
        await self._kept.aclose()

    def programs(self) -> dict[str, str]:
        """Tell for every kind of firmware the iPXE program it gets, or why none."""
        return programs_told(self.prospects.context)

    async def _start(self, origin: Origin | None) -> None:
        await self._fleet_source.start()
        if self._fleet_source.was_applied or await self._others():
            self.inventory.follow_old_fleet()
        if isinstance(origin, HostedOrigin) and await self._keys.make():
            await self._fleet_source.refresh()
        await self.supply.start()

    async def _others(self) -> bool:
        """Say whether another daemon has served this fleet, or that cannot be told: then no window opens by itself."""
        recipients = self.applied.fleet.recipients
        if not recipients.daemons:
            return self._origin is not None and self._fleet_source.problem is not None
        return await self._keys.are_anothers(recipients)

    async def _run(
        self, foretell: Foretell, reload: asyncio.Event, show: Callable[[FirstKeys], None]
    ) -> None:
        """Run all parts until the stop signal, then stop in stages: no new work, the transfers' end, the rest."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run()) for part in self._runs]
            tasks += [group.create_task(self._reload_when(reload)), group.create_task(self._keys.show(show))]
            group.create_task(self.tftp.run())
            following = group.create_task(self.watch.run(partial(self._listeners.serve, foretell)))
            supervising = group.create_task(self.supervision.run())
            await self._stop.wait()
            supervising.cancel()
            following.cancel()
            await asyncio.wait([following])
            self._manager.stopping()
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

    async def _reader(self, layer: str) -> Credentials:
        return await self._fleet_source.secrets.talos(layer, (ApiRole.READER,), READER_LIFETIME)

    def _routes(self) -> list[web.RouteDef]:
        """Return what HTTP serves of the repositories."""
        settings = self.settings
        site = GitSite(settings.repositories, settings.git, settings.http.tls_port)
        webhook = Webhook(settings.fleet.webhook_secret_file, self._fleet_source.wake)
        return [*site.routes(), webhook.route]

    async def _drain(self) -> None:
        """Let running transfers finish, all within the same time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.control.close())
            group.create_task(self.tftp.drain(TRANSFER_GRACE))
            group.create_task(self.http.close(TRANSFER_GRACE))

    async def _close_inventory(self) -> None:
        try:
            async with asyncio.timeout(INVENTORY_GRACE):
                await self.inventory.close()
        except TimeoutError:
            _log.error("inventory-not-saved", problem=self.inventory.health)

    async def _reload_when(self, wanted: asyncio.Event) -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            self._manager.reloading()
            await self._fleet_source.refresh()
            self._manager.ready()


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
