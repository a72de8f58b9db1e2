"""The real ``git`` program: one call, as the owner of the repository, with our configuration only."""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, field

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.pre_receive import QUARANTINE
from iluvatar_pxe.host.owner import Owner

LOCAL_SECONDS = 60.0
"""Timeout of a local command; SD cards are slow."""
END_SECONDS = 5.0
"""For a process that is killed."""
_HOST = re.sub(r"[^A-Za-z0-9._-]", "", os.uname().nodename) or "localhost"
OURS = "iluvatar-pxe on "
"""Prefix of the committer name of every daemon."""
IDENTITY: Mapping[str, str] = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", f"{OURS}{_HOST}"), ("EMAIL", f"iluvatar-pxe@{_HOST}"))
}
_MOST_COMPLAINT = 1 << 16
_CONFIGURATION: Mapping[str, str] = {
    "safe.directory": "*",  # the service's user has it, and root looks at it
    "core.hooksPath": "/dev/null",
    "gc.autoDetach": "false",
    "transfer.fsckObjects": "true",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "20",
    "protocol.version": "2",
}


class Git(Struct, frozen=True):
    """Commands for one repository; ``configuration`` and ``environment`` are what its remote needs besides.

    Secrets are in neither: they name the files that hold them.
    """

    directory: Path
    configuration: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0
    """Bytes of address space for each process; 0: unlimited."""

    async def run(self, *arguments: str, data: bytes = b"", seconds: float = LOCAL_SECONDS) -> bytes:
        """Return what ``git ARGUMENTS`` prints; raises RepositoryError, one line that names the command.

        Cancelled or late, it is killed with all that it began.
        """
        status, output, complaint = await self.attempt(*arguments, data=data, seconds=seconds)
        if status:
            raise RepositoryError(f"{self.directory}: git {arguments[0]}: {last_line(complaint, status)}")
        return output

    async def attempt(
        self, *arguments: str, data: bytes = b"", seconds: float = LOCAL_SECONDS
    ) -> tuple[int, bytes, str]:
        """Return status, output and what it complains of; raises RepositoryError when it does not run or end."""
        process = await self._start(arguments)
        try:
            async with asyncio.timeout(seconds):
                output, complaint = await _conversation(process, data)
        except TimeoutError as error:
            text = f"{self.directory}: git {arguments[0]}: did not end within {seconds:g} s; is the disk or network slow?"
            raise RepositoryError(text) from error
        finally:
            await end_group(process)
        return process.returncode or 0, output, complaint.decode("utf-8", "replace")

    @property
    def _command(self) -> tuple[str, ...]:
        """A service may be forbidden to limit anything; then its unit does."""
        if not self.memory:
            return ("git",)
        return ("sh", "-c", f'ulimit -v {self.memory >> 10} 2>/dev/null; exec git "$@"', "git")

    async def _start(self, arguments: tuple[str, ...]) -> asyncio.subprocess.Process:
        try:
            owner = Owner.of(self.directory)
            return await asyncio.create_subprocess_exec(
                *self._command,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self.directory,
                env={**surroundings(self.directory, self.configuration), **self.environment},
                start_new_session=True,
                **owner.identity,
            )
        except FileNotFoundError as error:
            missing = "git is not installed; sudo apt-get install git"
            text = missing if self.directory.is_dir() else f"{self.directory}: no such repository"
            raise RepositoryError(text) from error
        except OSError as error:
            raise RepositoryError(f"{self.directory}: git cannot be run: {error.strerror}") from error


async def _conversation(process: asyncio.subprocess.Process, data: bytes) -> tuple[bytes, bytes]:
    """Feed a process, and return its output, and the end of what it complains of: a remote may talk without end."""
    assert process.stdin  # noqa: S101 - all three are pipes
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    async with asyncio.TaskGroup() as group:
        output = group.create_task(process.stdout.read())
        complaint = group.create_task(end_of(process.stderr))
        with suppress(ConnectionError):  # it knows enough
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()
    await process.wait()
    return output.result(), complaint.result()


async def end_of(stream: asyncio.StreamReader) -> bytes:
    """Read a stream to its end, and return the last 64 KiB of it."""
    kept = b""
    while octets := await stream.read(_MOST_COMPLAINT):
        kept = (kept + octets)[-_MOST_COMPLAINT:]
    return kept


async def end_group(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, or whose children still have its pipes, with these children, and wait for its end.

    What it has written is read to the end and dropped: asyncio takes no process for ended whose pipes are full.
    A child that has left its session, and keeps the pipes, is not waited for.
    """
    assert process.stdout  # noqa: S101 - a pipe
    if process.returncode is None or not process.stdout.at_eof():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.communicate()


def surroundings(directory: Path, configuration: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a ``git`` in a repository: nothing of this process's but its PATH.

    A push's hook is run with the objects of that push in a place of their own, which is kept.
    """
    settings = {**_CONFIGURATION, **(configuration or {})}
    numbered = {
        f"GIT_CONFIG_{part}_{number}": text
        for number, pair in enumerate(settings.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    quarantine = {name: os.environ[name] for name in QUARANTINE if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "GIT_DIR": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_NO_REPLACE_OBJECTS": "1",  # what a commit holds would depend on refs that no clone fetches
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
        **IDENTITY,
        **quarantine,
        **numbered,
    }


def last_line(complaint: str, status: int) -> str:
    """Return the line in which git says what is wrong; the rest are hints."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith(_OF_SSH)]
    telling = [line for line in own if line.startswith(("fatal:", "error:", "remote: ", "!"))]
    chosen = (telling or own or lines or [f"ended with status {status}"])[-1]
    return "".join(char if char.isprintable() else " " for char in chosen)[:300].rstrip(".")


_OF_SSH = (
    "fatal: Could not read from remote repository",
    "Please make sure you have",
    "and the repository exists",
)
"""What git says where ssh has said why in the line before."""
