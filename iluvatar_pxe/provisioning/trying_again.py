"""Finds out whether machines are still refused their configurations: Talos asks again only after minutes, or hours."""

import asyncio
from contextlib import suppress
from ipaddress import IPv4Address

from iluvatar_pxe.boot.plan import RunScript, ToBeMade
from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.cloud_init import Asker, place_of
from iluvatar_pxe.provisioning.refusals import Refusal
from iluvatar_pxe.replies.links import Links

AGAIN_SECONDS = 60.0
"""Between two attempts, where nothing tells that another one is worth it."""


class TryingAgain:
    """Makes what was refused, and gives it to nobody."""

    def __init__(self, booter: Booter, seconds: float = AGAIN_SECONDS) -> None:
        self._booter = booter
        self._seconds = seconds

    async def run(self) -> None:
        """Try after each change, until cancelled."""
        configurations = self._booter.configurations
        with Subscription(*configurations.changes) as news:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        await news.wait()
                for one in configurations.refusals.all:
                    await self._try(one)

    async def _try(self, refusal: Refusal) -> None:
        booter, known = self._booter, self._booter.inventory.snapshot
        machine = known.machine_with_id(refusal.machine_id)
        if machine and await self._try_pi(machine, refusal.client):
            return
        plan = machine and booter.decide(sighting_of(machine, Firmware.TALOS)).plan
        if machine is None or not isinstance(plan, RunScript) or not isinstance(plan.config, ToBeMade):
            booter.configurations.refusals.over(refusal.machine_id)
            return
        with suppress(ConfigurationError):  # it has taken that in
            await booter.configurations.make(machine, plan.config, booter.applied.fleet, refusal.client)

    async def _try_pi(self, machine: Machine, client: IPv4Address) -> bool:
        """Make the documents of a machine of a k3s layer; say whether it is one."""
        cloud_init, fleet = self._booter.cloud_init, self._booter.applied.fleet
        place = place_of(machine, fleet)
        if cloud_init is None or place is None:
            return False
        links = Links(client, 0)  # nobody reads what is made
        asker = Asker(machine=machine, ticket="", place=place, client=client, links=links)
        with suppress(ConfigurationError):  # it has taken that in
            await cloud_init.documents(asker, fleet)
        return True
