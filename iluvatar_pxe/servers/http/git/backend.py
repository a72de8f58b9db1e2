"""One run of ``git http-backend``, a CGI program (git-http-backend(1), RFC 3875), as the owner of its repository."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.bare import SUFFIX
from iluvatar_pxe.gitops.repository.git import last_line
from iluvatar_pxe.host.owner import Owner
from iluvatar_pxe.servers.http.git.quarantine import quarantines_of, remove
from iluvatar_pxe.servers.library_internals import close_pipes

CHUNK = 64 << 10
"""Octets that are read at once."""
GIVE_UP_SECONDS = 1.0
"""For git to end when it is told to, before it is killed."""
_WAY_OUT = (
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables of the environment that say how the internet is reached, and which certificates are trusted there."""
_MOST_COMPLAINTS = 4 << 10
"""Octets of its standard error that are kept."""
_SHELL = '(ulimit -v "$0") 2>/dev/null && ulimit -v "$0"; exec "$@"'
"""Limits the address space of all that git runs, where that is allowed."""


class Call(Struct, frozen=True):
    """What one request asks of a repository; all of it has been checked."""

    root: Path
    name: str
    tail: str
    method: str
    service: str
    client: str
    user: str = ""
    """Name of the token, empty for those who gave none."""
    protocol: str = ""
    """The header Git-Protocol."""

    @property
    def repository(self) -> Path:
        """Where the repository lies."""
        return self.root / f"{self.name}{SUFFIX}"

    @property
    def pushes(self) -> bool:
        """Say whether it is the request that brings objects."""
        return self.method == "POST" and self.service == "git-receive-pack"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment: of this process's its PATH and its way to the internet, and nobody's configuration."""
        found = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.repository),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{self.name}{SUFFIX}/{self.tail}",
            "REQUEST_METHOD": self.method,
            "REMOTE_ADDR": self.client,
        }
        if self.method == "GET":
            found["QUERY_STRING"] = f"service={self.service}"
        else:
            found["CONTENT_TYPE"] = f"application/x-{self.service}-request"
        optional = {"REMOTE_USER": self.user, "GIT_PROTOCOL": self.protocol}
        outside = {
            name: os.environ.get(name, "") for name in _WAY_OUT
        }  # the check of a push asks Image Factory
        return found | {key: value for key, value in (optional | outside).items() if value}


class Head(Struct, frozen=True):
    """Status and headers that a CGI program begins with."""

    status: int
    headers: dict[str, str]


class Backend:
    """The process, in a session of its own. Whoever has started it closes it."""

    def __init__(self, process: asyncio.subprocess.Process, repository: Path) -> None:
        self._process = process
        self._repository = repository
        self._input, self._output, errors = _pipes(process)
        self._complaints = bytearray()
        self._listening = asyncio.create_task(self._listen(errors))

    @classmethod
    async def start(cls, call: Call, memory: int) -> "Backend":
        """Run it; ``memory`` is in octets, for each of git's processes. Raises RepositoryError."""
        try:
            owner = await asyncio.to_thread(Owner.of, call.repository)
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _SHELL, str(memory >> 10), "git", "http-backend"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=CHUNK,
                cwd=call.repository,
                env=call.environment,
                start_new_session=True,
                **owner.identity,
            )
        except OSError as error:
            raise RepositoryError(f"{call.repository}: git cannot be run: {error.strerror}") from error
        return cls(process, call.repository)

    async def take(self, octets: bytes) -> None:
        """Give git a part of the request; raises ConnectionError when it does not want any more of it."""
        self._input.write(octets)
        await self._input.drain()

    def end_of_request(self) -> None:
        """Tell git that it has all of the request."""
        self._input.close()

    async def head(self) -> Head:
        """Return how its answer begins; raises RepositoryError where it ends without one."""
        try:
            text = await self._output.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            await self._ends(GIVE_UP_SECONDS)
            why = last_line(self.complaints, self._process.returncode or 0)
            raise RepositoryError(f"git http-backend: {why}") from error
        lines = text.decode("latin-1").split("\r\n")
        headers = {name: value for name, _, value in (line.partition(": ") for line in lines) if value}
        status = headers.pop("Status", "200").partition(" ")[0]
        return Head(int(status), headers)

    async def read(self) -> bytes:
        """Return the next octets of the answer, none at its end."""
        return await self._output.read(CHUNK)

    @property
    def complaints(self) -> str:
        """What it wrote to standard error, or the beginning of that."""
        return self._complaints.decode("utf-8", "replace")

    async def close(self, patience: float) -> None:
        """See it end, with all that it has begun, so that nothing is left of a push.

        Git has ``patience`` seconds to find out by itself that no more comes, and to remove what has come.
        """
        self._input.close()
        left: list[Path] = []
        is_over = self._output.at_eof()
        try:
            is_over = is_over or (patience > 0 and await self._ends(patience))
            if not is_over:
                left = await asyncio.to_thread(quarantines_of, self._process.pid, self._repository)
                self._signal(signal.SIGTERM)  # git removes its locks; killed, it could not
            is_over = await self._ends(GIVE_UP_SECONDS) and is_over
        finally:
            if not is_over:
                self._signal(signal.SIGKILL)
        await self._ends(GIVE_UP_SECONDS)
        close_pipes(self._process)
        await asyncio.wait([self._listening])
        await asyncio.to_thread(remove, left)

    async def _ends(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    def _signal(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, how)

    async def _listen(self, errors: asyncio.StreamReader) -> None:
        while octets := await errors.read(CHUNK):
            self._complaints += octets[: _MOST_COMPLAINTS - len(self._complaints)]


def _pipes(
    process: asyncio.subprocess.Process,
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamReader]:
    """Return standard input, output and error of a process that has a pipe for each."""
    if not process.stdin or not process.stdout or not process.stderr:
        raise ValueError("a pipe is missing")
    return process.stdin, process.stdout, process.stderr
