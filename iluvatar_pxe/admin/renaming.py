"""The command that renames a machine."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.edits import check_free, check_renamable
from iluvatar_pxe.admin.requests import machines as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.errors import OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase


class Rename(requests.Rename, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        context.check_inventory()
        fleet, machine = context.fleet, self._seen(context)
        named = (one for one in fleet.listed if one.name == self.machine)
        listed = listed_as(machine, fleet) if machine else next(named)
        if listed is None:
            title = title_of(machine, fleet) if machine else self.machine
            raise OperationError(
                f"{title}: no file of the fleet lists it; use iluvatar-pxe machines set {title} --name {self.new}"
            )
        check_renamable(listed.name, listed.layer, machine.phase if machine else Phase.DISCOVERED, fleet)
        check_free(machine, self.new, context.inventory.snapshot, fleet)
        await of_daemon(context.renamer).rename(listed.name, self.new, by)
        when = "; it has that name from its next boot" if machine else ""
        return {"message": f"{listed.name} is renamed to {self.new}{when}"}

    def _seen(self, context: CommandContext) -> Machine | None:
        """Return the machine, None for one that a file lists and that was not seen yet."""
        try:
            return find_machine(self.machine, context.inventory.snapshot, context.fleet)
        except UnknownMachineError:
            if self.machine not in context.fleet.names:
                raise
            return None
