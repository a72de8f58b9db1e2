"""What is measured besides what the pages show."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct, field

from iluvatar_pxe.meters import SECONDS, Histogram, ProtocolMeter
from iluvatar_pxe.provisioning.boot_meter import BootMeters


class Measured(Struct, frozen=True, kw_only=True):
    """The daemon's meters; by default ones that nothing is counted by."""

    protocols: Mapping[str, ProtocolMeter] = field(default_factory=dict)
    """By the protocol's name."""
    boots: BootMeters = field(default_factory=lambda: BootMeters(time.monotonic))
    loop_lag: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    """Seconds for which the event loop kept a timer waiting."""
    certificates: Callable[[], Mapping[str, datetime]] = dict
    """Returns by the name of each certificate of this daemon when it ends."""
    commit_time: Callable[[], datetime | None] = lambda: None
    """Returns when the applied commit was made; None where a directory decides."""
