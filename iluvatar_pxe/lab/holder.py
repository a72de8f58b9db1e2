"""What keeps a lab up in the background, until it is told to end or a part of it ends."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.running import Running, claimed, publish, running
from iluvatar_pxe.lab.user_lab import Say, Sources, user_lab

_READY = "The lab is up."
_END_SECONDS = 60.0
_TERM = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def start_holder(command: list[str], say: Say) -> bool:
    """Start ``command``, which calls ``hold``, without a terminal, and pass on what it says until the lab is up.

    Return False when it ended before that, having said why. Whatever ends this process before that ends it too.
    """
    with subprocess.Popen(  # noqa: S603 - argument list made here
        ["/bin/sh", "-c", '"$@" &', "lab", *command],  # by way of a shell the holder is nobody's child
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as launcher:
        assert launcher.stdout is not None  # noqa: S101 - just made
        try:
            for line in map(str.rstrip, launcher.stdout):
                if line == _READY:
                    return True
                say(line)
        except BaseException:
            os.killpg(launcher.pid, signal.SIGTERM)
            raise
    return False


def hold(sources: Sources, file: Path, say: Say) -> None:
    """Build a lab, say so, and keep it until a signal asks for its end, or a part of it ends; raises LabError."""
    with claimed(file) as state, user_lab(sources, say) as user, _signals() as asked:
        fleet, assets = str(sources.fleet or ""), str(sources.assets)
        publish(state, Running(os.getpid(), user.lab.namespace.pid, user.daemon.pid, fleet, assets))
        say(_READY)
        _let_go_of_terminal()
        parts = [os.pidfd_open(pid) for pid in (user.daemon.pid, user.lab.router.pid)]
        select.select([asked, *parts], [], [])


def end(file: Path) -> bool:
    """End the lab that is up, and return when nothing of it is left; say whether there was one. Raises LabError."""
    lab = running(file)
    if lab is None:
        return False
    try:
        holder = os.pidfd_open(lab.holder)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(holder, signal.SIGTERM)
        if not select.select([holder], [], [], _END_SECONDS)[0]:
            raise LabError(f"the lab's holder, process {lab.holder}, does not end; kill it")
    finally:
        os.close(holder)
    return True


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that can be read once a signal asks for the end; the signals do nothing else."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {one: signal.signal(one, lambda *_: None) for one in _TERM}
    signal.set_wakeup_fd(write)
    try:
        yield read
    finally:
        signal.set_wakeup_fd(-1)
        for one, handler in before.items():
            signal.signal(one, handler)
        os.close(read)
        os.close(write)


def _let_go_of_terminal() -> None:
    """Nobody reads what is printed from now on."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
