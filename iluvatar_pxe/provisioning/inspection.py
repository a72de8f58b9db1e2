"""Looks which machines wait in Talos' maintenance mode, and attends to each until it has its configuration."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import ConfigurationError, IluvatarError, TalosNotReadyError, TalosUnreachableError
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.maintenance import Maintenance, Waiting

AT_ONCE = 8
"""Machines that are asked at once."""
ATTEMPT_SECONDS = 90.0
"""For one attempt: four readings, and one configuration."""
LOOK_SECONDS = 1.0
"""Between two looks at which machines there are: every packet changes the inventory."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between attempts that fail; a machine that is held is read again as often as the latter."""
SLOW_SECONDS = 300.0
"""Without an answer; until then Talos may still be starting."""
GIVE_UP_SECONDS = 3600.0
"""Without an answer. A machine that waits answers, and its next boot is another matter."""
MOST_SILENT = 8192


class Inspector:
    """Runs one task for each machine that waits; belongs to one event loop."""

    def __init__(self, maintenance: Maintenance, inventory: Inventory, fleet_changed: Changed) -> None:
        self._maintenance = maintenance
        self._inventory = inventory
        self._fleet_changed = fleet_changed
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._attended: set[UUID] = set()
        self._silent: Recent[UUID, int] = Recent(MOST_SILENT)
        """By machine, the boot in which it never answered."""

    async def run(self) -> None:
        """Attend to machines until cancelled."""
        async with asyncio.TaskGroup() as group:
            with Subscription(self._inventory.changed, self._fleet_changed) as news:
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LONGEST_PAUSE):
                            await news.wait()
                    for machine in self._newcomers():
                        self._attended.add(machine.id)
                        group.create_task(self._attend(machine.id))
                    await asyncio.sleep(LOOK_SECONDS)

    def _newcomers(self) -> list[Machine]:
        machines = self._inventory.snapshot.by_id.values()
        return [
            one
            for one in machines
            if one.id not in self._attended
            and self._silent.get(one.id) != one.generation
            and self._maintenance.waiting(one.id)
        ]

    async def _attend(self, machine_id: UUID) -> None:
        """Ask a machine until it has its configuration, boots its disk, or answers no more."""
        heard, pause = time.monotonic(), FIRST_PAUSE
        try:
            with Subscription(self._fleet_changed) as news:
                while waiting := self._maintenance.waiting(machine_id):
                    silent = time.monotonic() - heard
                    if silent > GIVE_UP_SECONDS:
                        self._silent.put(machine_id, waiting.machine.generation)
                        return
                    if await self._answers(waiting, silent):
                        heard, pause = time.monotonic(), LONGEST_PAUSE
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await news.wait()
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._attended.discard(machine_id)

    async def _answers(self, waiting: Waiting, silent: float) -> bool:
        """Make one attempt, and say whether the machine has answered."""
        try:
            async with self._turns, asyncio.timeout(ATTEMPT_SECONDS):
                await self._maintenance.attempt(waiting)
        except (TalosNotReadyError, TalosUnreachableError, TimeoutError) as error:
            if silent > SLOW_SECONDS and waiting.booted_here:
                slow = f"{waiting.label}: takes more than {ATTEMPT_SECONDS:.0f} s; look at its screen"
                self._maintenance.hold(waiting, str(error) or slow)
            return False
        except ConfigurationError:  # logged by whoever makes them
            return True
        except IluvatarError as error:
            self._maintenance.hold(waiting, str(error))
        return True
