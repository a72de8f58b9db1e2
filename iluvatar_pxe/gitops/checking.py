"""Has a ``checker`` run while people push to the fleet's repository: started by the first push, as the repository's owner."""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from iluvatar_pxe.gitops.pre_receive import SOCKET
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import end_group, end_of, last_line
from iluvatar_pxe.host.owner import Owner
from iluvatar_pxe.host.threads import handed
from iluvatar_pxe.problem import Problem

LOOK_SECONDS = 10.0
"""Between two looks whether the hook's socket is still there: another repository may have been put in this one's place."""
_BACKLOG = 16
_PAUSE_SECONDS = 1.0
"""After it could not be started: where no descriptor is free, hooks that wait cannot be let go either."""
_log = structlog.get_logger()


class Checking:
    """Listens for the hook. The checker accepts by itself; this process never reads what is pushed."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._unheard = Problem(lambda why: _log.warning("fleet.checker", why=why, now="pushes take longer"))

    async def run(self) -> None:
        """Start a checker whenever a hook asks and none runs, until cancelled; listen again in another repository."""
        path = self._repository.path
        while True:
            try:
                listener, mark = await handed(partial(_listen, path), _close)
            except OSError as error:
                self._unheard.set(f"{path / SOCKET}: {error.strerror}")
                await asyncio.sleep(LOOK_SECONDS)
                continue
            self._unheard.clear()
            try:
                async with asyncio.TaskGroup() as group:
                    serving = group.create_task(self._serve(listener))
                    await _replaced(path, mark)
                    serving.cancel()
            finally:
                listener.close()
                if _mark(path) == mark:
                    with suppress(OSError):
                        (path / SOCKET).unlink()

    async def _serve(self, listener: socket.socket) -> None:
        while True:
            await _asked(listener)
            await self._check(listener)

    async def _check(self, listener: socket.socket) -> None:
        """Run a checker until it ends; where it fails, hooks that wait are let go to check themselves."""
        try:
            process = await self._start(listener.fileno())
        except OSError as error:
            _log.warning(
                "fleet.checker", why=f"cannot be started: {error.strerror}", now="pushes take longer"
            )
            _let_go(listener)
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        try:
            assert process.stderr  # noqa: S101 - a pipe
            complaint = await end_of(process.stderr)
            if status := await process.wait():
                why = last_line(complaint.decode("utf-8", "replace"), status)
                _log.warning("fleet.checker", why=why, now="the next push takes longer")
                _let_go(listener)
        finally:
            await end_group(process)

    async def _start(self, listener: int) -> asyncio.subprocess.Process:
        path = self._repository.path
        owner = await asyncio.to_thread(Owner.of, path)
        return await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "iluvatar_pxe.gitops.checker",
                str(listener),
                self._repository.branch,
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=path,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(path), "LC_ALL": "C.UTF-8"},
            pass_fds=[listener],
            start_new_session=True,
            **owner.identity,
        )


_Mark = tuple[int, int, int] | None
"""What tells the socket from any other file of its name; None where there is none."""


def _listen(repository: Path) -> tuple[socket.socket, _Mark]:
    """Listen in a repository, for its owner alone; raises OSError. A socket is left there only by a daemon that has died."""
    directory = os.open(repository, os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX)
    try:
        with suppress(FileNotFoundError):
            os.unlink(SOCKET, dir_fd=directory)
        sock.settimeout(0)
        os.fchmod(sock.fileno(), 0o600)  # what it is made with: later, something else may have its name
        sock.bind(f"/proc/self/fd/{directory}/{SOCKET}")  # of any length; an address has room for 107 bytes
        if os.geteuid() == 0:
            owner = Owner.of(repository)
            os.chown(SOCKET, owner.user, owner.group, dir_fd=directory, follow_symlinks=False)
        sock.listen(_BACKLOG)
        mark = _mark(repository)
    except OSError:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock, mark


def _close(listening: tuple[socket.socket, _Mark]) -> None:
    listening[0].close()


def _mark(repository: Path) -> _Mark:
    try:
        status = (repository / SOCKET).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


async def _replaced(repository: Path, mark: _Mark) -> None:
    """Return when the socket is another one, or gone."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if await asyncio.to_thread(_mark, repository) != mark:
            return


async def _asked(listener: socket.socket) -> None:
    """Return when a hook waits to be accepted."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listener, asked.set)
    try:
        await asked.wait()
    finally:
        loop.remove_reader(listener)


def _let_go(listener: socket.socket) -> None:
    """Close the connections of all hooks that wait, as far as there is a descriptor for each."""
    with suppress(OSError):
        while True:
            listener.accept()[0].close()
