"""Commands that tell of machines: all of them, a page of them, or one."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from iluvatar_pxe.admin.boots import boot_data, boots_of
from iluvatar_pxe.admin.cluster_status import ShowAwaited
from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import utc
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.hardware import hardware_data
from iluvatar_pxe.admin.machine_details import boots_data
from iluvatar_pxe.admin.machine_list import Entry, Filter, Roll, matching, passes_by
from iluvatar_pxe.admin.machine_rows import row_of
from iluvatar_pxe.admin.requests import machines as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.admin.row_texts import widths_of
from iluvatar_pxe.admin.troubles import troubles_of
from iluvatar_pxe.boot.preview.asker import asking, find_asker
from iluvatar_pxe.fleet.lookup import find_machine, name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware


class ShowMachines(requests.ShowMachines, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        return await asyncio.to_thread(self._page, context.roll, context.inventory.snapshot, context.fleet)

    def _page(self, roll: Roll, snapshot: Snapshot, fleet: Fleet) -> CommandResult:
        entries = matching(roll.entries(snapshot, fleet), self._wanted)
        begin = bisect_right(entries, self.cursor, key=lambda one: one.position)
        rest = entries[begin:]
        shown = rest[: self.limit]
        return {
            "machines": [describe(one.machine, fleet) for one in shown],
            "total": len(entries),
            "next": shown[-1].position if len(shown) < len(rest) else None,
        }

    @property
    def _wanted(self) -> Filter:
        return Filter(
            words=self.words.strip(),
            phase=self.phase or "",
            layer=self.layer or "",
            role=self.role or "",
            attention=self.attention,
            every=True,
        )


class ListMachines(requests.ListMachines, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        entries = partial(context.roll.entries, context.inventory.snapshot, context.fleet)
        return await asyncio.to_thread(lambda: page_of(entries(), self, datetime.now(UTC)))


def page_of(entries: Sequence[Entry], wanted: requests.ListMachines, now: datetime) -> CommandResult:
    """Return a page of rows; the first one has ``widths``, those of all rows ``now``, and ``passing``."""
    begin = bisect_right(entries, wanted.cursor, key=lambda one: one.position)
    later = islice(entries, begin, None)
    page = list(
        islice((one for one in later if wanted.every or not passes_by(one.machine)), wanted.limit + 1)
    )
    shown = page[: wanted.limit]
    answer = {
        "rows": [row_of(one) for one in shown],
        "next": shown[-1].position if len(shown) < len(page) else None,
    }
    if wanted.cursor:
        return answer
    listed = entries if wanted.every else [one for one in entries if not passes_by(one.machine)]
    widths = widths_of(map(row_of, listed), now)
    return answer | {"widths": widths, "passing": len(entries) - len(listed), "now": utc(now)}


class ShowMachine(requests.ShowMachine, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        fleet = context.fleet
        machine = find_machine(self.machine, context.inventory.snapshot, fleet)
        boots = await context.inventory.last_boots(machine.id, self.boots)
        told = await ShowAwaited().carry_out(context, by) if context.clusters else {}
        plan = (await context.next_boots.of(machine))["last"] if context.next_boots else None
        name = name_of(machine, fleet) or ""
        return {
            **describe(machine, fleet),
            "cluster_waits": told.get("awaited", {}).get(name),
            "changes": list(told.get("changes", {}).get(name, ())),
            "troubles": troubles_of(machine, fleet, told),
            **hardware_data(machine, fleet),
            "plan": plan,
            "last_boots": boots_data(boots),
        }


class ShowPlan(requests.ShowPlan, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        known = find_asker(self.machine, context.inventory.snapshot, context.fleet)
        asker = asking(known, Firmware(self.firmware) if self.firmware else None, self.arch)
        return await of_daemon(context.next_boots).of_asker(asker)


class ShowBoots(requests.ShowBoots, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        machine = find_machine(self.machine, context.inventory.snapshot, context.fleet)
        records = await context.inventory.last_boots(machine.id, self.boots)
        return {"boots": [boot_data(one) for one in boots_of(records, machine.generation)]}
