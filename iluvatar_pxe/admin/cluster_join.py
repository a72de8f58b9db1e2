"""``cluster join``: this very host as a node of a layer's cluster."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import clusters as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.provisioning.own_host import Hardware

_UNLISTED = (
    "no file of the fleet lists this host in a layer of kind k3s; to make it a node, add machines/NAME.yaml with layer, "
    "role and one of its MACs below match: {}"
)


class JoinCluster(requests.JoinCluster, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        own = of_daemon(context.own_host)
        context.check_inventory()
        hardware = Hardware(macs=self.macs, architecture=self.architecture, on_card=self.on_card)
        found = await own.node(hardware)
        if found is None:
            return {"message": _UNLISTED.format(", ".join(self.macs)), "config": None}
        return {"message": f"this host is {found.name} of {found.layer}", "config": found.user_data}
