"""The daemons that run on this host, as ``/proc`` shows them; see proc(5)."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")


class DaemonProcess(Struct, frozen=True):
    """A running ``iluvatar-pxe serve``; ``environ`` is None if this user may not read it."""

    pid: int
    arguments: tuple[str, ...]
    """What follows ``serve``."""
    uid: int
    directory: Path
    """Its working directory; ``/`` if this user may not read it."""
    environ: Mapping[str, str] | None


def running_daemons() -> Iterator[DaemonProcess]:
    """Yield the daemons that serve this process' network; another network namespace is another host."""
    for place in _PROC.glob("[0-9]*"):
        try:
            found = _daemon(place)
        except OSError:  # it has ended meanwhile
            continue
        if found:
            yield found


def serve_arguments(command_line: Sequence[str]) -> tuple[str, ...] | None:
    """Return what follows ``serve`` in a daemon's command line, or None for another program's.

    The interpreter has to come first: sudo and ``ip netns exec`` repeat the words of what they run.
    """
    if not command_line or not Path(command_line[0]).name.startswith("python"):
        return None
    for before, word, after in zip(command_line, command_line[1:], command_line[2:], strict=False):
        is_program = Path(word).name == "iluvatar-pxe" or (before, word) == ("-m", "iluvatar_pxe")
        if is_program and after == "serve":
            return tuple(command_line[command_line.index("serve") + 1 :])
    return None


def _daemon(place: Path) -> DaemonProcess | None:
    arguments = serve_arguments(_words(place / "cmdline"))
    if arguments is None:
        return None
    pid, uid = int(place.name), place.stat().st_uid
    try:
        if (place / "ns/net").readlink() != (_PROC / "self/ns/net").readlink():
            return None
        environ = dict(word.partition("=")[::2] for word in _words(place / "environ"))
        directory = (place / "cwd").readlink()
    except PermissionError:
        return DaemonProcess(pid, arguments, uid, Path("/"), None)
    return DaemonProcess(pid, arguments, uid, directory, environ)


def _words(file: Path) -> list[str]:
    return os.fsdecode(file.read_bytes()).removesuffix("\0").split("\0")
