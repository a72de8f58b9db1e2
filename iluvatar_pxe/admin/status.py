"""An overview: what runs, what boots, and what needs its owner."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from iluvatar_pxe.admin.asset_words import is_stuck
from iluvatar_pxe.admin.assets import AssetsStatus
from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.machine_list import Entry, passes_by
from iluvatar_pxe.admin.requests import status as requests
from iluvatar_pxe.admin.requests.health import OK
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.states import Phase

_BOOTING = {Phase.BOOTING, Phase.INSTALLING}


class ShowStatus(requests.ShowStatus, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        """Also while the database is away, which is one of the problems then."""
        next_boots, parts = of_daemon(context.next_boots), of_daemon(context.report)()["parts"]
        files = (await AssetsStatus().carry_out(context, by))["files"]
        fleet, snapshot = context.fleet, context.inventory.snapshot
        entries = settled(await asyncio.to_thread(context.roll.entries, snapshot, fleet))
        held = await next_boots.held([one.machine for one in entries], snapshot, fleet)
        return {
            "running": True,
            "problems": {part: state for part, state in parts.items() if state != OK},
            "missing": [row for row in files if is_stuck(row)],
            **await asyncio.to_thread(machines_data, entries, fleet, held),
            "enrolment_seconds": round(context.inventory.window.remaining),
            "fleet": next_boots.settings.fleet_place,
        }


def settled(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return those that did not only pass by."""
    return [one for one in entries if not passes_by(one.machine)]


def machines_data(entries: Sequence[Entry], fleet: Fleet, held: Mapping[UUID, str]) -> Data:
    """Return how many machines are in each phase, those that boot, and those that wait by their titles."""
    waiting = {one.title: why for one in entries if (why := held.get(one.machine.id))}
    return {
        "machines": Counter(one.machine.phase.value for one in entries),
        "booting": [describe(one.machine, fleet) for one in entries if one.machine.phase in _BOOTING],
        "waiting": [{"machine": title, "why": why} for title, why in sorted(waiting.items())],
    }
