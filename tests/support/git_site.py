"""Repositories that are hosted by the real HTTP server on loopback, with a token of either kind."""

import asyncio
import base64
import hashlib
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from support.ports import free_port
from support.repositories import Person, git
from support.waiting import wait_until
from support.web import Response, Web, response_of

from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.servers.http.git.relay import LIMITS, GitLimits
from iluvatar_pxe.servers.http.git.site import GitSite
from iluvatar_pxe.settings.model import GitSettings, HttpSettings

GOOD = {"fleet.yaml": "domain: lab.home.arpa\n", "README.md": "Hello\n"}
NOTHING = "0" * 40


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """One server, its repositories, and a token each for who may read and who may write."""

    directory: Path
    web: Web
    clock: Clock
    repositories: Path
    reader: str
    writer: str
    events: EventLog
    people: list[Person] = field(default_factory=list)

    @property
    def fleet(self) -> Path:
        return self.repositories / "fleet.git"

    def url(self, token: str = "", name: str = "fleet") -> str:
        """Return a URL that carries a token."""
        user = f"any:{token}@" if token else ""
        return f"http://{user}127.0.0.1:{self.web.port}/git/{name}.git"

    def person(self, token: str | None = None, name: str = "fleet") -> Person:
        """Return somebody who has cloned a repository."""
        place = self.directory / f"person{len(self.people)}"
        self.people.append(Person(place, self.url(self.writer if token is None else token, name)))
        return self.people[-1]

    def host(self, name: str) -> Path:
        """Make another repository."""
        return hosted(self.repositories / f"{name}.git", checked=False)

    def tip(self, name: str = "fleet") -> str:
        """Return the newest commit of main, or nothing."""
        path = self.repositories / f"{name}.git"
        return git(path, "for-each-ref", "--format=%(objectname)", "refs/heads/main").strip()

    def is_sound(self, name: str = "fleet") -> bool:
        """Say whether nothing is broken, and nothing is left of a push that was not accepted."""
        path = self.repositories / f"{name}.git"
        left = [*path.glob("objects/tmp_*"), *path.glob("objects/incoming-*"), *path.rglob("*.lock")]
        assert not left, left
        return "error" not in git(path, "fsck", "--full", "--strict", "--no-dangling")

    def pushing(
        self, body: bytes, *, name: str = "fleet", token: str | None = None, length: int | None = None
    ) -> socket.socket:
        """Post a push by hand, or its beginning where more octets are announced, and return the connection."""
        token = self.writer if token is None else token
        lines = [
            f"POST /git/{name}.git/git-receive-pack HTTP/1.1",
            f"Host: 127.0.0.1:{self.web.port}",
            f"Authorization: {basic(token)}",
            "Content-Type: application/x-git-receive-pack-request",
            f"Content-Length: {len(body) if length is None else length}",
            "Connection: close",
        ]
        sock = self.web.connect()
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return sock

    def push_by_hand(self, body: bytes, token: str | None = None) -> Response:
        """Post a push by hand, and return what comes."""
        with self.pushing(body, token=token) as sock:
            return answer_of(sock)

    def processes(self) -> list[int]:
        """Return the processes that serve requests, and all that these have begun."""
        mark = f"GIT_PROJECT_ROOT={self.repositories}\0".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                found += [int(path.parent.name)] if mark in path.read_bytes() else []
            except OSError:  # it has just ended, or is somebody else's
                continue
        return found

    def wait_until_idle(self) -> None:
        wait_until(lambda: not self.processes(), "git to end")


def answer_of(sock: socket.socket) -> Response:
    """Return the response that a connection brings, until it is whole or the connection is closed."""
    answer = bytearray()
    found = response_of(b"")
    while len(found.body) < int(found.headers.get("content-length", 1 << 30)):
        chunk = sock.recv(1 << 20)
        if not chunk:
            break
        answer += chunk
        if b"\r\n\r\n" in answer:
            found = response_of(bytes(answer))
    return found


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"any:{token}".encode()).decode()


def hosted(path: Path, *, checked: bool, max_push: int = 128) -> Path:
    """Make a repository."""
    return asyncio.run(host(path, "main", checked=checked, max_push=max_push)).path


@contextmanager
def serving(
    directory: Path,
    limits: GitLimits = LIMITS,
    *,
    checked: bool = False,
    max_push: int = 128,
    anonymous_read: bool = False,
) -> Iterator[Site]:
    """Serve an empty repository, that of a fleet if it is ``checked``; fails when the event loop saw a failure."""
    repositories = directory / "git"
    hosted(repositories / "fleet.git", checked=checked, max_push=max_push)
    (directory / "assets").mkdir()
    tokens = Tokens(repositories)
    reader, writer = (tokens.add(f"ada-{right}", right) for right in Right)
    settings = HttpSettings(port=free_port(), tls_port=free_port())
    clock = Clock()
    git_settings = GitSettings(max_push=max_push, anonymous_read=anonymous_read)
    events = EventLog()
    routes = GitSite(
        repositories, git_settings, settings.tls_port, limits=limits, clock=clock, events=events
    ).routes()
    with Web(directory, Fleet(), settings, routes=routes) as web:
        yield Site(directory, web, clock, repositories, reader, writer, events)
    assert not web.failures


class ServeGit(Protocol):
    """Serves with other limits than usual."""

    def __call__(self, max_push: int = 128, **limits: float) -> Site: ...


@contextmanager
def serve_git(directory: Path) -> Iterator[ServeGit]:
    """Yield what serves; at the end nothing runs any more for anybody, and nothing is broken."""
    with ExitStack() as stack:
        sites: list[Site] = []

        def start(max_push: int = 128, **limits: Any) -> Site:
            sites.append(stack.enter_context(serving(directory, GitLimits(**limits), max_push=max_push)))
            return sites[-1]

        yield start
        for site in sites:
            site.wait_until_idle()
            assert site.is_sound()


def pkt(line: bytes) -> bytes:
    """Return a pkt-line (gitprotocol-common(5))."""
    return f"{len(line) + 4:04x}".encode() + line


def update(new: str, old: str = NOTHING, ref: str = "refs/heads/main") -> bytes:
    """Return the beginning of a push: what it does to a ref."""
    return pkt(f"{old} {new} {ref}\0 report-status".encode()) + b"0000"


def pack_of(repository: Path) -> bytes:
    """Return a pack with everything that HEAD needs."""
    command = ["git", "pack-objects", "--stdout", "--revs", "--quiet"]
    return subprocess.run(command, cwd=repository, input=b"HEAD\n", capture_output=True, check=True).stdout


def pack(*objects: bytes) -> bytes:
    """Return a pack of objects that are encoded already (gitformat-pack(5)), with a right checksum."""
    body = b"PACK" + struct.pack("!II", 2, len(objects)) + b"".join(objects)
    return body + hashlib.sha1(body).digest()


def object_head(kind: int, size: int) -> bytes:
    """Return what stands before the compressed octets of an object in a pack: its kind and size."""
    octets = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        octets[-1] |= 128
        octets.append(size & 127)
        size >>= 7
    return bytes(octets)
