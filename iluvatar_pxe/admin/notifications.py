"""Commands on notifications."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import notifications as requests
from iluvatar_pxe.admin.requests.request import CommandResult


class SendTest(requests.SendTest, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        outcomes = await of_daemon(context.notifier).test(self.name)
        delivered = sum(not one.fault for one in outcomes.values())
        return {
            "message": f"{delivered} of {len(outcomes)} messages delivered",
            "recipients": [
                {"name": name, "delivered": not one.fault, "fault": one.fault or None}
                for name, one in outcomes.items()
            ],
        }
