"""What is measured besides what the pages show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from iluvatar_pxe.meters import Histogram, ProtocolMeter
from iluvatar_pxe.provisioning.boot_meter import BootMeters


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The daemon's meters."""

    protocols: Mapping[str, ProtocolMeter]
    """By the protocol's name."""
    boots: BootMeters
    loop_lag: Histogram
    """Seconds for which the event loop kept a timer waiting."""
    certificates: Callable[[], Mapping[str, datetime]]
    """Returns by the name of each certificate of this daemon when it ends."""
    commit_time: Callable[[], datetime | None]
    """Returns when the applied commit was made; None where a directory decides."""
