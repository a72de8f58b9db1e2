"""Follows the served interfaces: the kernel reports changes by netlink."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.interfaces import Found, Interface, find_interfaces
from iluvatar_pxe.problem import Problem

_NEWS = 0x1 | 0x10 | 0x40
"""linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV4_ROUTE, where ``auto`` comes from."""
_NON_BLOCKING_RAW = socket.SOCK_RAW | socket.SOCK_NONBLOCK
_SETTLE = 0.1
"""Seconds from a notification to the check: notifications come in bursts, and some before the change."""
_RETRY = 5.0
"""Seconds until a failed bind or listing is retried: the kernel does not report a freed port."""

_log = structlog.get_logger()

Serve = Callable[[Sequence[Interface]], Awaitable[list[ServerError]]]
"""Serves these interfaces and no others from now on; returns an error for each socket that cannot be bound."""


class InterfaceWatch:
    """Tells which interfaces there are, at the start and whenever they have changed.

    What the kernel's messages say is not read: that something has changed, or that messages were lost, is reason
    enough to look, and what is found then is the truth.
    """

    def __init__(self, wanted: Sequence[str], machines_in: Callable[[IPv4Network], int]) -> None:
        """``wanted`` is ``[network] interfaces``; ``machines_in`` tells how many machines are in a network."""
        self._wanted = wanted
        self._machines_in = machines_in
        self._home: Interface | None = None
        """What ``auto`` comes back to: its last interface, or an earlier one whose machines it has left."""
        self._found = Found()
        self._errors: list[ServerError] = []
        self._told = Problem(lambda text: _log.warning("network", problem=text))
        self._news = asyncio.Event()
        self._socket: socket.socket | None = None

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """What is served now."""
        return self._found.interfaces

    @property
    def unserved(self) -> str | None:
        """Missing interfaces and bind errors, in one line."""
        return "; ".join([*self._found.waits_for, *map(str, self._errors)]) or None

    @property
    def problem(self) -> str | None:
        """What is not served, and machines that ``auto`` has left, in one line."""
        return "; ".join(filter(None, (self.unserved, self._left_machines))) or None

    async def start(self, serve: Serve) -> None:
        """Listen to the kernel, and have ``serve`` what there is; raises ServerError, also when a port is taken."""
        try:
            sock = self._socket = socket.socket(socket.AF_NETLINK, _NON_BLOCKING_RAW, socket.NETLINK_ROUTE)
            sock.bind((0, _NEWS))
        except OSError as error:
            text = f"network changes cannot be watched: {error.strerror}; allow netlink sockets"
            raise ServerError(text) from error
        asyncio.get_running_loop().add_reader(sock, partial(self._hear, sock))
        await self._look(serve)
        if self._errors:
            raise self._errors[0]
        self._told.set(self.problem)

    async def run(self, serve: Serve) -> None:
        """Have ``serve`` what there is after every change, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY if self._errors else None):
                    await self._news.wait()
            await asyncio.sleep(_SETTLE)
            self._news.clear()
            await self._look(serve)
            self._told.set(self.problem)

    def close(self) -> None:
        """Listen no more; may be called again."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    @property
    def _of_auto(self) -> Interface | None:
        return next((one for one in self.interfaces if one.name == self._found.default), None)

    @property
    def _left_machines(self) -> str | None:
        """Say that ``auto`` has moved away from machines: to another interface, which does not have their network."""
        home, now = self._home, self._of_auto
        if home is None or now is None or now.name == home.name:
            return None
        is_served = home.network in {one.network for one in self.interfaces}
        count = 0 if is_served else self._machines_in(home.network)
        if not count:
            return None
        where = f"{home.name} ({home.network}; machines there: {count})"
        return f"auto moved from {where} to {now.name}; name the right one in [network] interfaces"

    @property
    def _kept(self) -> tuple[str, ...]:
        names = (self._home.name if self._home else None, self._found.default)
        return tuple(dict.fromkeys(filter(None, names)))

    def _hear(self, sock: socket.socket) -> None:
        with suppress(OSError):  # ENOBUFS: there was more than the socket could hold
            sock.recv(1)
        self._news.set()

    async def _look(self, serve: Serve) -> None:
        """Serve what is found; what is served stays where nothing can be found out, as without a free descriptor."""
        try:
            served = {one.network for one in self.interfaces}
            self._found = await asyncio.to_thread(find_interfaces, self._wanted, self._kept, served)
        except OSError as error:
            text = f"interfaces cannot be listed: {error.strerror}; retried every few seconds"
            self._errors = [ServerError(text)]
            return
        if (now := self._of_auto) and not self._left_machines:
            self._home = now
        self._errors = await serve(self.interfaces)
