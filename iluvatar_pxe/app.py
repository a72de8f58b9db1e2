"""The composition root: builds the parts, runs them in one TaskGroup, and stops them in stages."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from iluvatar_pxe.assets.catalogue import Catalogue
from iluvatar_pxe.boot.programs import architectures_ready
from iluvatar_pxe.errors import FleetError, ServerError
from iluvatar_pxe.gitops.directory import plant_starter_fleet, read_fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.servers.control import ControlServer
from iluvatar_pxe.servers.desk import Desk
from iluvatar_pxe.servers.dhcp import DhcpServer
from iluvatar_pxe.servers.health import Health
from iluvatar_pxe.servers.http import HttpServer
from iluvatar_pxe.servers.interface_watch import InterfaceWatch
from iluvatar_pxe.servers.interfaces import Interface, choose_interfaces
from iluvatar_pxe.servers.ndp import NdpServer
from iluvatar_pxe.servers.neighbours import Neighbours
from iluvatar_pxe.servers.operations import Operations
from iluvatar_pxe.servers.tftp import TftpServer
from iluvatar_pxe.servers.tftp_files import TftpFiles
from iluvatar_pxe.servers.tickets import TicketOffice, load_key
from iluvatar_pxe.settings import Settings

TRANSFER_GRACE = 4.0
"""Seconds that running transfers get to finish after SIGTERM."""
INVENTORY_GRACE = 3.5
"""Seconds that the inventory then gets to record what is left; together, stopping stays below 10 s."""

_log = structlog.get_logger()


class App:
    """All parts of one daemon."""

    def __init__(
        self,
        settings: Settings,
        interfaces: tuple[Interface, ...],
        neighbours: Neighbours,
        desk: Desk,
        tickets: TicketOffice,
    ) -> None:
        self.settings = settings
        self.interfaces = interfaces
        self.neighbours = neighbours
        self.desk = desk
        http_port = settings.http.port
        files = TftpFiles(desk, interfaces, http_port)
        self.watch = InterfaceWatch(interfaces)
        self.ndp = NdpServer(interfaces)
        self.dhcp = DhcpServer(settings.dhcp, interfaces, http_port, desk, self.ndp.offered)
        self.tftp = TftpServer(settings.tftp, [one.address for one in interfaces], files.open, files.report)
        health = Health(
            parts={
                "assets": lambda: desk.catalogue.problem,
                "database": lambda: desk.inventory.health,
                "fleet": lambda: desk.fleet_problem,
                "network": lambda: self.watch.problem,
            },
            programs=self.programs,
        )
        operations = Operations(desk.inventory, lambda: desk.fleet)
        self.control = ControlServer(settings.control_socket, settings.state_directory, operations)
        self.http = HttpServer(settings.http, interfaces, desk, tickets, health)
        self._stop = asyncio.Event()

    @classmethod
    async def build(cls, settings: Settings) -> "App":
        """Read everything that the daemon needs; raises SettingsError, FleetError or ServerError.

        A SIGHUP that comes meanwhile, which would end the process, waits until ``serve`` can act on it.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        await asyncio.to_thread(_make_directories, settings)
        await asyncio.to_thread(lock_directory, settings.state_directory)
        interfaces = await asyncio.to_thread(choose_interfaces, settings.network.interfaces)
        if settings.fleet.source == "hosted":
            await asyncio.to_thread(plant_starter_fleet, settings.fleet_directory)
        fleet = await asyncio.to_thread(read_fleet, settings.fleet_directory)
        key = await asyncio.to_thread(load_key, settings.state_directory / "ticket.key")
        catalogue = Catalogue(settings.assets_directory)
        await catalogue.refresh()
        inventory = Inventory(settings.database_url)
        await inventory.open()
        neighbours = Neighbours(interfaces)
        desk = Desk(fleet, settings.fleet_directory, inventory, catalogue, neighbours.mac_of)
        return cls(settings, interfaces, neighbours, desk, TicketOffice(key, time.monotonic))

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reloads the fleet. Raises ServerError when a port is taken."""
        await self._bind()
        loop = asyncio.get_running_loop()
        reload = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        ready()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.desk.inventory.run()),
                group.create_task(self.desk.catalogue.run()),
                group.create_task(self.watch.run()),
                group.create_task(self._reload_when(reload)),
            ]
            group.create_task(self.tftp.run())
            await self._stop.wait()
            await self._stop_in_stages()
            for task in tasks:
                task.cancel()
        self.neighbours.close()
        await self._close_inventory()
        _log.info("stopped")

    def programs(self) -> dict[str, str | None]:
        """Tell for every kind of firmware the iPXE program it gets, or None."""
        return architectures_ready(self.desk.catalogue.ready)

    async def reload_fleet(self) -> None:
        """Read the fleet again; a faulty one changes nothing."""
        try:
            fleet = await asyncio.to_thread(read_fleet, self.desk.fleet_directory)
        except FleetError as error:
            self.desk.fleet_problem = error.findings[0]
            for finding in error.findings:
                _log.error("fleet.rejected", why=finding)
            return
        self.desk.fleet, self.desk.fleet_problem = fleet, None
        _log.info("fleet.loaded", machines=len(fleet.names))

    async def _bind(self) -> None:
        try:
            self.tftp.bind()
            await self.http.bind()
            await self.control.bind()
            if self.settings.network.dhcp == "proxy":
                self.dhcp.bind()
                self.ndp.bind()
        except ServerError:
            self.dhcp.close()
            await self.control.close()
            await self.http.close(0)
            await self.tftp.drain(0)
            await self.desk.inventory.close()
            raise

    async def _stop_in_stages(self) -> None:
        """No new work, let running transfers finish, and only then the database."""
        _log.info("stopping", grace_seconds=TRANSFER_GRACE)
        self.dhcp.close()
        self.ndp.close()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.control.close())
            group.create_task(self.tftp.drain(TRANSFER_GRACE))
            group.create_task(self.http.close(TRANSFER_GRACE))

    async def _close_inventory(self) -> None:
        try:
            async with asyncio.timeout(INVENTORY_GRACE):
                await self.desk.inventory.close()
        except TimeoutError:
            _log.error("inventory-not-saved", problem=self.desk.inventory.health)

    async def _reload_when(self, wanted: asyncio.Event) -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            await self.reload_fleet()


def _make_directories(settings: Settings) -> None:
    for directory in (settings.state_directory, settings.assets_directory):
        _make_directory(directory)


def lock_directory(directory: Path) -> None:
    """Take the state directory for as long as this process lives; raises ServerError when another has it."""
    path = directory / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerError(f"{path}: cannot be opened: {error.strerror}; make it writable") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        text = f"{directory}: another iluvatar-pxe uses it; stop that or set [state] directory"
        raise ServerError(text) from error


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        remedy = "make it writable or set [state] directory"
        raise ServerError(f"{directory}: cannot be created: {error.strerror}; {remedy}") from error
