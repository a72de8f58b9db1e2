"""Where the commands on boot files are carried out: in the daemon, or here on the files themselves if none runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from iluvatar_pxe.admin.assets import AssetsStatus
from iluvatar_pxe.admin.command import Command, CommandResult
from iluvatar_pxe.cli.assets.alone import commands_without_daemon
from iluvatar_pxe.cli.daemon import ask_or_lock, ask_running, context_without_daemon, this_caller
from iluvatar_pxe.host.owner import Owner, acting_as
from iluvatar_pxe.settings.model import Settings


@dataclass(frozen=True)
class Session:
    """``runs``: a daemon does the work, and goes on when this command ends."""

    ask: Callable[[Command], Awaitable[CommandResult]]
    runs: bool


async def daemon_runs(settings: Settings) -> bool:
    """Say whether a daemon runs; otherwise none can start until this process ends. Raises what ``ask_or_lock`` raises."""
    return await asyncio.to_thread(ask_or_lock, settings, AssetsStatus()) is not None


@asynccontextmanager
async def session(settings: Settings, *, runs: bool) -> AsyncIterator[Session]:
    """Reach the daemon if one ``runs``, or do its work as its user."""
    if runs:
        yield Session(lambda command: asyncio.to_thread(ask_running, settings, command), runs=True)
        return
    with acting_as(Owner.of(settings.state_directory)):
        async with (
            context_without_daemon(settings) as context,
            commands_without_daemon(settings, context.fleet) as commands,
        ):
            alone = replace(context, assets=commands)
            yield Session(lambda command: command.carry_out(alone, this_caller()), runs=False)
