"""The control socket: the HTTP API for root and the daemon's own user, on a unix socket and nowhere else."""

import asyncio
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.service_manager import passed_socket
from iluvatar_pxe.host.threads import handed
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.control_protocol import CLAIM, LARGEST_BODY, STATE, caller, directory_mark
from iluvatar_pxe.servers.http.context import BY, COMMAND_CONTEXT
from iluvatar_pxe.servers.http.faults import quiet_logger
from iluvatar_pxe.servers.http.json_faults import json_faults
from iluvatar_pxe.servers.http.late_routes import LateRoutes

MOST_CONNECTIONS = 32
_BACKLOG = 128
"""Connections that the kernel accepts ahead, as aiohttp has it."""
IDLE_SECONDS = 30.0
"""How long a connection may say nothing."""

_UNWRITABLE = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO})
_DIRECTORY = web.AppKey("state_directory", str)
_PEER = struct.Struct("3i")
"""``struct ucred`` of unix(7): process, user and group of the peer when it connected."""

_log = structlog.get_logger()


class ControlServer:
    """Listens on the control socket."""

    def __init__(self, path: Path, state_directory: Path, context: CommandContext) -> None:
        self._path = path
        self._ours: tuple[int, int] | None = None
        self._listener: asyncio.Server | None = None
        self._problem = Problem(lambda text: _log.error("control.closed", problem=text))
        app = web.Application(middlewares=[json_faults, _admit], client_max_size=LARGEST_BODY)
        app[COMMAND_CONTEXT], app[_DIRECTORY] = context, directory_mark(state_directory)
        app.router.register_resource(LateRoutes(_routes))
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=quiet_logger(),
            keepalive_timeout=IDLE_SECONDS,
            handle_signals=False,
            shutdown_timeout=1.0,
        )

    @property
    def problem(self) -> str | None:
        """Return why no command can reach this daemon, or None."""
        return self._problem.text

    async def bind(self) -> None:
        """Listen; raises ServerError. What a dead daemon left is replaced; a live daemon's socket never.

        A socket that systemd has opened there stays systemd's: it is used, and not removed. A file system that cannot
        be written is a problem for commands, and none for machines.
        """
        sock = passed_socket(self._path, os.environ)
        if sock is None:
            try:
                sock = await handed(partial(_bound, self._path), socket.socket.close)
            except ServerError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in _UNWRITABLE:
                    self._problem.set(str(error))
                    return
                raise
            self._ours = _inode(self._path)
        await self._runner.setup()
        meet = partial(_ControlConnection, cast("web.Server", self._runner.server))
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(meet, sock=sock, backlog=_BACKLOG)

    async def close(self) -> None:
        """Accept nothing new, let running requests end, and remove the socket."""
        if self._ours and _inode(self._path) == self._ours:
            self._path.unlink(missing_ok=True)
        self._ours = None
        if self._listener:
            self._listener.close()
        await self._runner.cleanup()


class _ControlConnection(asyncio.Protocol):
    """Hands a connection to the server, unless that has ``MOST_CONNECTIONS``."""

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        if len(self._server.connections) >= MOST_CONNECTIONS:
            complain("control.crowded", connections=MOST_CONNECTIONS)
            stream.abort()
            return
        connection = self._server()
        stream.set_protocol(connection)
        connection.connection_made(stream)


async def _routes() -> Iterable[web.RouteDef]:
    return await asyncio.to_thread(_load)


def _load() -> Iterable[web.RouteDef]:
    from iluvatar_pxe.servers.http.routes.api import routes  # noqa: PLC0415 - all commands, when the first one is given

    return routes()


@web.middleware
async def _admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit root and the daemon's own user, as verified by the kernel."""
    user = _peer_of(request)
    if user not in {0, os.geteuid()}:
        complain("control.forbidden", user=user, asked=request.path)
        raise web.HTTPForbidden(text="only root and the daemon's user are allowed; try it with sudo")
    if request.headers.get(STATE, request.app[_DIRECTORY]) != request.app[_DIRECTORY]:
        raise web.HTTPConflict(
            text=f"this daemon's state directory is {unquote(request.app[_DIRECTORY])}; pass its settings with --config"
        )
    request[BY] = await asyncio.to_thread(caller, user, request.headers.get(CLAIM, ""))
    return await handler(request)


def _peer_of(request: web.Request) -> int:
    """Return the user id of the process that connected."""
    if request.transport is None:
        raise web.HTTPServiceUnavailable(text="the connection was closed")
    sock: socket.socket = request.transport.get_extra_info("socket")
    _, user, _ = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(user)


def _bound(path: Path) -> socket.socket:
    """Return a socket bound to ``path`` that only its owner and group may open."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        return _bind(path)
    except OSError as error:
        reason = error.strerror or str(error)  # a path of more than 107 octets has no errno
        text = f"{path}: cannot listen there: {reason}; set another [control] socket"
        raise ServerError(text) from error


def _bind(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(str(path))
        path.chmod(0o660)
    except OSError:
        sock.close()
        raise
    return sock


def _clear(path: Path) -> None:
    """Remove the socket of a daemon that has died; raises ServerError where something else is in the way."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ServerError(f"{path}: not a socket; remove it or set another [control] socket")
        if _is_live(path):
            raise ServerError(
                f"{path}: another daemon listens there; stop it or set another [control] socket"
            )
        path.unlink()


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)  # a daemon too busy to accept is a live one
        return probe.connect_ex(str(path)) != errno.ECONNREFUSED


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
