"""Commands on machines' power."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.power_target import PowerTarget, power_target
from iluvatar_pxe.admin.requests import power as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import IluvatarError, OperationError
from iluvatar_pxe.power.action import Action

_DONE = {
    Action.ON: "is switched on",
    Action.OFF: "is switched off",
    Action.CYCLE: "is switched off and on again",
    Action.NETWORK: "boots from the network next, once",
}


class Wake(requests.Wake, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        target = power_target(self.machine, context.inventory.snapshot, context.fleet)
        return {"message": await wake(target, context, by)}


class SwitchPower(requests.SwitchPower, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        target = power_target(self.machine, context.inventory.snapshot, context.fleet)
        declared, power = target.power, of_daemon(context.power)
        if self.action in {Action.OFF, Action.CYCLE} and not self.force:
            await _refuse_harm(target, context)
        said = await power.switch(target.name, declared, (self.action,), by, is_uefi=target.is_uefi)
        done = _DONE.get(self.action, f"is {said}")
        return {"message": f"{target.name} {done}", "power": said or None}


async def wake(target: PowerTarget, context: CommandContext, by: str) -> str:
    """Send a machine magic packets, and say so; raises OperationError and PowerError."""
    if not target.macs:
        raise OperationError(f"{target.name}: no MAC is surely its own; list its MACs in its file")
    names = await of_daemon(context.power).wake(target.name, target.macs, target.address, by)
    return f"{target.name}: magic packets for {', '.join(target.macs)} are sent through {', '.join(names)}"


async def _refuse_harm(target: PowerTarget, context: CommandContext) -> None:
    """Raise OperationError where its cluster would lose etcd's quorum, or nobody can tell."""
    if target.machine is None:
        return
    try:
        why = await of_daemon(context.outage).harm(target.machine)
    except IluvatarError as error:
        why = f"what its cluster loses cannot be told: {error}"
    if why:
        raise OperationError(f"{target.name}: {why}; mend the others first, or add --force")
