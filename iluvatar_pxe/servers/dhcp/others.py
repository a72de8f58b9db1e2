"""Finds out which other DHCP servers there are, and tells of those that are too many."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address
from itertools import islice

import structlog

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import WireError
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.machines.dhcp_servers import DhcpServers, Heard, offered_by
from iluvatar_pxe.provisioning.around import MOST_DAEMONS, address_known
from iluvatar_pxe.wire.dhcp import decode
from iluvatar_pxe.wire.pxe import HTTP_CLIENT, PXE_CLIENT

AGAIN_SECONDS = 30.0
"""Before that, the same is not looked at again of a server: many clients mean many messages."""
_LOOK_SECONDS, _PAUSE_SECONDS = 3600.0, 1.0
"""Between two looks for what is to be told or forgotten, at most and at least: names of daemons are looked up each time."""
_MOST_KEYS = 256
_FILE = slice(108, 109)
"""The first octet of the boot file's name in a message."""

_log = structlog.get_logger()


class OtherServers:
    """Belongs to one event loop. What is heard costs no more than a look into a dictionary, but for once in a while."""

    def __init__(
        self,
        servers: DhcpServers,
        events: EventLog,
        daemons: Callable[[], Iterable[str]],
        domain: Callable[[], str],
    ) -> None:
        """``daemons`` returns the hosts of the fleet's other daemons, which answer boot requests as this one does."""
        self._servers = servers
        self._events = events
        self._daemons = daemons
        self._domain = domain
        self._lately: Recent[tuple[object, ...], float] = Recent(_MOST_KEYS)
        self._news = Changed()

    def chosen(self, interface: str, heard: Heard, own: IPv4Address) -> None:
        """Take in which server a client has chosen."""
        if not self._was_heard(interface, heard.address):
            self._take(interface, heard, own)

    def reply(self, interface: str, own: IPv4Address, data: bytes, source: str) -> None:
        """Take in a reply that was sent from ``source``; it is read only if it may tell something new."""
        if self._was_heard(interface, source, data[_FILE], PXE_CLIENT in data, HTTP_CLIENT in data):
            return
        try:
            heard = offered_by(decode(data), IPv4Address(source))
        except WireError:
            return
        if heard:
            self._take(interface, heard, own)

    async def run(self) -> None:
        """Tell of servers that are too many, until cancelled."""
        with Subscription(self._news) as news:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await news.wait()
                self._servers.forget(datetime.now(UTC))
                await self._tell()
                await asyncio.sleep(_PAUSE_SECONDS)

    def _was_heard(self, *key: object) -> bool:
        now = asyncio.get_running_loop().time()
        before = self._lately.get(key)
        if before is not None and now - before < AGAIN_SECONDS:
            return True
        self._lately.put(key, now)
        return False

    def _take(self, interface: str, heard: Heard, own: IPv4Address) -> None:
        if self._servers.take(interface, heard, own, datetime.now(UTC)):
            self._news.tell()

    async def _tell(self) -> None:
        hosts = [place.partition(":")[0] for place in islice(self._daemons(), MOST_DAEMONS)]
        domain = self._domain()
        found = await asyncio.gather(*(address_known(host, domain) for host in hosts))
        self._servers.know_ours(frozenset(filter(None, found)))
        for one in self._servers.news():
            address = str(one.heard.address)
            _log.warning("dhcp.other_server", server=address, interface=one.interface, why=one.why)
            self._events.publish(
                EventKind.DHCP_SERVER,
                address,
                one.why,
                interface=one.interface,
                boots=one.heard.boots,
                gives_addresses=one.heard.gives_addresses,
                boot_file=one.heard.boot_file,
            )
