"""The page of one machine: what it is, its boots as a picture, its next boot and why, and what happened."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from aiohttp import web

from iluvatar_pxe.admin.boots import boots_of, with_latest
from iluvatar_pxe.admin.cluster_status import ShowAwaited
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.hardware import hardware_data
from iluvatar_pxe.admin.latest import Latest
from iluvatar_pxe.admin.machine_list import entry_of, row
from iluvatar_pxe.admin.troubles import troubles_of
from iluvatar_pxe.errors import InventoryError, OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.live import Fragment, have
from iluvatar_pxe.web.picture import picture_of
from iluvatar_pxe.web.render import Renderer

MOST_BOOTS = 6
"""Shown: this one, and five earlier ones."""
_PARTS = ("head", "boots", "plan", "events", "facts")


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(request: web.Request) -> web.Response:
        try:
            name = request.match_info["machine"]
            machine = find_machine(name, context.inventory.snapshot, context.fleet)
        except UnknownMachineError as error:
            return renderer.page("no_machine.html", status=404, why=str(error))
        return renderer.page("machine.html", **await MachineView(context, renderer, machine.id).page(machine))

    return [web.get("/machines/{machine}", show)]


class MachineView:
    """One machine; what is read from the database is kept, and the log of events tells what came later."""

    def __init__(self, context: WebContext, renderer: Renderer, machine_id: UUID) -> None:
        self._context = context
        self._renderer = renderer
        self._id = machine_id
        self._latest = Latest(context.events)
        self._recorded: tuple[Sequence[BootRecord], str] | None = None
        self._read_at = 0
        self._planned: tuple[object, Data | None] | None = None

    async def page(self, machine: Machine) -> dict[str, Any]:
        """Return what the whole page's template shows."""
        seen = await self._seen(machine)
        layers = sorted(self._context.fleet.layers)
        return seen | {"id": str(machine.id), "layers": layers, "have": have(self._parts(seen))}

    async def fragments(self) -> Sequence[Fragment]:
        """Return the parts of the page that change; none of a machine that is no more."""
        machine = self._context.inventory.snapshot.machine_with_id(self._id)
        return self._parts(await self._seen(machine)) if machine else ()

    def _parts(self, seen: Mapping[str, Any]) -> list[Fragment]:
        data: dict[str, object] = {
            "head": (seen["row"], seen["details"], seen["cluster"]),
            "boots": (seen["boots"], seen["problem"]),
            "plan": seen["plan"],
            "events": seen["records"],
            "facts": seen["details"],
        }
        return [
            Fragment(name, data[name], partial(self._renderer.text, f"_machine_{name}.html", **seen))
            for name in _PARTS
        ]

    async def _seen(self, machine: Machine) -> dict[str, Any]:
        context = self._context
        self._latest.follow()
        recorded, problem = await self._history(machine)
        records = with_latest(recorded, context.events.after(0), machine)[:MOST_BOOTS]
        boots = boots_of(records, machine.generation)
        return {
            "row": row(entry_of(machine, context.fleet), self._latest.since),
            "details": describe(machine, context.fleet) | hardware_data(machine, context.fleet),
            "cluster": await self._cluster(machine),
            "records": records,
            "boots": boots,
            "picture": picture_of(boots),
            "problem": problem,
            "plan": await self._plan(machine),
        }

    async def _plan(self, machine: Machine) -> Data | None:
        """Return what it would boot next, decided anew when that may have changed; None where nobody can tell."""
        next_boots = self._context.commands.next_boots
        if next_boots is None:
            return None
        decided_by = next_boots.decided_by(machine)
        if self._planned is None or self._planned[0] != decided_by:
            self._planned = decided_by, await next_boots.of(machine)
        return self._planned[1]

    async def _history(self, machine: Machine) -> tuple[Sequence[BootRecord], str]:
        """Return the boots in the database, read again when the log has lost some of what came later."""
        if self._recorded is None or not self._context.events.has_all_after(self._read_at):
            self._read_at = self._context.events.last
            self._recorded = await self._read(machine)
        return self._recorded

    async def _read(self, machine: Machine) -> tuple[Sequence[BootRecord], str]:
        url = self._context.settings.database_url
        try:
            return await asyncio.to_thread(last_boots, url, machine.id, MOST_BOOTS), ""
        except InventoryError as error:
            return (), str(error)

    async def _cluster(self, machine: Machine) -> Data:
        """Return what its cluster waits for, what is to be changed of it, and what is wrong."""
        try:
            told = await ShowAwaited().carry_out(self._context.commands, "the page")
        except OperationError:
            told = {}
        name = entry_of(machine, self._context.fleet).name or ""
        return {
            "waits": told.get("awaited", {}).get(name),
            "changes": told.get("changes", {}).get(name, ()),
            "troubles": troubles_of(machine, self._context.fleet, told),
        }
