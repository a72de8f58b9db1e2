"""Commands on the daemon's DNS server."""

from typing import Annotated

from pydantic import AfterValidator

from iluvatar_pxe.admin.command import Command, CommandContext, CommandResult, of_daemon
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.records import type_of


def _name(text: str) -> str:
    name_of(text)
    return text


def _type(text: str) -> str:
    type_of(text)
    return text


DnsName = Annotated[str, AfterValidator(_name)]
DnsType = Annotated[str, AfterValidator(_type)]


class DnsQuery(Command):
    """``dns query``: returns the answer that a client gets for a name, and its source."""

    method = "GET"
    route = "/api/v1/dns/answer"
    name: DnsName
    type: DnsType

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return await of_daemon(context.dns).query(name_of(self.name), type_of(self.type))


class DnsFlush(Command):
    """``dns flush``: flushes the cache of upstream answers."""

    route = "/api/v1/dns/flush"

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        return {"message": f"{of_daemon(context.dns).flush()} cached answers flushed"}
