"""One boot of a machine in the lab: switched on, watched until it has ended, switched off."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

from msgspec import Struct

from iluvatar_pxe.lab.daemon import LOG
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.guest.screen import readable
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.network import Network
from iluvatar_pxe.lab.watch.capture import Capture, Packet
from iluvatar_pxe.lab.watch.outcome import Outcome, lines_about, outcome_of
from iluvatar_pxe.lab.watch.stages import packets_of, stage_times

_POLL_SECONDS = 0.2
_FAREWELL_SECONDS = 10.0
"""How long a machine that has its config may take to say so and to switch itself off."""
_LAST_WORDS_SECONDS = 1.0
"""How long a machine that gets none may still write to its console."""
_LOG_LINES = 8


@dataclass(slots=True)
class Watched:
    """A machine that is on; ``packets``, those from and to it, are there when it is off again."""

    console: Process
    packets: list[Packet] = field(default_factory=list)

    @property
    def stages(self) -> dict[str, float]:
        """Seconds from switching on, by stage; see ``stages.STAGES``."""
        return stage_times(self.packets, self.console.started)


class Attempt(Struct, frozen=True):
    """A boot that has ended, well or not."""

    kind: str
    mac: str
    stages: dict[str, float]
    outcome: Outcome
    log: list[str]
    """The daemon's last lines about the machine."""


@contextmanager
def watched(network: Network, kind: str, mac: str) -> Iterator[Watched]:
    """A machine that is on while the block runs, and whose packets are kept; raises LabError."""
    firmware = firmware_named(kind)
    name = mac.replace(":", "")
    capture = Capture(network, name)
    machine = Watched(start_guest(network, firmware, mac, name))
    try:
        yield machine
    finally:
        machine.console.stop(how=signal.SIGKILL)
        machine.packets = packets_of(mac, capture.stop())


def attempt_boot(
    network: Network, kind: str, mac: str, show: Callable[[str], None], timeout: float
) -> Attempt:
    """Boot a machine from the lab's daemon and ``show`` every line of its console; raises LabError.

    It ends when the machine has its config, when the daemon tells it to do something else, when it switches itself
    off, or after ``timeout`` seconds.
    """
    log = network.namespace.outside(LOG)
    before = log.stat().st_size

    def news() -> str:
        return log.read_bytes()[before:].decode("utf-8", "replace")

    with watched(network, kind, mac) as machine:
        screen = Thread(target=_show, args=(machine.console, show))
        screen.start()
        outcome = _await_outcome(machine.console, lambda: outcome_of(news(), mac), timeout)
        if outcome is None:
            outcome = Outcome(reached_config=False, reason=_silence(machine.console, timeout))
    screen.join()
    return Attempt(kind, mac, machine.stages, outcome, lines_about(news(), mac, _LOG_LINES))


def _await_outcome(console: Process, outcome: Callable[[], Outcome | None], timeout: float) -> Outcome | None:
    """Return the outcome once it is known and the machine has had time for its last words."""
    deadline = time.monotonic() + timeout
    while (
        (found := outcome()) is None
        and time.monotonic() < deadline
        and not console.ends_within(_POLL_SECONDS)
    ):
        pass
    found = found or outcome()
    if found:
        console.ends_within(_FAREWELL_SECONDS if found.reached_config else _LAST_WORDS_SECONDS)
    return found


def _silence(console: Process, timeout: float) -> str:
    if console.has_ended:
        return f"the machine ended by itself\n{console.tail(_LOG_LINES)}"
    return f"the machine sent nothing more within {timeout:.0f} s"


def _show(console: Process, show: Callable[[str], None]) -> None:
    for line in readable(console.lines()):
        show(line)
