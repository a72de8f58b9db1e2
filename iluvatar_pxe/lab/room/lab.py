"""The private virtual network as a whole: a router, and machines that boot from whatever serves there."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import Network
from iluvatar_pxe.lab.room.router import start_router
from iluvatar_pxe.lab.watch.attempt import watched

MAC = "52:54:00:77:00:01"
BOOT_SECONDS = 180.0
"""How long a boot may take under software emulation on a busy machine."""

_POWER_OFF_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot that came as far as the stand-in's last word."""

    stages: dict[str, float]
    """Seconds from switching on, by stage; see ``stages.STAGES``."""
    command_line: str
    config_url: str
    config_sha256: str
    console: str


class Lab:
    """The network and its router while the ``with`` block runs; raises LabError where it cannot be built."""

    def __init__(self, joined: int = 0) -> None:
        """Make nothing yet: entering the block does. ``joined``: a process in the lab of another driver, to use that."""
        self.namespace = Namespace(joined)

    def __enter__(self) -> Self:
        """Build the segment and start the router, where they are not there yet."""
        self.namespace.__enter__()
        try:
            self.network = Network(self.namespace)
            if not self.namespace.is_joined:
                self.router = start_router(self.network)
        except BaseException:
            self.namespace.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self.namespace.__exit__(kind, error, trace)

    def boot(self, kind: str, *, timeout: float = BOOT_SECONDS, pcap: Path | None = None) -> Boot:
        """Switch a machine with firmware ``kind`` on and wait until its config was fetched and it is off.

        ``pcap`` keeps what went over the wire. Raises LabError, after ``timeout`` seconds at the latest,
        with the end of the serial console and of the log of everything that served it.
        """
        with watched(self.network, kind, MAC, pcap) as machine:
            guest = machine.console
            try:
                last = guest.wait_for(r"^LAB (?:failed=|config-url=(\S+) sha256=(\S+))", timeout)
                guest.wait(_POWER_OFF_SECONDS)
            except LabError as error:
                raise LabError("\n".join([str(error), *self.namespace.tails(but=guest)])) from error
        command_line = guest.wait_for(r"^LAB cmdline=(.*)$", 0)[1]
        return Boot(machine.stages, command_line, last[1] or "", last[2] or "", guest.output)
