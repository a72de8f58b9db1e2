"""Commands on machines' power."""

from contextlib import AbstractAsyncContextManager, nullcontext

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.power_target import PowerTarget, power_target
from iluvatar_pxe.admin.requests import power as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import IluvatarError, OperationError
from iluvatar_pxe.fleet.lookup import role_of
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
        is_risky = self.action in {Action.OFF, Action.CYCLE} and not self.force
        async with _turn(target, context) if is_risky else nullcontext():
            if is_risky:
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


def _turn(target: PowerTarget, context: CommandContext) -> AbstractAsyncContextManager[None]:
    """Return what has control planes and servers come one after the other; workers need not wait."""
    role = role_of(target.machine, target.listed)
    return of_daemon(context.outage).turn if role is None or role.leads else nullcontext()


async def _refuse_harm(target: PowerTarget, context: CommandContext) -> None:
    """Raise OperationError where its cluster would lose etcd's quorum, or nobody can tell."""
    outage = of_daemon(context.outage)
    try:
        if target.machine:
            why = await outage.harm(target.machine)
        else:
            why = await outage.harm_unseen(target.listed) if target.listed else ""
    except IluvatarError as error:
        why = f"what its cluster loses cannot be told: {error}"
    if why:
        raise OperationError(f"{target.name}: {why}; mend the others first, or add --force")
