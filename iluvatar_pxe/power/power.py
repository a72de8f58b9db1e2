"""What can be done to machines' power, and through which interfaces."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.power.waking import interfaces_to, wake

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Belongs to one event loop."""

    interfaces: Callable[[], Sequence[Interface]]
    """Returns those that are served."""

    async def wake(
        self, name: str, macs: Iterable[str], address: IPv4Address | None, by: str
    ) -> tuple[str, ...]:
        """Send a machine's magic packets; return the names of the interfaces. Raises PowerError.

        ``address`` is where it was seen last.
        """
        chosen, packets = interfaces_to(address, self.interfaces()), tuple(macs)
        await asyncio.to_thread(wake, packets, chosen)
        names = tuple(one.name for one in chosen)
        _log.info("power.wake", machine=name, macs=packets, interfaces=names, by=by)
        return names
