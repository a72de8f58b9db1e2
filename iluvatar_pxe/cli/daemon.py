"""Runs a command: through the daemon where one runs, otherwise directly on the database."""

import asyncio
import http.client
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from iluvatar_pxe.admin.command import Command, CommandContext, CommandResult, command_of
from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.cli.fleet.keys import origin_of
from iluvatar_pxe.errors import (
    ControlError,
    FleetError,
    OperationError,
    RepositoryError,
    ServerError,
    UsageError,
)
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.yaml.document import printable
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.prepare import kept_of, prepare, repository_of
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.reading import fleet_in_force, revision_in_force
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision
from iluvatar_pxe.host.lock import lock_directory
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.fingerprint import plain_text
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.enrolment import FleetWindow, OwnWindow
from iluvatar_pxe.servers.control import CLAIM, STATE, caller, directory_mark
from iluvatar_pxe.servers.http.routes.api import REQUEST_SECONDS
from iluvatar_pxe.settings.model import Settings

ANSWER_SECONDS = REQUEST_SECONDS + 5
"""How long the daemon may be silent."""
LOCK_SECONDS = 5.0
"""How long to wait for a daemon that is starting or stopping, or for another command."""
_PAUSE = 0.1


def change(settings: Settings, kind: type[Command], **fields: Any) -> CommandResult:
    """Send the command to the daemon; when none runs, lock the state directory and run it here.

    Raises UsageError for invalid fields, otherwise ControlError, OperationError, InventoryError or FleetError.
    """
    try:
        command = command_of(kind, fields)
    except ValueError as error:
        raise UsageError(str(error)) from error
    answer = ask_or_lock(settings, command)
    return asyncio.run(_directly(settings, command)) if answer is None else answer


def ask_or_lock(settings: Settings, command: Command) -> CommandResult | None:
    """Ask the daemon, or return None when none runs, and then none can start until this process ends.

    Raises as ``ask_daemon``, and ControlError where the state directory cannot be locked.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        answer = ask_daemon(settings.control_socket, settings.state_directory, command)
        if answer is not None or _lock(settings, deadline):
            return answer
        time.sleep(_PAUSE)


def ask_daemon(
    path: Path, state_directory: Path, command: Command, patience: float = ANSWER_SECONDS
) -> CommandResult | None:
    """Ask the daemon that listens at ``path``, or return None when none does.

    Raises OperationError when the daemon refuses, also because it has another state directory, and ControlError
    when it does not answer within ``patience`` seconds.
    """
    connection = _Connection(path, patience)
    try:
        return _exchange(connection, state_directory, command)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise ControlError(f"{path}: permission denied; try it with sudo") from error
    except TimeoutError as error:
        text = f"{path}: no answer within {patience:g} s; see the daemon's log, or restart it"
        raise ControlError(text) from error
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise ControlError(
            f"{path}: the service may be restarting; last error: {printable(str(error))}; try again, or see its log"
        ) from error
    finally:
        connection.close()


def ask_running(settings: Settings, command: Command) -> CommandResult:
    """Ask the running daemon; raises ControlError when none runs, otherwise as ``ask_daemon``."""
    answer = ask_daemon(settings.control_socket, settings.state_directory, command)
    if answer is None:
        raise no_daemon(settings)
    return answer


def no_daemon(settings: Settings) -> ControlError:
    """Return the error that says that no daemon runs."""
    remedy = "start it: sudo systemctl start iluvatar-pxe, or iluvatar-pxe serve"
    return ControlError(f"{settings.control_socket}: no daemon listens there; {remedy}")


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchange(connection: _Connection, state_directory: Path, command: Command) -> CommandResult:
    fields = command.model_dump(mode="json", exclude_none=True)
    named = {key: fields.pop(key) for key in list(fields) if f"{{{key}}}" in command.route}
    path = command.route.format_map({key: quote(value, safe="") for key, value in named.items()})
    headers = {"Content-Type": "application/json", STATE: directory_mark(state_directory)}
    if claim := plain_text(os.environ.get("SUDO_USER", "")):
        headers[CLAIM] = claim
    connection.request(command.method, path, json.dumps(fields), headers)
    response = connection.getresponse()
    answer: Any = json.loads(response.read())
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - a fault of the answer, not of a caller
    if response.status != http.client.OK:
        raise OperationError(str(answer.get("error", f"status {response.status}")))
    return answer


def _lock(settings: Settings, deadline: float) -> bool:
    """Lock out every daemon until this process ends; False when one has the lock, or another command."""
    directory = settings.state_directory
    if not directory.is_dir():
        remedy = "start the daemon first, or pass its settings with --config (and try sudo)"
        raise ControlError(f"{directory}: no such state directory; {remedy}")
    try:
        lock_directory(directory)
    except ServerError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        if time.monotonic() > deadline:
            text = f"{directory}: a daemon uses it, but none listens at {settings.control_socket}"
            raise ControlError(f"{text}; try again with the daemon's own settings") from error
        return False
    return True


async def _directly(settings: Settings, command: Command) -> CommandResult:
    async with context_without_daemon(settings) as context:
        return await command.carry_out(context, this_caller())


def this_caller() -> str:
    """Return in words who runs this command."""
    return caller(os.geteuid(), os.environ.get("SUDO_USER", ""))


@asynccontextmanager
async def context_without_daemon(settings: Settings) -> AsyncIterator[CommandContext]:
    """Open what commands work on; ``ask_or_lock`` has locked the state directory."""
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
