"""The web site on loopback, with an inventory that the test fills: its pages are asked for like a browser does."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from aiohttp import web
from support.fleets import fleet_of
from support.in_thread import InThread
from support.no_secrets import no_secrets
from support.ports import free_port
from support.waiting import PATIENCE

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.servers.http.connections import LIMITS
from iluvatar_pxe.servers.http.faults import one_line_runner, quiet_logger
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.site import WebSite

T = TypeVar("T")


class PageSite(InThread):
    """The site without the HTTP server's gate and its boot files, and with an inventory of its own."""

    def __init__(self, directory: Path, fleet: Fleet | None = None, boot: Sequence[str] = ()) -> None:
        """``boot`` is what keeps machines from booting."""
        self.port = free_port()
        self.fleet = fleet or fleet_of()
        self.events = EventLog()
        url = f"sqlite:///{directory / 'inventory.db'}"
        self.inventory = Inventory(url, events=self.events)
        settings = Settings.model_validate({"state": {"directory": str(directory)}})
        commands = CommandContext(
            inventory=self.inventory,
            fleet_in_force=lambda: self.fleet,
            assigner=DatabaseAssigner(self.inventory),
            window=OwnWindow(self.inventory),
            secrets=no_secrets(self.inventory),
            events=self.events,
        )
        health = Health(parts={}, programs=dict, boot=lambda: boot)
        self.context = WebContext(settings=settings, commands=commands, health=health, events=self.events)

    async def _start(self) -> None:
        await self.inventory.open()
        app = web.Application()
        logins = Logins(self.context.settings.state_directory / "web")
        self.site = WebSite(self.context, logins, FirstRun())
        app.add_routes(self.site.routes())
        self._runner = one_line_runner(
            app,
            LIMITS,
            lambda _: None,
            ProtocolMeter(),
            lambda _: None,
            access_log=None,
            logger=quiet_logger(),
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self._runs = [asyncio.create_task(one.run()) for one in (self.inventory, self.site)]

    async def _stop(self) -> None:
        self.site.close()
        await self._runner.cleanup()
        for task in self._runs:
            task.cancel()
        await asyncio.wait(self._runs)
        await self.inventory.close()

    def run(self, work: Callable[[], T]) -> T:
        """Do something in the site's event loop."""

        async def done() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE)

    def sees(self, mac: str, stage: Stage = Stage.DISCOVER, detail: str = "", **told: str) -> Machine:
        """Let a machine come to a stage; ``told`` is what it says of itself."""
        sighting = Sighting(mac=mac, firmware=Firmware.UEFI_PXE, from_nowhere=True, **told)  # type: ignore[arg-type]
        return self.run(lambda: self.inventory.observe(sighting, stage, vouched=True, detail=detail))

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
