"""Checks pushes for the hook, in a process that remembers what it has read: ``python -m iluvatar_pxe.gitops.checker FD BRANCH``.

``checking`` starts it in the repository, with a listening socket as descriptor FD and a pipe as its standard input, which
ends with the daemon. One push is checked after the other. What is unusual, or needs the network, gets no answer: the hook
then checks it itself.
"""

import asyncio
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from iluvatar_pxe.assets.names import Names, to_ask
from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.hook import ASK_FACTORY, conclude, judge, updates_of
from iluvatar_pxe.gitops.pre_receive import PATIENCE_SECONDS, PEER, QUARANTINE, code_mark
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.revision import Revisions

IDLE_SECONDS = 600.0
"""After so long without a push it ends, and its memory is free."""
MOST_MEMORY = 384 << 20
"""Bytes: with more in use it ends after a push, since a refused one may have filled what it remembers."""
_ADDRESS_SPACE = 1 << 30
"""Bytes, as a hook has that runs below ``git http-backend``."""
_READ_SECONDS = 1.0
_MOST_REQUEST = 1 << 20
_NAMES = ("tmp_objdir-", "incoming-")
"""How the directory of a push's objects is called, since git 2.35 and before."""


class Checker:
    """Checks the pushes to the repository in the working directory."""

    def __init__(self, branch: str) -> None:
        self._branch = branch
        self._path = Path.cwd()
        self._mark = code_mark()
        self._revisions = Revisions()

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a request; raises RepositoryError where the hook is to find out itself."""
        fields = os.fsdecode(request).split("\0")
        if len(fields) != 2 + len(QUARANTINE) + 1 or fields[0] != self._mark:
            raise RepositoryError("another version asks")
        branch, *options = fields[1].split(" ")
        if branch != self._branch:
            raise RepositoryError(f"another branch: {branch}")
        told = dict(zip(QUARANTINE, fields[2:-1], strict=True))
        repository = Repository(Git(self._path, environment=self._objects(told)), branch)
        updates = updates_of(fields[-1])
        judging = judge(
            repository, updates, ask_factory=ASK_FACTORY in options, revisions=self._revisions, ask=_decline
        )
        status, text = conclude(repository, updates, asyncio.run(judging))
        octets = text.encode(errors="backslashreplace")
        return b"%d %d\n" % (status, len(octets)) + octets

    def _objects(self, told: Mapping[str, str]) -> Mapping[str, str]:
        """Return what git is to be told of a push's objects: a place that git makes in this repository, or nothing."""
        place, writes, reads = (told[name] for name in QUARANTINE)
        if not (place or writes or reads):
            return {}
        path, objects = Path(place), self._path / "objects"
        is_ours = path.parent.resolve() == objects.resolve() and path.name.startswith(_NAMES)
        if not is_ours or path.is_symlink() or writes != place or Path(reads).resolve() != objects.resolve():
            raise RepositoryError(f"not a push's own objects: {place}")
        return told


def _decline(fleet: Fleet, before: Fleet | None) -> Names:
    """The hook asks Image Factory itself: it tells of that meanwhile, and knows the way out of the one who pushes."""
    if to_ask(fleet, before):
        raise RepositoryError("Image Factory is to be asked")
    return Names()


def serve(listener: socket.socket, daemon: int, checker: Checker) -> None:
    """Answer until the daemon's pipe has ended, nobody pushes any more, or too much memory is in use."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(daemon, select.POLLIN)
    while ready := dict(poll.poll(IDLE_SECONDS * 1000)):
        if daemon in ready:
            return
        try:
            connection, _ = listener.accept()
        except BlockingIOError:  # whoever asked has gone
            continue
        with connection:
            _respond(connection, checker)
        if _memory() > MOST_MEMORY:
            return
        gc.collect()
        gc.freeze()  # what is remembered is not looked through again


def _respond(connection: socket.socket, checker: Checker) -> None:
    connection.settimeout(_READ_SECONDS)
    peer = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    if peer[1] not in {0, os.geteuid()}:
        return
    signal.alarm(int(PATIENCE_SECONDS))  # ends this process: nobody waits any longer
    try:
        connection.sendall(checker.answer(_request(connection)))
    except (OSError, RepositoryError) as error:
        sys.stderr.write(f"{error}\n")
    finally:
        signal.alarm(0)


def _request(connection: socket.socket) -> bytes:
    """Return a whole request; raises RepositoryError where it is too large, and OSError."""
    octets = b""
    while chunk := connection.recv(1 << 16):
        octets += chunk
        if len(octets) > _MOST_REQUEST:
            raise RepositoryError("a very large request")
    return octets


def _memory() -> int:
    """Return how many bytes of memory are in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def limit_address_space() -> None:
    """Have no more than ``_ADDRESS_SPACE``, or what the service is limited to already, where that is less."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = _ADDRESS_SPACE if most == resource.RLIM_INFINITY else min(_ADDRESS_SPACE, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    gc.freeze()
    gc.disable()  # it is done between two pushes
    limit_address_space()
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.settimeout(0)
    serve(listener, sys.stdin.fileno(), Checker(sys.argv[2]))


if __name__ == "__main__":
    main()
