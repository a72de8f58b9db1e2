"""Asks machines that have their configuration and report nothing here.

That no disk matched, Talos 1.14 logs nowhere; and a machine reports to the daemon that configured it, of several.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.errors import IluvatarError, TalosAnotherError
from iluvatar_pxe.fleet.lookup import listed_as, title_of
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.api.resources import (
    HOSTNAME,
    MACHINE_STATUS,
    SYSTEM_DISK,
    UNATTENDED_INSTALL,
)
from iluvatar_pxe.layers.arda.expected import Expected, Who, expected_machines
from iluvatar_pxe.layers.arda.progress import of_status
from iluvatar_pxe.layers.arda.proving import prove
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.ratelimit import complain

EVERY_SECONDS = 60.0
SILENT_FOR, GIVEN_UP_AFTER = timedelta(minutes=3), timedelta(hours=2)
"""How long a machine has reported nothing when it is asked, and when it is taken to be switched off."""
MOST = 8
"""Machines asked in one round, one after the other; those that were silent longest come first."""

_log = structlog.get_logger()


class SilentMachines:
    """Its answers count like reports; belongs to one event loop."""

    def __init__(
        self,
        inventory: Inventory,
        applied: Applied,
        events: TalosEvents,
        credentials: Callable[[str], Awaitable[Credentials]],
    ) -> None:
        """``credentials`` returns a reader's, for a layer's cluster; raises an IluvatarError where it has no secrets."""
        self._inventory = inventory
        self._applied = applied
        self._events = events
        self._credentials = credentials

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.ask(wall_clock())

    async def ask(self, now: datetime) -> None:
        """Ask those that are silent at a time."""
        machines = self._inventory.snapshot.by_id.values()
        silent = [one for one in machines if _is_silent(one, now)]
        for machine in sorted(silent, key=lambda one: one.last_seen)[:MOST]:
            if machine.address is None:
                continue
            try:
                await self.hear(machine, machine.address)
            except IluvatarError as error:
                title = title_of(machine, self._applied.fleet)
                _log.debug("machine.silent", machine=title, why=str(error))

    async def hear(self, machine: Machine, address: IPv4Address) -> bool:
        """Ask a machine that runs Talos of its cluster, and say whether it is the one that answers.

        Raises an IluvatarError.
        """
        place = listed_as(machine, self._applied.fleet) or machine.assignment
        if place is None or self._applied.fleet.talos(place.layer) is None:
            return False
        credentials = await self._credentials(place.layer or "")
        title = title_of(machine, self._applied.fleet)
        known = expected_machines(self._inventory.snapshot, self._applied.fleet)
        expected = known.get(title) or Expected(Who(name=title))
        async with talos_api(str(address), credentials, name=title) as api:
            if (
                await api.state.get(HOSTNAME) != title
            ):  # one with a former name has another configuration, too
                return False
            try:
                await prove(api, expected, address)
            except TalosAnotherError as error:
                complain("machine.another", machine=title, why=str(error))
                return False
            install = await api.state.get(UNATTENDED_INSTALL)
            status = await api.state.get(MACHINE_STATUS)
            is_on_disk = await api.state.get(SYSTEM_DISK) is not None
        self._events.take(machine, address, of_status(status, install, is_on_disk=is_on_disk))
        return True


def _is_silent(machine: Machine, now: datetime) -> bool:
    silent = abs(now - machine.last_seen)
    has_to_come = machine.phase in {Phase.INSTALLING, Phase.INSTALLED}
    return has_to_come and not machine.conflict and SILENT_FOR < silent < GIVEN_UP_AFTER
