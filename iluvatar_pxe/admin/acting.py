"""Carries a command out, and puts on record who has changed what."""

import structlog

from iluvatar_pxe.admin.command import Command, CommandContext
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.events import EventKind

_log = structlog.get_logger()


async def act(
    command: Command, context: CommandContext, by: str, *, asked: str, through: str
) -> CommandResult:
    """Carry ``command`` out for ``by``; a change leaves a line in the log and an event.

    ``through`` names the line: ``control`` or ``web``. ``asked`` is the path that was asked for. Raises as the command.
    """
    result = await command.carry_out(context, by)
    if command.method != "GET":
        done = str(result["message"])
        _log.info(through, asked=asked, by=by, done=done)
        if context.events:
            context.events.publish(EventKind.ACTION, by, f"{by}: {done}", command=type(command).__name__)
    return result
