"""The sockets that Talos machines report to."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.layers.arda.events import TakeEvent
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf
from iluvatar_pxe.servers.talos import event_listener, kernel_log
from iluvatar_pxe.servers.talos.event_listener import EventListener, Replays
from iluvatar_pxe.servers.talos.kernel_log import KernelLogListener, Lines, TakeLine
from iluvatar_pxe.servers.talos.late_sink import LateSink
from iluvatar_pxe.settings.model import Settings

_log = structlog.get_logger()

Report = TypeVar("Report")


class TalosServer:
    """Passes on what is new, with the sender's address: who that is, and what follows, others decide."""

    def __init__(
        self,
        settings: Settings,
        take_event: TakeEvent,
        take_line: TakeLine,
        take_datagram: TakeLine,
        mac_of: MacOf,
    ) -> None:
        """``take_datagram`` gets lines that came by UDP, whose sender may have named another's address as its own."""
        self._ports = settings.talos
        self._mac_of = mac_of
        self._allowed = Allowed(settings.http.allow)
        replays = Replays(_survived(take_event))
        self._lines, self._datagrams = Lines(_survived(take_line)), Lines(_survived(take_datagram))
        each, total = event_listener.MOST_OF_CLIENT, event_listener.MOST_CONNECTIONS
        self._event_pool = ConnectionPool("talos.crowded", each=each, total=total)
        self._sink = LateSink(replays.take, self._allowed, self._event_pool, mac_of)
        each, total = kernel_log.MOST_OF_CLIENT, kernel_log.MOST_CONNECTIONS
        self._log_pool = ConnectionPool("talos.crowded", each=each, total=total)
        self._events = Bound(self._listen_to_events)
        self._logs = Bound(self._listen_to_logs)

    async def serve(self, interfaces: Sequence[Interface]) -> list[ServerError]:
        """Listen at the addresses of these interfaces and no others; return an error for each that cannot be bound."""
        self._allowed.follow(interfaces)
        addresses = [one.address for one in interfaces]
        errors = self._events.follow(addresses) + self._logs.follow(addresses)
        for listener in (*self._events, *self._logs):
            await listener.start()
        return errors

    async def run(self) -> None:
        """Load what reads events when the first machine connects."""
        await self._sink.run()

    def close(self) -> None:
        """Take nothing more in."""
        self._events.close()
        self._logs.close()

    def _listen_to_events(self, address: IPv4Address) -> EventListener:
        return EventListener(address, self._ports.event_port, self._sink)

    def _listen_to_logs(self, address: IPv4Address) -> KernelLogListener:
        port = self._ports.kernel_log_port
        return KernelLogListener(
            address, port, self._lines, self._datagrams, self._allowed, self._log_pool, self._mac_of
        )


def _survived(take: Callable[[IPv4Address, Report], None]) -> Callable[[IPv4Address, Report], None]:
    """Return what goes on after each report: a machine would send one that is not answered with OK for ever."""

    def taken(address: IPv4Address, report: Report) -> None:
        try:
            take(address, report)
        except Exception as error:  # noqa: BLE001 - the last resort: one report must not stop the others
            _log.error("talos.failed", peer=str(address), error=repr(error))

    return taken
