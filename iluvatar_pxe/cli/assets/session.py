"""Where the commands on boot files are carried out: in the daemon, or here on the files themselves if none runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from iluvatar_pxe.admin.requests.assets import AssetsStatus
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.cli.daemon import ask_or_lock, ask_running
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.host.owner import Owner, acting_as
from iluvatar_pxe.settings.model import Settings

Ask = Callable[[Request], Awaitable[CommandResult]]
"""Carries a request out."""


class Session(Struct, frozen=True):
    """``runs``: a daemon does the work, and goes on when this command ends."""

    ask: Ask
    runs: bool


async def daemon_runs(settings: Settings) -> bool:
    """Say whether a daemon runs; otherwise none can start until this process ends. Raises what ``ask_or_lock`` raises."""
    return await asyncio.to_thread(ask_or_lock, settings, AssetsStatus()) is not None


@asynccontextmanager
async def session(settings: Settings, *, runs: bool) -> AsyncIterator[Session]:
    """Reach the daemon if one ``runs``, or do its work as its user."""
    if runs:
        yield Session(lambda request: asyncio.to_thread(ask_running, settings, request), runs=True)
        return
    with quickly():
        from iluvatar_pxe.cli.assets.alone import requests_without_daemon  # noqa: PLC0415 - imports nearly the whole daemon

    with acting_as(Owner.of(settings.state_directory)):
        async with requests_without_daemon(settings) as ask:
            yield Session(ask, runs=False)
