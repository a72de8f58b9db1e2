"""Has a machine boot at once that is to be installed anew."""

from iluvatar_pxe.admin.command import CommandContext, of_daemon
from iluvatar_pxe.admin.power import wake
from iluvatar_pxe.admin.power_target import power_target
from iluvatar_pxe.admin.requests.machines import Reinstall
from iluvatar_pxe.errors import IluvatarError, OperationError
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.provisioning.k3s_clusters import place_in_k3s


class Start:
    """What ``--wake`` and ``--cycle`` ask for; of both the latter."""

    def __init__(self, asked: Reinstall, machine: Machine, context: CommandContext) -> None:
        """Raise OperationError where it cannot be done, before anything is."""
        self._asked, self._context = asked, context
        if not (asked.cycle or asked.wake):
            return
        self._power = of_daemon(context.power)
        self._target = power_target(str(machine.id), context.inventory.snapshot, context.fleet)
        if asked.cycle:
            self._declared = self._target.power
            if place_in_k3s(machine, context.fleet):
                raise OperationError(
                    f"{self._target.name}: its node leaves the cluster first, which a power cycle would cut short; "
                    "leave --cycle out, and restart it once machines show tells that it has left"
                )

    @property
    def left_out(self) -> str:
        """Say of a machine that Talos restarts that nothing of it is done, to append; empty where nothing was asked for."""
        is_asked = self._asked.cycle or self._asked.wake
        return "; Talos restarts it by itself, so its power is left alone" if is_asked else ""

    async def carry_out(self, by: str) -> str:
        """Do it, and return in words to append what was done; also what fails, for the machine is reinstalled anyhow."""
        try:
            if self._asked.cycle:
                return await self._cycle(by)
            if self._asked.wake:
                return f"; {await wake(self._target, self._context, by)}"
        except IluvatarError as error:
            return f"; but it has to be started by hand: {error}"
        return ""

    async def _cycle(self, by: str) -> str:
        actions = (Action.NETWORK, Action.CYCLE) if self._declared.sets_boot else (Action.CYCLE,)
        name, is_uefi = self._target.name, self._target.is_uefi
        await self._power.switch(name, self._declared, actions, by, is_uefi=is_uefi)
        return "; it is switched off and on again now"
