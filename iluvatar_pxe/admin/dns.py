"""Commands on the daemon's DNS server."""

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import dns as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.records import type_of


class DnsQuery(requests.DnsQuery, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return await of_daemon(context.dns).query(name_of(self.name), type_of(self.type))


class DnsFlush(requests.DnsFlush, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return {"message": f"{of_daemon(context.dns).flush()} cached answers flushed"}
