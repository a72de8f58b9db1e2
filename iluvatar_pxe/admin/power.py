"""Commands on machines' power."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.power_target import PowerTarget, power_target
from iluvatar_pxe.admin.requests import power as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import OperationError


class Wake(requests.Wake, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        target = power_target(self.machine, context.inventory.snapshot, context.fleet)
        return {"message": await wake(target, context, by)}


async def wake(target: PowerTarget, context: CommandContext, by: str) -> str:
    """Send a machine magic packets, and say so; raises OperationError and PowerError."""
    if not target.macs:
        raise OperationError(f"{target.name}: no MAC is surely its own; list its MACs in its file")
    names = await of_daemon(context.power).wake(target.name, target.macs, target.address, by)
    return f"{target.name}: magic packets for {', '.join(target.macs)} are sent through {', '.join(names)}"
