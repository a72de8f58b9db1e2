"""Where no daemon runs: commands carry themselves out here, on what a daemon works on."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.registry import command_for
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.cli.fleet.keys import origin_of
from iluvatar_pxe.cli.options import be_quiet
from iluvatar_pxe.errors import FleetError, OperationError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.prepare import kept_of, prepare, repository_of
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.reading import fleet_in_force, revision_in_force
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.enrolment import FleetWindow, OwnWindow
from iluvatar_pxe.servers.control_protocol import caller
from iluvatar_pxe.settings.model import Settings


async def carry_out(settings: Settings, request: Request) -> CommandResult:
    """Do what is asked; ``ask_or_lock`` has locked the state directory."""
    async with context_without_daemon(settings) as context:
        return await command_for(request).carry_out(context, this_caller())


def this_caller() -> str:
    """Return in words who runs this command."""
    return caller(os.geteuid(), os.environ.get("SUDO_USER", ""))


@asynccontextmanager
async def context_without_daemon(settings: Settings) -> AsyncIterator[CommandContext]:
    """Open what commands work on; ``ask_or_lock`` has locked the state directory."""
    be_quiet()
    fleet = await _fleet(settings)
    inventory = Inventory(settings.database_url)
    if await asyncio.to_thread(kept_of(settings).path.exists):
        inventory.follow_old_fleet()
    await inventory.open()
    try:
        assigner = _assigner(settings, inventory)
        window = _WindowWithoutDaemon(settings, inventory)
        secrets = ClusterSecrets.of(settings, inventory, await _repository(settings))
        yield CommandContext(
            inventory=inventory, fleet_in_force=fleet, assigner=assigner, window=window, secrets=secrets
        )
    finally:
        await inventory.close()


async def _fleet(settings: Settings) -> Callable[[], Fleet]:
    """Return a function that gives the applied fleet or raises its error: not every command needs it."""
    try:
        fleet = await fleet_in_force(settings)
    except (FleetError, RepositoryError) as caught:
        error = caught

        def refuse() -> Fleet:
            raise error

        return refuse
    return lambda: fleet


def _assigner(settings: Settings, inventory: Inventory) -> Assigner:
    decided_here = settings.fleet_repository is None or settings.fleet.read_only
    return DatabaseAssigner(inventory) if decided_here else _DaemonOnlyAssigner()


async def _repository(settings: Settings) -> ClusterRepository:
    """Return the fleet's repository for the secrets of clusters; without what cannot be read."""
    repository = repository_of(settings)
    try:
        revision = await revision_in_force(repository) if repository else None
    except (FleetError, RepositoryError):
        revision = None

    async def commit(draw: Draw) -> Revision:
        nonlocal revision
        revision = await commit_to(await origin_of(settings), draw)
        return revision

    return ClusterRepository(lambda: revision, None if settings.fleet.read_only else commit)


class _DaemonOnlyAssigner:
    """Names and roles are assigned by commits, which only a running daemon makes."""

    blocked_by = ""

    def retry_now(self) -> None:
        """Nothing to retry."""

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Refuse it."""
        del machine_id, place, fleet
        raise OperationError(
            "the daemon assigns names and roles by committing to the fleet's repository; start it first"
        )


class _WindowWithoutDaemon:
    """Sets the window as a daemon would; the other daemons of the fleet take it in, and this host's when it starts."""

    def __init__(self, settings: Settings, inventory: Inventory) -> None:
        self._settings = settings
        self._inventory = inventory

    async def set(self, seconds: int, by: str) -> None:
        """Commit it, or have the inventory set it where there is no repository that may be written."""
        origin = await prepare(self._settings)
        if origin is None or origin.read_only:
            await OwnWindow(self._inventory).set(seconds, by)
        else:
            await FleetWindow(partial(self._commit, origin)).set(seconds, by)

    async def _commit(self, origin: Origin, draw: Draw) -> Revision:
        newest = await commit_to(origin, draw)
        self._inventory.follow_window(newest.fleet.window, 0)
        return newest


async def commit_to(origin: Origin, draw: Draw) -> Revision:
    """Commit what ``draw`` makes of the newest commit, and return the one that is the newest then; raises RepositoryError."""
    await publish(origin, draw)
    return await read_revision(origin.repository, await origin.newest())
