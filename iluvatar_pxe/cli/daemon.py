"""Runs a command: through the daemon where one runs, otherwise directly on the database."""

import http.client
import json
import os
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from iluvatar_pxe.admin.requests.request import CommandResult, Request, RequestT, request_of, target_of
from iluvatar_pxe.cli import remote
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.errors import ControlError, OperationError, ServerError, UntoldError, UsageError
from iluvatar_pxe.host.lock import lock_directory
from iluvatar_pxe.printable import plain_text, printable
from iluvatar_pxe.servers.control_protocol import CLAIM, REQUEST_SECONDS, STATE, directory_mark
from iluvatar_pxe.settings.model import Settings

ANSWER_SECONDS = REQUEST_SECONDS + 5
"""How long the daemon may be silent."""
LOCK_SECONDS = 5.0
"""How long to wait for a daemon that is starting or stopping, or for another command."""
_PAUSE = 0.1
_NO_ROUTE = "404: Not Found"
"""What a daemon says of a path that it does not know."""
_ALONE = "iluvatar_pxe.cli.alone"
"""What works without a daemon; imports nearly the whole daemon, in seconds of a Raspberry Pi's processor."""
_READING_SECONDS = 5.0
"""How long a daemon may be silent of what this process can also read by itself."""
_PATIENCE = 2.0
"""Seconds for which a busy daemon is waited for by who can do without it."""


def change(settings: Settings, kind: type[Request], **fields: Any) -> CommandResult:
    """Send the command to the daemon; when none runs, lock the state directory and run it here.

    Raises UsageError for invalid fields, otherwise ControlError, OperationError, InventoryError or FleetError.
    """
    request = checked(kind, **fields)
    answer = ask_or_lock(settings, request)
    return _carry_out(settings, request) if answer is None else answer


def checked(kind: type[RequestT], **fields: Any) -> RequestT:
    """Return a request with these fields; raises UsageError."""
    try:
        return request_of(kind, fields)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _carry_out(settings: Settings, request: Request) -> CommandResult:
    import asyncio  # noqa: PLC0415 - what the daemon answers does without

    from iluvatar_pxe.cli.alone import carry_out  # noqa: PLC0415 - imports nearly the whole daemon

    return asyncio.run(carry_out(settings, request))


def ask_or_lock(settings: Settings, request: Request) -> CommandResult | None:
    """Ask the daemon, or return None when none runs, and then none can start until this process ends.

    Raises as ``ask_daemon``, and ControlError where the state directory cannot be locked.
    """
    answer = _ask(settings, request)
    if answer is not None:
        return answer
    with quickly():
        import_module(_ALONE)  # before the lock, for which other commands do not wait long
    deadline = time.monotonic() + LOCK_SECONDS
    while not _lock(settings, deadline):
        time.sleep(_PAUSE)
        answer = ask_daemon(settings.control_socket, settings.state_directory, request)
        if answer is not None:
            return answer
    return None


def ask_daemon(
    path: Path, state_directory: Path, request: Request, patience: float = ANSWER_SECONDS
) -> CommandResult | None:
    """Ask the daemon that listens at ``path``, or return None when none does.

    Raises OperationError when the daemon refuses, also because it has another state directory, and ControlError
    when it does not answer within ``patience`` seconds.
    """
    connection = _Connection(path, patience)
    try:
        return _exchange(connection, state_directory, request)
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


def ask_running(settings: Settings, request: Request) -> CommandResult:
    """Ask the running daemon; raises ControlError when none runs, otherwise as ``ask_daemon``."""
    answer = _ask(settings, request)
    if answer is None:
        raise no_daemon(settings)
    return answer


def answer_or_none(settings: Settings, request: Request) -> CommandResult | None:
    """Return what the daemon answers, or None where the command has to find that out by itself.

    That is where no daemon of this host runs, or where it cannot tell, of which a line to standard error says why.
    Raises OperationError when it refuses, and of another host also ControlError.
    """
    if remote.chosen():
        return ask_running(settings, request)
    try:
        return ask_daemon(settings.control_socket, settings.state_directory, request, _READING_SECONDS)
    except (ControlError, UntoldError) as error:
        print(printable(f"iluvatar-pxe: {error}; what follows is what is recorded"), file=sys.stderr)  # noqa: T201
        return None


def told(settings: Settings, request: Request) -> CommandResult | None:
    """Return what the daemon answers soon: None where none runs, nothing where it refuses or this user may not ask it.

    Of another host, raises ControlError and OperationError: nothing else is known of it.
    """
    if remote.chosen():
        return ask_running(settings, request)
    try:
        return ask_daemon(settings.control_socket, settings.state_directory, request, _PATIENCE)
    except (ControlError, OperationError):
        return {}


def _ask(settings: Settings, request: Request) -> CommandResult | None:
    """Ask the daemon of another host if one is chosen, else that of this host, which may not run."""
    if server := remote.chosen():
        return remote.ask_server(server, request, ANSWER_SECONDS)
    return ask_daemon(settings.control_socket, settings.state_directory, request)


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


def _exchange(connection: _Connection, state_directory: Path, request: Request) -> CommandResult:
    path, fields = target_of(request)
    headers = {"Content-Type": "application/json", STATE: directory_mark(state_directory)}
    if claim := plain_text(os.environ.get("SUDO_USER", "")):
        headers[CLAIM] = claim
    connection.request(request.method, path, json.dumps(fields), headers)
    response = connection.getresponse()
    answer: Any = json.loads(response.read())
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - a fault of the answer, not of a caller
    if response.status != http.client.OK:
        raise _refusal(response.status, str(answer.get("error", f"status {response.status}")))
    return answer


def _refusal(status: int, text: str) -> OperationError:
    """Return a refusal as an error; what this command has checked, and the daemon does not know, is of another version."""
    if status == http.client.BAD_REQUEST or text == _NO_ROUTE:
        return UntoldError(f"the daemon that runs is of another version ({text}); restart it")
    return (UntoldError if status == http.client.SERVICE_UNAVAILABLE else OperationError)(text)


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
