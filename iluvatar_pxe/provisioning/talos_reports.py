"""What Talos machines report, in the log."""

from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.layers.arda.events import Event
from iluvatar_pxe.layers.arda.kernel_log import KernelLogLine
from iluvatar_pxe.provisioning.tickets import mask

_log = structlog.get_logger()


def note_event(address: IPv4Address, event: Event) -> None:
    """Log an event."""
    _log.debug("talos.event", address=str(address), event_id=event.id, reported=mask(repr(event.body)))


def note_line(address: IPv4Address, line: KernelLogLine) -> None:
    """Log a line of a kernel log."""
    _log.debug("talos.kernel-log", address=str(address), seq=line.seq, message=mask(line.message))
