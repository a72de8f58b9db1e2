"""Commands on one machine: its place, what is wanted of it, and which hardware it is."""

from collections.abc import Callable
from contextlib import nullcontext

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.edits import (
    Wanted,
    as_before,
    check_undeclared,
    check_unreported,
    declared_intent,
    ended_hold,
    held,
    place_for,
    reinstalled,
    released,
    with_directive,
    with_phase,
)
from iluvatar_pxe.admin.requests import machines as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.admin.starting import Start
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.errors import IluvatarError, OperationError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.disks import Held
from iluvatar_pxe.layers.arda.install import choice_for
from iluvatar_pxe.layers.arda.reinstall import NextBoot, Refused, Reset
from iluvatar_pxe.layers.arda.removal import own_cluster
from iluvatar_pxe.layers.leaving import unlisted
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.merge import split
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Directive, Intent, Phase, Wipe
from iluvatar_pxe.provisioning.k3s_clusters import place_in_k3s
from iluvatar_pxe.provisioning.maintenance import runs_talos
from iluvatar_pxe.provisioning.reinstalling import place_in_cluster
from iluvatar_pxe.values import replace

_LEAVES = "; restart it once its node has left the cluster, as machines show tells"


class SetPlace(requests.SetPlace, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        machine = _find(self.machine, context)
        ended = ended_hold(machine) if self.intent else ""
        if self.intent:
            check_undeclared(machine, context.fleet)
        if self.phase:
            snapshot = context.inventory.snapshot
            check_unreported(machine, self.phase, self.layer, snapshot, context.fleet)
        machine = await self._placed(machine, context, by)
        if self.phase:
            machine = await _change(context, machine, with_phase(self.phase), f"phase {self.phase}", by)
        if self.intent:
            edit = with_directive(Directive(self.intent, by))
            machine = await _change(context, machine, edit, f"intent {self.intent}", by)
        data = describe(machine, context.fleet)
        role = f"{data['role']} of {data['layer']}, " if data["role"] else ""
        is_now = f"{role}{machine.phase}, intent {machine.directive.intent}"
        return {"message": f"{_title(machine, context)} is {is_now}{ended}", "machine": data}

    async def _placed(self, machine: Machine, context: CommandContext, by: str) -> Machine:
        wanted = Wanted(name=self.name, layer=self.layer, role=self.role)
        if wanted == Wanted():
            return machine
        place = place_for(machine, wanted, context.inventory.snapshot, context.fleet, by)
        return await context.assigner.assign(machine.id, place, context.fleet)


class Hold(requests.Hold, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        before = _find(self.machine, context)
        detail = f"hold: {self.why}".rstrip(": ")
        machine = await _change(context, before, held(by, self.why), detail, by)
        return _result(machine, context, f"{_title(machine, context)} {_held(before, machine)}")


class Release(requests.Release, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        machine, done = _find(self.machine, context), ": nothing to release"
        if released(machine) != machine:
            machine, done = await _change(context, machine, released, "released", by), " is released"
        why = declared_intent(machine, context.fleet)
        declared = f", but {why}; change that file" if why else ""
        return _result(machine, context, f"{_title(machine, context)}{done}{declared}")


class Reinstall(requests.Reinstall, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        machine = _find(self.machine, context)
        title = _title(machine, context)
        if machine.phase is Phase.FAILED or machine.conflict:
            why = machine.conflict or "boot loop detected"
            raise OperationError(f"{title}: {why}; first: iluvatar-pxe machines release {title}")
        if machine.assignment is None and listed_as(machine, context.fleet) is None:
            raise OperationError(f"{title}: it has no place in the fleet yet; list it, or set its layer")
        start = Start(self, machine, context)
        async with context.reinstaller.turn if context.reinstaller else nullcontext():
            step = await self._step(machine, context)
            wipes = step.wipes if isinstance(step, NextBoot) else self.wipe
            left = context.reinstaller.left_by(machine, step) if context.reinstaller else None
            edit, detail = (
                reinstalled(by, _wipe(step, wipes=self.wipe), left),
                "reinstall, wipe" if wipes else "reinstall",
            )
            changed = await _change(context, machine, edit, detail, by)
            if isinstance(step, Reset):
                await self._reset(changed, machine.directive, step, context, by)
        ended = ended_hold(machine)
        ended_cluster = "; the cluster is founded again, without its data" if step.ends_cluster else ""
        if isinstance(step, Reset):
            how = (
                " now: Talos drains it, leaves etcd and wipes its system disk"
                if step.graceful
                else " now, undrained"
            )
            says = f"{title} is reset{how}; it is installed at its next boot{ended_cluster}{ended}"
            return _result(changed, context, f"{says}{start.left_out}")
        if context.reinstaller:
            context.reinstaller.clean_up(changed)
        wiped = ", and what is on its disk is erased" if wipes else ""
        when = _when(replace(changed, inspection=machine.inspection), context.fleet)
        leaves = _LEAVES if place_in_k3s(machine, context.fleet) else ""
        return _result(
            changed,
            context,
            f"{title} is reinstalled {when}{wiped}{ended_cluster}{leaves}{ended}{await start.carry_out(by)}",
        )

    async def _step(self, machine: Machine, context: CommandContext) -> Reset | NextBoot:
        """Return how it is done; raises OperationError where the cluster would be harmed."""
        if context.reinstaller is None:
            fleet = context.fleet
            is_in_cluster = place_in_cluster(machine, fleet) or place_in_k3s(machine, fleet)
            if machine.is_installed and is_in_cluster:
                why = "only a running daemon can take it out of its cluster; start it: iluvatar-pxe serve"
                raise OperationError(f"{_title(machine, context)}: {why}")
            return NextBoot(wipes=self.wipe)
        step = await context.reinstaller.step(machine, wipes=self.wipe, is_forced=self.force)
        if isinstance(step, Refused):
            raise OperationError(step.why)
        return step

    async def _reset(
        self, machine: Machine, before: Directive, step: Reset, context: CommandContext, by: str
    ) -> None:
        """Reset it; where that fails, it is as it was."""
        try:
            await of_daemon(context.reinstaller).reset(machine, step)
        except IluvatarError as error:
            await _change(context, machine, as_before(before), "reset failed", by)
            raise OperationError(str(error)) from error


def _when(machine: Machine, fleet: Fleet) -> str:
    """Say when a machine is installed: one that waits in maintenance mode gets its configuration there."""
    listed, given = listed_as(machine, fleet), machine.assignment
    layer = listed.layer if listed else given.layer if given else None
    waits = layer and fleet.makes_configurations(layer) and runs_talos(machine)
    if waits and not isinstance(choice_for(machine, fleet), Held):
        return "now if it still waits in maintenance mode, else at its next boot"
    return "at its next boot"


def _wipe(step: Reset | NextBoot, *, wipes: bool) -> Wipe:
    """Return what its next boots may erase: a reset has wiped Talos already, and only who asks gives up other data."""
    if isinstance(step, NextBoot) and step.wipes:
        return Wipe.FIRST if wipes else Wipe.ONCE
    return Wipe.ALLOWED if wipes else Wipe.NO


class Forget(requests.Forget, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        machine = _find(self.machine, context)
        if why := _in_cluster(machine, context):
            raise OperationError(f"{_title(machine, context)}: {why}")
        await context.inventory.forget(machine.id, by)
        return _result(machine, context, f"{_title(machine, context)} is forgotten")


class Merge(requests.Merge, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        one, two = _find(self.machine, context), _find(self.other, context)
        if one.id == two.id:
            cards = ", ".join(one.macs)
            raise OperationError(
                f"{self.machine} and {self.other} are already the same machine, with the NICs {cards}"
            )
        machine = await context.inventory.merge(one.id, two.id, by)
        cards = ", ".join(machine.macs)
        retired = [
            f"; {was.name} stays reserved until reuseNames lists it"
            for was in (one.assignment, two.assignment)
            if was and was != machine.assignment
        ]
        return _result(
            machine, context, f"{_title(machine, context)} now has the NICs {cards}{''.join(retired)}"
        )


class Split(requests.Split, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        machine = _find(self.machine, context)
        try:
            split(
                machine, self.mac, machine.id
            )  # finds out whether it can be done, before the inventory does it
        except ValueError as error:
            raise OperationError(str(error)) from error
        machine, _ = await context.inventory.split(machine.id, self.mac, by)
        cards = ", ".join(machine.macs)
        says = f"{_title(machine, context)} now has {cards}, and {self.mac} is a machine of its own"
        return _result(machine, context, says)


def _held(before: Machine, after: Machine) -> str:
    """Say in words what a hold has done, and what it has replaced."""
    was, why = before.directive, after.directive.why
    if was.intent is Intent.HOLD:
        replaced = f", in place of: {was.why}" if was.why and was.why != why else ""
        return f"is still held{f': {why}' if why else ''}{replaced}"
    lost = "; it is not reinstalled then" if was.intent is Intent.REINSTALL else ""
    return f"is held from its next boot{lost}"


def _find(text: str, context: CommandContext) -> Machine:
    context.check_inventory()
    return find_machine(text, context.inventory.snapshot, context.fleet)


async def _change(
    context: CommandContext, machine: Machine, edit: Callable[[Machine], Machine], detail: str, by: str
) -> Machine:
    return await context.inventory.change(machine.id, edit, Happening.CHANGED, detail, by)


def _title(machine: Machine, context: CommandContext) -> str:
    return title_of(machine, context.fleet)


def _result(machine: Machine, context: CommandContext, message: str) -> CommandResult:
    return {"message": message, "machine": describe(machine, context.fleet)}


def _in_cluster(machine: Machine, context: CommandContext) -> str:
    """Say why a cluster has, or may have, something of a machine, and what to do; empty where none has."""
    title, fleet, snapshot = _title(machine, context), context.fleet, context.inventory.snapshot
    if layer := own_cluster(machine, fleet):
        return f"it is in the cluster of layer {layer}; remove machines/{title}.yaml, push, and forget it once it has left"
    if context.clusters:
        why = context.clusters.keeps(machine)
        return f"it has not left its cluster yet: {why}" if why else ""
    is_gone = machine in unlisted(snapshot, fleet, members_of(snapshot, fleet))
    if not is_gone or not any(fleet.has_cluster(one) or fleet.has_k3s_cluster(one) for one in fleet.layers):
        return ""
    return "only a running daemon can tell whether it has left its cluster; start it: iluvatar-pxe serve"
