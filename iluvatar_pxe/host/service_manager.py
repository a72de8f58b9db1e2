"""The protocol between systemd and a service: sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3)."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START."""
_LONGEST_STATUS = 1000
"""Characters."""


@dataclass(slots=True)
class ServiceManager:
    """The service manager that started this process, if one did: notifying it never fails and never blocks.

    What finds its socket full is lost, but for READY=1, which then goes out with the next message.
    """

    address: str = ""
    """The name of its socket, an abstract one beginning with NUL; empty where nobody listens."""
    watchdog: float | None = None
    """Seconds within which it wants to be told that all is well, or None."""
    owed: str = field(default="", init=False)
    """What did not go out and must."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "ServiceManager":
        """Read what systemd has put into the environment of this process."""
        address = environ.get("NOTIFY_SOCKET", "")
        address = f"\0{address[1:]}" if address.startswith("@") else address
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "")
        wanted = address and ours and microseconds.isdecimal() and int(microseconds)
        return cls(address, int(microseconds) / 1e6 if wanted else None)

    def ready(self) -> None:
        """Tell that everything listens, after the start or a reload."""
        self.owed = "READY=1"
        self._tell()

    def reloading(self) -> None:
        """Tell that the fleet is being read again, until ``ready``."""
        self.owed = ""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self.owed = ""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """Tell in one line what is going on, for ``systemctl status``; return whether that went out."""
        return self._tell(f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}")

    def _tell(self, *messages: str) -> bool:
        if not self.address:
            return False
        text = "\n".join(filter(None, (self.owed, *messages)))
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
        ):
            sock.sendto(text.encode(errors="replace"), self.address)
            self.owed = ""
            return True
        return False


def passed_socket(path: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """Return the listening socket with the name ``path`` that systemd has opened for this process, or None."""
    if environ.get("LISTEN_PID") != str(os.getpid()) or not environ.get("LISTEN_FDS", "").isdecimal():
        return None
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(environ["LISTEN_FDS"])):
        with suppress(OSError):  # not open, or no socket
            sock = socket.socket(fileno=number)
            sock.set_inheritable(False)
            if sock.family == socket.AF_UNIX and sock.getsockname() == str(path):
                return sock
            sock.close()
    return None
