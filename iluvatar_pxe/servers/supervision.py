"""Reports the status to the service manager, and feeds its watchdog while the self-check passes."""

import asyncio

import structlog

from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.host.service_manager import ServiceManager
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.servers.self_check import SelfCheck

_STATUS_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_UNDER_WAY = frozenset({Phase.BOOTING, Phase.INSTALLING})

_log = structlog.get_logger()


class Supervision:
    """``run`` while the daemon serves; does nothing where there is no service manager."""

    def __init__(
        self, manager: ServiceManager, check: SelfCheck, health: Health, inventory: Inventory
    ) -> None:
        self._manager = manager
        self._check = check
        self._health = health
        self._inventory = inventory

    async def run(self) -> None:
        """Keep the status up to date and feed the watchdog, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._manager.address:
                group.create_task(self._tell_status())
            if self._manager.watchdog:
                group.create_task(self._feed(self._manager.watchdog / 2))

    async def _tell_status(self) -> None:
        told = ""
        while True:
            snapshot, remaining = self._inventory.snapshot, self._inventory.window.remaining
            text = self._health.first_problem or self._check.blocked_by or status_line(snapshot, remaining)
            if (text != told or self._manager.owed) and self._manager.status(text):
                told = text
            await asyncio.sleep(_STATUS_SECONDS)

    async def _feed(self, interval: float) -> None:
        """Feed the watchdog every ``interval`` seconds, which is twice before it bites, if the self-check is passed."""
        while True:
            problem = await self._check.problem(interval / 2)
            if problem:
                _log.error("self-check", problem=problem, then="systemd restarts the daemon if this persists")
                await asyncio.sleep(min(_RETRY_SECONDS, interval / 2))
            else:
                self._manager.alive()
                await asyncio.sleep(interval)


def status_line(snapshot: Snapshot, window_seconds: float) -> str:
    """Say how many machines there are, what they do, and for how long new ones may join."""
    machines = list(snapshot.by_id.values())
    under_way = sum(machine.phase in _UNDER_WAY for machine in machines)
    hours, minutes = divmod(int(window_seconds / 60), 60)
    window = f"open {hours} h {minutes} min" if window_seconds else "closed"
    return f"{len(machines)} machine{'s' * (len(machines) != 1)}, {under_way} booting, window {window}"
