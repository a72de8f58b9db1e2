"""Commands on the enrolment window: whether machines that no file of the fleet lists may join."""

from datetime import UTC, datetime

from iluvatar_pxe.admin.command import Command, CommandContext
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.requests import enrolment as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.admin.waiting import refused_machines, waiting_machines


class ShowEnrolment(requests.ShowEnrolment, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return _enrolment(context)


class OpenWindow(requests.OpenWindow, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        await context.window.set(self.seconds, by)
        return _enrolment(context) | {"message": "the enrolment window is open"}


class CloseWindow(requests.CloseWindow, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        await context.window.set(0, by)
        return _enrolment(context) | {"message": "the enrolment window is closed"}


def _enrolment(context: CommandContext) -> CommandResult:
    context.check_inventory()
    window, fleet, snapshot = context.inventory.window, context.fleet, context.inventory.snapshot
    now = datetime.now(UTC)
    return {
        "mode": fleet.settings.enrolment.mode.value,
        "open": window.is_open,
        "remaining": round(window.remaining),
        "opened_by": window.opened_by if window.is_open else None,
        "waiting": [describe(one, fleet) for one in waiting_machines(snapshot, fleet, now)],
        "refused": [describe(one, fleet) for one in refused_machines(snapshot, now)],
    }
