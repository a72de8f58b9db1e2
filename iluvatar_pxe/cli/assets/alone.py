"""The boot files of a host where no daemon runs: a command does what the daemon's fetcher does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from iluvatar_pxe.admin.command import AssetsAdmin
from iluvatar_pxe.admin.registry import command_for
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.cli.alone import commit_to, context_without_daemon, this_caller
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.prepare import prepare
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import FleetPins, OwnPins, PinKeeper
from iluvatar_pxe.provisioning.supply import Supply
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.values import replace


@asynccontextmanager
async def requests_without_daemon(
    settings: Settings,
) -> AsyncIterator[Callable[[Request], Awaitable[CommandResult]]]:
    """Give what carries requests out. Raises what ``context_without_daemon`` and ``commands_without_daemon`` raise."""
    async with (
        context_without_daemon(settings) as context,
        commands_without_daemon(settings, context.fleet) as commands,
    ):
        alone = replace(context, assets=commands)
        yield lambda request: command_for(request).carry_out(alone, this_caller())


@asynccontextmanager
async def commands_without_daemon(settings: Settings, fleet: Fleet) -> AsyncIterator[AssetsAdmin]:
    """Work on the files that a fleet wants; only what is asked for is fetched. Raises RepositoryError and AssetError."""
    applied = Applied(fleet)
    store = AssetStore(settings.assets_directory, settings.state_directory)
    await store.refresh()
    only_asked = settings.model_copy(update={"assets": settings.assets.model_copy(update={"fetch": False})})
    supply = Supply(only_asked, applied, store, await _keeper(settings, applied), Changed())
    await supply.start()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supply.run())
            try:
                yield supply.commands
            finally:
                running.cancel()
    except ExceptionGroup as group_of_one:
        raise group_of_one.exceptions[0] from None


async def _keeper(settings: Settings, applied: Applied) -> PinKeeper:
    """Return who keeps pins: the fleet's repository, or this host where that is none, or must not be written."""
    origin = await prepare(settings)
    if origin is None or origin.read_only:
        return OwnPins(applied, settings.state_directory)

    async def commit(draw: Draw) -> Revision:
        newest = await commit_to(origin, draw)
        applied.fleet = newest.fleet
        return newest

    return FleetPins(applied, commit)
