"""Where the commands on boot files are carried out: in the daemon, or here on the files themselves if none runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from iluvatar_pxe.admin.assets import AssetsStatus
from iluvatar_pxe.admin.command import Command, CommandResult
from iluvatar_pxe.cli.daemon import ask_or_lock, ask_running, context_without_daemon, this_caller
from iluvatar_pxe.host.owner import Owner, acting_as
from iluvatar_pxe.settings.model import Settings


@dataclass(frozen=True)
class Session:
    """``runs``: a daemon does the work, and goes on when this command ends."""

    ask: Callable[[Command], Awaitable[CommandResult]]
    runs: bool


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Session]:
    """Find the daemon, or make sure that none starts; raises ControlError, and what ``ask_daemon`` raises."""
    if await asyncio.to_thread(ask_or_lock, settings, AssetsStatus()) is not None:
        yield Session(lambda command: asyncio.to_thread(ask_running, settings, command), runs=True)
        return
    with acting_as(Owner.of(settings.state_directory)):
        async with context_without_daemon(settings) as context:
            yield Session(lambda command: command.carry_out(context, this_caller()), runs=False)
